package operation

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"binnacle/ops"
	"binnacle/ops/backup"
)

// keptDocument is one backup with the name of what it is of, as JSON.
type keptDocument struct {
	name string
	kept ops.Kept
}

// MarshalJSON writes the backup's own document with its name in front.
func (d keptDocument) MarshalJSON() ([]byte, error) {
	kept, err := json.Marshal(d.kept)
	if err != nil {
		return nil, err
	}
	name, err := json.Marshal(d.name)
	if err != nil {
		return nil, err
	}
	return append([]byte(`{"name":`+string(name)+`,`), kept[1:]...), nil
}

// entryDocument is everything known of one backup, as JSON.
type entryDocument struct {
	backup.Manifest
	TookMS    int64           `json:"took_ms"`
	Rung      string          `json:"rung"`
	Checks    []checkDocument `json:"checks"`
	Problem   string          `json:"problem,omitempty"`
	TableRows []backup.Table  `json:"table_rows,omitempty"`
}

func documentOf(e backup.Entry) entryDocument {
	doc := entryDocument{Manifest: e.Manifest, TookMS: e.Took.Milliseconds(), Rung: e.Rung.String(), Problem: e.Problem, Checks: []checkDocument{}}
	for _, c := range e.Checks {
		doc.Checks = append(doc.Checks, checkDocument{Check: c, Rung: c.Rung.String(), TookMS: c.Took.Milliseconds()})
	}
	return doc
}

// checkDocument is one check, as JSON.
type checkDocument struct {
	backup.Check
	Rung   string `json:"rung"`
	TookMS int64  `json:"took_ms"`
}

// entryText is the same for people.
func entryText(e backup.Entry, location string) string {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	row := func(label, format string, args ...any) {
		_, _ = fmt.Fprintf(w, "%s\t%s\n", label, fmt.Sprintf(format, args...))
	}
	row("backup", "%s %s", e.Name, e.ID)
	row("taken", "%s by %s from %s, took %s", e.At.UTC().Format(time.RFC3339), e.By, e.From, e.Took.Round(timeStep(e.Took)))
	row("of", "%s %s, %s on %s, image %s", e.Engine, e.EngineVersion, e.Database, e.Host, e.Image)
	row("holds", "%d tables, %d rows, schema %s", e.Tables, e.Rows, orNothing(e.Schema))
	row("size", "%s in the store, %s dumped", sizeText(e.Size), sizeText(e.Plain))
	row("store", "%s", location)
	if e.Encrypted {
		row("encrypted", "to %s", joined(e.Recipients))
	}
	row("trust", "%d/8 %s", e.Rung, e.Rung)
	if e.Problem != "" {
		row("problem", "%s", e.Problem)
	}
	for _, part := range e.Parts {
		row("part", "%s  %s  sha256 %s", part.Name, sizeText(part.Size), part.SHA256)
	}
	for _, c := range e.Checks {
		verdict := "passed"
		if c.Problem != "" {
			verdict = c.Problem
		}
		row("check", "%s %s by %s in %s: %s", c.At.UTC().Format(time.RFC3339), c.Rung, c.By, c.Took.Round(timeStep(c.Took)), verdict)
	}
	_ = w.Flush()
	return strings.TrimRight(out.String(), "\n")
}

func tableRows(f backup.Facts) string {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	for _, t := range f.Tables {
		_, _ = fmt.Fprintf(w, "\n  %s\t%d", t.Name, t.Rows)
	}
	_ = w.Flush()
	return out.String()
}

func orNothing(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

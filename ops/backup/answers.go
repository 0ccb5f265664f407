package backup

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"binnacle/ops/command"
)

// learn takes one line of what a server's client answers to the questions about a
// database, in JSON, or of df.
func (f *Facts) learn(line []byte) error {
	if line = bytes.TrimSpace(line); len(line) == 0 {
		return nil
	}
	if line[0] != '{' {
		f.Free = freeBytes(string(line))
		return nil
	}
	var said struct {
		Version  string  `json:"version"`
		Database string  `json:"database"`
		Size     float64 `json:"size"`
		Clients  int     `json:"clients"`
		Table    string  `json:"table"`
		Rows     int64   `json:"rows"`
		Schema   string  `json:"schema"`
	}
	if err := json.Unmarshal(line, &said); err != nil {
		return fmt.Errorf("the database answers %q: %w", line, err)
	}
	if said.Version != "" {
		f.Version = plainVersion(said.Version)
	}
	if said.Database != "" {
		f.Size, f.Clients, f.Details = int64(said.Size), said.Clients, map[string]string{"database": said.Database}
	}
	if said.Table != "" {
		f.Tables = append(f.Tables, Table{Name: said.Table, Rows: said.Rows})
	}
	f.Schema = cmp.Or(said.Schema, f.Schema)
	return nil
}

// readPart reads a part to its end and closes it: only then is it known to be what
// was dumped.
func readPart[T any](ctx context.Context, from Source, part string, read func(io.Reader) (T, error)) (out T, err error) {
	r, err := from.Open(ctx, part)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if out, err = read(r); err == nil {
		_, err = io.Copy(io.Discard, r)
	}
	return out, err
}

// awaitScratch runs a script that waits for the server of a throwaway container.
func (p Place) awaitScratch(ctx context.Context, line command.Line) error {
	if _, err := p.answer(ctx, "waiting for the throwaway server", line, nil); err != nil {
		return hint(err, "docker logs "+p.Container+" on the host tells why it does not start")
	}
	return nil
}

// explain gives failures that many have a hint, by what was printed.
func explain(err error, failures []failure) error {
	said := output(err)
	for _, known := range failures {
		if strings.Contains(said, known.text) {
			return hint(err, known.hint)
		}
	}
	return err
}

// failure is what a program prints when something is wrong, and what to do about it.
type failure struct{ text, hint string }

// Helpers

// appendNames adds names, which are a line of JSON each, and sorts.
func appendNames(names []string, said string) ([]string, error) {
	for text := range strings.Lines(said) {
		var name string
		if err := json.Unmarshal([]byte(text), &name); err != nil {
			return nil, fmt.Errorf("the database answers %q: %w", text, err)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

// firstCell is the first column of the first row.
func firstCell(said, ends string) string {
	if end := strings.IndexAny(said, ends); end >= 0 {
		said = said[:end]
	}
	return said
}

// plainVersion cuts what a distribution adds: 15.18 (Debian 15.18-0+deb12u1),
// 10.11.14-MariaDB-0+deb12u2.
func plainVersion(text string) string {
	number, product, _ := strings.Cut(firstWord(text), "-")
	if strings.Contains(product, "MariaDB") {
		number += "-MariaDB"
	}
	return number
}

func firstWord(text string) string {
	word, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	return word
}

// freeBytes reads a line of `df -Pk`; -1 when it is none.
func freeBytes(line string) int64 {
	fields := strings.Fields(line)
	for i, field := range fields {
		if strings.HasSuffix(field, "%") && i > 0 {
			if blocks, err := strconv.ParseInt(fields[i-1], 10, 64); err == nil {
				return blocks << 10
			}
		}
	}
	return -1
}

func sortTables(tables []Table) {
	slices.SortFunc(tables, func(a, b Table) int { return cmp.Compare(a.Name, b.Name) })
}

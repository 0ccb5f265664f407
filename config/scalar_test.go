package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

var kindNames = map[string]Kind{"Nil": Nil, "Bool": Bool, "Int": Int, "Float": Float, "String": String, "Symbol": Symbol, "Date": Date, "Time": Time}

// TestScalarsReadAsRubyReadsThem compares with what Psych 4 made of each text.
func TestScalarsReadAsRubyReadsThem(t *testing.T) {
	var rows [][3]string
	readJSON(t, &rows, "testdata", "ruby", "scalars.json")
	for _, row := range rows {
		t.Run(row[0], func(t *testing.T) {
			s := source{rendered: "k: " + row[0] + "\n"}
			if err := s.parse(); err != nil {
				t.Fatal(err)
			}
			got := s.tree.sub("k")
			if got.kind != kindNames[row[1]] {
				t.Fatalf("kind %d, want %s", got.kind, row[1])
			}
			if got.kind != Time && got.String() != row[2] {
				t.Errorf("prints %q, want %q", got, row[2])
			}
		})
	}
}

func TestHostPatternsMatchAsRubyMatchesThem(t *testing.T) {
	var rows []struct {
		pattern string
		want    []string
	}
	var raw [][2]json.RawMessage
	readJSON(t, &raw, "testdata", "ruby", "fnmatch.json")
	names := []string{}
	for _, row := range raw {
		var r struct {
			pattern string
			want    []string
		}
		if json.Unmarshal(row[0], &r.pattern) != nil || json.Unmarshal(row[1], &r.want) != nil {
			t.Fatal("fnmatch.json is broken")
		}
		rows = append(rows, r)
		names = unique(names, r.want)
	}
	names = append(names, "{web,job}", "[a")
	for _, row := range rows {
		for _, name := range names {
			if got := fnmatch(row.pattern, name); got != slices.Contains(row.want, name) {
				t.Errorf("fnmatch(%q, %q) is %v", row.pattern, name, got)
			}
		}
	}
}

func readJSON(t *testing.T, into any, path ...string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

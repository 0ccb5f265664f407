package ui_test

import (
	"slices"
	"testing"

	"binnacle/ops"
	"binnacle/ui"
)

// TestPaletteRunsAliases holds that an alias of deploy.yml runs what it stands
// for, with what is typed behind it.
func TestPaletteRunsAliases(t *testing.T) {
	w := newWorld(scenes()["live"]...)
	options := w.options()
	options.Aliases = []ui.Alias{
		{Name: "look", Line: `app exec --reuse -e A:1 B:2 "ls -la"`},
		{Name: "look-there", Line: "-r web look -H"},
		{Name: "elsewhere", Line: "app exec -d staging ls"},
		{Name: "lost", Line: "nothing at all"},
		{Name: "round", Line: "round"},
	}
	options.Catalog = append(options.Catalog, ops.Operation{Name: "app exec", Risk: ops.Change, Params: []ops.Param{
		{Name: "reuse", Kind: ops.Toggle}, {Name: "env", Letter: "e", Kind: ops.List}, {Name: "CMD", Kind: ops.Words, Positional: true, Required: true},
	}})
	s, err := ui.NewStage(t.Context(), options, 140, 40)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	typed := func(line string) {
		t.Helper()
		s.Press(":")
		s.Type(line)
		s.Press("enter")
	}
	typed("look /tmp")
	if len(w.requests) != 1 {
		t.Fatalf("planned %d:\n%s", len(w.requests), plain(s.Frame()))
	}
	r := w.requests[0]
	if r.Operation != "app exec" || r.Params.Text("CMD") != "ls -la /tmp" || !r.Params.On("reuse") ||
		!slices.Equal(r.Params.List("env"), []string{"A:1", "B:2"}) {
		t.Errorf("planned %+v", r)
	}
	s.Press("esc")
	typed("look-there")
	if r := w.requests[1]; !slices.Equal(r.Roles, []string{"web"}) || !r.SkipHooks || r.Params.Text("CMD") != "ls -la" {
		t.Errorf("planned %+v", r)
	}
	s.Press("esc")
	typed("elsewhere")
	has(t, s, "elsewhere is about another project (--destination)")
	s.Press(":")
	s.Type("lost")
	hasNot(t, s, "nothing at all")
	if len(w.requests) != 2 {
		t.Errorf("planned %d", len(w.requests))
	}
}

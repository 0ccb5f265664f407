package config

import (
	"slices"
	"strings"
	"testing"
)

func TestDocsExplainEveryKeyTheyAllow(t *testing.T) {
	sections := DocSections()
	if len(sections) != 15 || !slices.Contains(sections, "proxy") {
		t.Fatalf("sections %q", sections)
	}
	examples, err := loadSchema()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sections {
		text, ok := Doc(name)
		if !ok || !strings.HasPrefix(text, "# ") {
			t.Errorf("%s does not begin with what it is", name)
		}
		for i, line := range strings.Split(text, "\n") {
			if len(line) > 90 || strings.TrimRight(line, " ") != line {
				t.Errorf("%s:%d: %q", name, i+1, line)
			}
		}
		if name != "alias" && name != "servers" && examples.section(name).kind != Map {
			t.Errorf("%s has no example", name)
		}
	}
	if _, ok := Doc("nope"); ok {
		t.Error("there is help for a section that is not there")
	}
}

func TestSelectionOfGroups(t *testing.T) {
	c := loadText(t, richFile, Options{})
	s, err := c.Select(Filter{Roles: []string{"web", "job"}})
	if err != nil {
		t.Fatal(err)
	}
	only := s.Only("vm2", "vm3")
	if got := strings.Join(only.Hosts(), " ") + " " + only.PrimaryHost() + " " + only.PrimaryRole().Name(); got != "vm2 vm3 vm2 web" {
		t.Errorf("narrowed to %s", got)
	}
	if got := roleNames(only.RolesOn("vm3")); !slices.Equal(got, []string{"job"}) {
		t.Errorf("roles on vm3: %q", got)
	}
	if got := s.AccessoryHostsFor(c.Accessory("cache")); !slices.Equal(got, []string{"vm1", "vm2"}) {
		t.Errorf("hosts of cache: %q", got)
	}
}

func TestPositionsPrint(t *testing.T) {
	for want, p := range map[string]Position{"": {}, "f": {File: "f"}, "f:3": {File: "f", Line: 3}, "f:3:4": {File: "f", Line: 3, Column: 4}} {
		if p.String() != want {
			t.Errorf("%+v prints %q", p, p)
		}
	}
	w := Warning{Position: Position{File: "f", Line: 3}, Path: "a/b", Read: "is read as 1"}
	if w.String() != "f:3: a/b: is read as 1" {
		t.Error(w)
	}
	w.Modern = "b: 1"
	if w.String() != "f:3: a/b: is read as 1; write b: 1" {
		t.Error(w)
	}
	w.Modern = "nothing"
	if w.String() != "f:3: a/b: is read as 1; remove it" {
		t.Error(w)
	}
}

package kit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Action is the stable name of what a key does: "quit", "logs.follow". Names
// in keys.yaml are Actions.
type Action string

// The motions, which every pane understands as far as they mean something.
const (
	Up       Action = "move.up"
	Down     Action = "move.down"
	Left     Action = "move.left"
	Right    Action = "move.right"
	Top      Action = "move.top"
	Bottom   Action = "move.bottom"
	PageUp   Action = "move.page-up"
	PageDown Action = "move.page-down"
	HalfUp   Action = "move.half-up"
	HalfDown Action = "move.half-down"
	Next     Action = "move.next-match"
	Previous Action = "move.previous-match"
	Enter    Action = "open"      // the row under the cursor
	Toggle   Action = "mark"      // space
	Unmark   Action = "mark.none" // clear all marks
	Order    Action = "order"     // sort by the next column
	Reverse  Action = "order.reverse"
)

// KeySpec is one key as data: it feeds the binding, the footer, help, the
// palette and the user's keymap file.
type KeySpec struct {
	ID        Action
	Keys      []string // as Bubble Tea writes them: "d", "D", "ctrl+r", "space", "shift+tab"
	Help      string   // one or two words for the footer: "details"
	Long      string   // a sentence for help; Help when empty
	Pane      PaneID   // "" for everywhere
	Group     string   // heading in help; the pane's title when empty
	Operation string   // runs this operation of the catalog
	Changes   bool     // changes something: upper-case keys only
	Danger    bool     // people can notice or lose something
	Footer    int      // place in the footer, 1 first; 0 for not there
}

// Keymap is a checked table of keys.
type Keymap struct {
	specs []KeySpec
	byKey map[PaneID]map[string]int
}

// Clash is two actions on one key where both could be meant.
type Clash struct {
	Key   string
	Pane  PaneID
	First Action
	Other Action
}

// Error names the key and both actions.
func (c *Clash) Error() string {
	where := "everywhere"
	if c.Pane != "" {
		where = "in " + string(c.Pane)
	}
	return fmt.Sprintf("key %q %s is bound to both %s and %s: give one of them another key in keys.yaml", c.Key, where, c.First, c.Other)
}

// NewKeymap checks a table of keys. A pane's key may not repeat a key that
// works everywhere, and no two actions of one pane may share a key.
func NewKeymap(specs []KeySpec) (Keymap, error) {
	m := Keymap{specs: slices.Clone(specs), byKey: map[PaneID]map[string]int{}}
	for i, s := range m.specs {
		if err := m.check(s); err != nil {
			return Keymap{}, err
		}
		for _, k := range s.Keys {
			if m.byKey[s.Pane] == nil {
				m.byKey[s.Pane] = map[string]int{}
			}
			if j, taken := m.byKey[s.Pane][k]; taken {
				return Keymap{}, &Clash{Key: k, Pane: s.Pane, First: m.specs[j].ID, Other: s.ID}
			}
			m.byKey[s.Pane][k] = i
		}
	}
	return m, m.shadowed()
}

// Find returns what a key means in a pane.
func (m Keymap) Find(pane PaneID, key string) (KeySpec, bool) {
	for _, scope := range []PaneID{pane, ""} {
		if i, ok := m.byKey[scope][key]; ok {
			return m.specs[i], true
		}
	}
	return KeySpec{}, false
}

// Action returns the spec of an action.
func (m Keymap) Action(id Action) (KeySpec, bool) {
	i := slices.IndexFunc(m.specs, func(s KeySpec) bool { return s.ID == id })
	if i < 0 {
		return KeySpec{}, false
	}
	return m.specs[i], true
}

// For lists the keys that work in a pane: its own, then those that work everywhere.
func (m Keymap) For(pane PaneID) []KeySpec {
	var own, all []KeySpec
	for _, s := range m.specs {
		switch s.Pane {
		case pane:
			own = append(own, s)
		case "":
			all = append(all, s)
		}
	}
	return append(own, all...)
}

// Footer lists the keys for the footer of a pane, in order.
func (m Keymap) Footer(pane PaneID) []KeySpec {
	var out []KeySpec
	for _, s := range m.For(pane) {
		if s.Footer > 0 && len(s.Keys) > 0 {
			out = append(out, s)
		}
	}
	slices.SortStableFunc(out, func(a, b KeySpec) int { return cmp.Compare(a.Footer, b.Footer) })
	return out
}

// With returns the table with some actions on other keys, as keys.yaml says;
// an empty list takes the action's keys away.
func (m Keymap) With(keys map[string][]string) (Keymap, error) {
	specs := slices.Clone(m.specs)
	for _, id := range slices.Sorted(mapKeys(keys)) {
		i := slices.IndexFunc(specs, func(s KeySpec) bool { return string(s.ID) == id })
		if i < 0 {
			return Keymap{}, fmt.Errorf("keys.yaml: no action is called %q; ? lists them", id)
		}
		specs[i].Keys = keys[id]
	}
	return NewKeymap(specs)
}

// Private

// isMotion reports a key that never acts: fingers press it without looking.
func isMotion(key string) bool {
	switch key {
	case "ctrl+d", "ctrl+u", "ctrl+k", "ctrl+j", "ctrl+h", "ctrl+l", "ctrl+a", "ctrl+b", "ctrl+w", "enter":
		return true
	}
	return false
}

func (m Keymap) check(s KeySpec) error {
	if !s.Danger && !s.Changes {
		return nil
	}
	for _, k := range s.Keys {
		if isMotion(k) {
			return fmt.Errorf("key %q cannot be bound to %s, which changes something: it is a motion in too many programs", k, s.ID)
		}
	}
	return nil
}

func (m Keymap) shadowed() error {
	for _, s := range m.specs {
		if s.Pane == "" {
			continue
		}
		for _, k := range s.Keys {
			if i, ok := m.byKey[""][k]; ok {
				return &Clash{Key: k, Pane: s.Pane, First: m.specs[i].ID, Other: s.ID}
			}
		}
	}
	return nil
}

// Helpers

func mapKeys(m map[string][]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// KeyName writes a key as people know it: "ctrl+r" is "^r".
func KeyName(key string) string {
	if rest, ok := strings.CutPrefix(key, "ctrl+"); ok {
		return "^" + rest
	}
	return key
}

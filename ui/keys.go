package ui

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"go.yaml.in/yaml/v3"

	"binnacle/ops"
	"binnacle/ui/kit"
)

// The actions of the root.
const (
	actQuit       kit.Action = "quit"
	actHelp       kit.Action = "help"
	actPalette    kit.Action = "palette"
	actFilter     kit.Action = "filter"
	actBack       kit.Action = "back"
	actNextPane   kit.Action = "pane.next"
	actPrevPane   kit.Action = "pane.previous"
	actLastView   kit.Action = "view.last"
	actFull       kit.Action = "fullscreen"
	actRefresh    kit.Action = "refresh"
	actRedraw     kit.Action = "redraw"
	actMouse      kit.Action = "mouse"
	actSuspend    kit.Action = "suspend"
	actLock       kit.Action = "lock"
	actDeploy     kit.Action = "deploy"
	actRollback   kit.Action = "rollback"
	actNotices    kit.Action = "view.notices"
	actBackups    kit.Action = "view.backups"
	actViewPrefix            = "view."
)

// The headings in help.
const (
	groupMove   = "Move"
	groupViews  = "Views"
	groupChange = "Change"
)

// overview lists the panes of the overview; their places are their numbers.
func overview() []kit.PaneID {
	return []kit.PaneID{kit.Hosts, kit.Containers, kit.Accessories, kit.Logs, kit.Tasks}
}

// rootKeys are the keys that work everywhere.
func rootKeys() []kit.KeySpec {
	const move, views, acts = groupMove, groupViews, groupChange
	specs := []kit.KeySpec{
		{ID: kit.Up, Keys: []string{"k", "up"}, Help: "up", Group: move},
		{ID: kit.Down, Keys: []string{"j", "down"}, Help: "down", Group: move},
		{ID: kit.Left, Keys: []string{"h", "left"}, Help: "left", Group: move},
		{ID: kit.Right, Keys: []string{"right"}, Help: "right", Group: move},
		{ID: kit.Top, Keys: []string{"g", "home"}, Help: "first", Group: move},
		{ID: kit.Bottom, Keys: []string{"G", "end"}, Help: "last", Group: move},
		{ID: kit.PageUp, Keys: []string{"pgup", "ctrl+b"}, Help: "page up", Group: move},
		{ID: kit.PageDown, Keys: []string{"pgdown", "ctrl+f"}, Help: "page down", Group: move},
		{ID: kit.HalfUp, Keys: []string{"ctrl+u"}, Help: "half a page up", Group: move},
		{ID: kit.HalfDown, Keys: []string{"ctrl+d"}, Help: "half a page down", Group: move},
		{ID: kit.Next, Keys: []string{"n"}, Help: "next match", Group: move},
		{ID: kit.Previous, Keys: []string{"N"}, Help: "previous match", Group: move},
		{ID: kit.Enter, Keys: []string{"enter"}, Help: "open", Long: "open what the cursor is on", Group: views, Footer: 1},
		{ID: kit.Toggle, Keys: []string{"space"}, Help: "mark", Long: "mark the row for a bulk act", Group: move},
		{ID: kit.Unmark, Keys: []string{"ctrl+\\"}, Help: "unmark", Long: "take all marks away", Group: move},
		{ID: kit.Order, Keys: []string{"o"}, Help: "order", Long: "sort by the next column", Group: move},
		{ID: kit.Reverse, Keys: []string{"O"}, Help: "reverse", Long: "reverse the order", Group: move},
		{ID: actNextPane, Keys: []string{"tab"}, Help: "next pane", Group: views},
		{ID: actPrevPane, Keys: []string{"shift+tab"}, Help: "previous pane", Group: views},
		{ID: actLastView, Keys: []string{"-"}, Help: "last view", Group: views},
		{ID: actFull, Keys: []string{"f", "+"}, Help: "full", Long: "the focused pane alone, and back", Group: views, Footer: 12},
		{ID: actFilter, Keys: []string{"/"}, Help: "filter", Long: "filter the pane: a word or a regular expression, ! inverts", Group: views, Footer: 10},
		{ID: actBack, Keys: []string{"esc"}, Help: "back", Long: "close what is on top; never quits", Group: views},
		{ID: actPalette, Keys: []string{":"}, Help: "all", Long: "go to any view, run any operation", Group: views, Footer: 30},
		{ID: actHelp, Keys: []string{"?"}, Help: "help", Long: "this list", Group: views, Footer: 31},
		{ID: actRefresh, Keys: []string{"ctrl+r"}, Help: "refresh", Long: "read everything again", Group: views},
		{ID: actRedraw, Keys: []string{"ctrl+g"}, Help: "redraw", Long: "draw the whole screen again", Group: views},
		{ID: actMouse, Keys: []string{"M"}, Help: "mouse", Long: "give the mouse to the terminal, to select text, and back", Group: views},
		{ID: actSuspend, Keys: []string{"ctrl+z"}, Help: "suspend", Long: "back to the shell for a while; fg returns", Group: views},
		{ID: actLock, Keys: []string{"L"}, Help: "lock", Long: "who holds the deploy lock; release or acquire it", Group: acts},
		{ID: actDeploy, Keys: []string{"D"}, Help: "deploy", Long: "deploy a version", Group: acts, Operation: "deploy", Changes: true, Footer: 5},
		{ID: actRollback, Keys: []string{"R"}, Help: "roll back", Long: "go back to a version that every host still has", Group: acts, Operation: "rollback", Changes: true, Footer: 6},
		{ID: actQuit, Keys: []string{"q", "ctrl+c"}, Help: "quit", Long: "leave; asks while a change runs", Group: views},
	}
	for i, id := range overview() {
		specs = append(specs, kit.KeySpec{
			ID: actViewPrefix + kit.Action(id), Keys: []string{fmt.Sprint(i + 1)}, Help: string(id), Long: "go to " + string(id), Group: views,
		})
	}
	return append(specs,
		kit.KeySpec{ID: actNotices, Keys: []string{"6"}, Help: "notices", Long: "what happened beside the tasks", Group: views},
		kit.KeySpec{ID: actBackups, Keys: []string{"7"}, Help: "backups", Long: "what is kept of the app's databases and volumes", Group: views},
	)
}

// keymap puts the root's, the panes' and the catalog's keys into one checked
// table, with the user's changes.
func keymap(panes []kit.Pane, catalog ops.Catalog, user map[string][]string) (kit.Keymap, error) {
	specs := rootKeys()
	for _, p := range panes {
		for _, k := range p.Spec().Keys {
			if k.Group == "" {
				k.Group = p.Spec().Title
			}
			specs = append(specs, k)
		}
	}
	specs = slices.DeleteFunc(specs, func(s kit.KeySpec) bool {
		_, known := catalog.Find(s.Operation)
		return s.Operation != "" && !known
	})
	for _, op := range catalog {
		taken := slices.ContainsFunc(specs, func(s kit.KeySpec) bool { return s.Operation == op.Name })
		if op.Key == "" || taken {
			continue
		}
		specs = append(specs, kit.KeySpec{
			ID: kit.Action("run." + op.Name), Keys: []string{op.Key}, Help: op.Name, Long: op.Summary, Group: groupChange,
			Operation: op.Name, Changes: op.Risk > ops.Read, Danger: op.Risk >= ops.Disrupt,
		})
	}
	table, err := kit.NewKeymap(specs)
	if err != nil {
		return kit.Keymap{}, err
	}
	if len(user) == 0 {
		return table, nil
	}
	return table.With(user)
}

// LoadKeys reads a keys.yaml: action names with a key or a list of keys. A file
// that is not there changes nothing.
func LoadKeys(path string) (map[string][]string, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var nodes map[string]yaml.Node
	if err := yaml.Unmarshal(raw, &nodes); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	out := map[string][]string{}
	for name, node := range nodes {
		var keys []string
		if node.Kind == yaml.ScalarNode {
			keys = []string{node.Value}
		} else if err := node.Decode(&keys); err != nil {
			return nil, fmt.Errorf("%s:%d: %s: a key or a list of keys is expected: %w", path, node.Line, name, err)
		}
		out[name] = slices.DeleteFunc(keys, func(k string) bool { return k == "" })
	}
	return out, nil
}

package ui

import (
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"binnacle/ops"
	"binnacle/ui/dialog"
	"binnacle/ui/kit"
)

// keptHistory bounds the palette's history.
const keptHistory = 100

// Private

// ask opens help, the palette or the lock.
func (m *Model) ask(a kit.Action) tea.Cmd {
	switch a {
	case actHelp:
		m.open(dialog.NewHelp(m.helpEntries()))
	case actPalette:
		m.open(dialog.NewPalette(m.paletteEntries(), m.history))
	case actLock:
		app, _ := m.state.Fleet.App(m.app)
		m.open(dialog.NewLock(app.Lock, m.now, m.offered("lock release"), m.offered("lock acquire")))
	}
	return nil
}

// offered is the intent that runs an operation; nil when there is none.
func (m *Model) offered(name string) kit.Intent {
	if _, ok := m.options.Catalog.Find(name); !ok {
		return nil
	}
	return kit.Run{Operation: name, Target: kit.Target{App: m.app}}
}

func (m *Model) helpEntries() []dialog.Entry {
	var out []dialog.Entry
	for _, s := range m.keys.For(m.current()) {
		if len(s.Keys) == 0 {
			continue
		}
		out = append(out, m.entry(s))
	}
	var groups []string
	for _, e := range out {
		if !slices.Contains(groups, e.Group) && !slices.Contains(helpOrder(), e.Group) {
			groups = append(groups, e.Group) // the pane's own first
		}
	}
	groups = append(groups, helpOrder()...)
	slices.SortStableFunc(out, func(a, b dialog.Entry) int {
		return slices.Index(groups, a.Group) - slices.Index(groups, b.Group)
	})
	return out
}

func (m *Model) entry(s kit.KeySpec) dialog.Entry {
	names := make([]string, 0, len(s.Keys))
	for _, k := range s.Keys {
		names = append(names, kit.KeyName(k))
	}
	text := s.Long
	if text == "" {
		text = s.Help
	}
	return dialog.Entry{
		Key: strings.Join(names, " "), Name: string(s.ID), Text: text, Group: s.Group,
		Intent: kit.Act{Action: s.ID}, Danger: s.Danger || s.Changes,
	}
}

// paletteEntries are the views, the operations and the keys of the focused pane.
func (m *Model) paletteEntries() []dialog.Entry {
	var out []dialog.Entry
	for _, id := range []kit.PaneID{kit.Hosts, kit.Containers, kit.Accessories, kit.Logs, kit.Tasks, kit.Notices, kit.Backups, kit.Details, kit.Task} {
		if m.panes[id] != nil {
			out = append(out, dialog.Entry{Name: string(id), Text: "go to " + string(id), Intent: m.view(id)})
		}
	}
	for _, op := range m.options.Catalog {
		if !op.Hidden {
			out = append(out, m.operationEntry(op))
		}
	}
	out = append(out, m.aliasEntries()...)
	for _, s := range m.keys.For(m.current()) {
		view := strings.HasPrefix(string(s.ID), actViewPrefix) && s.ID != actLastView
		if s.Operation != "" || view || strings.HasPrefix(string(s.ID), "move.") || s.ID == actPalette {
			continue
		}
		out = append(out, m.entry(s))
	}
	return out
}

func (m *Model) operationEntry(op ops.Operation) dialog.Entry {
	run := m.aimed(op.Name)
	return dialog.Entry{
		Key: op.Key, Name: op.Name, Text: op.Summary, Danger: op.Risk > ops.Read, Intent: run,
		Typed: func(args string) kit.Intent {
			typed := run
			typed.Params = run.Params.With(parseParams(op, args))
			typed.Ready = !needs(op, typed.Params)
			return typed
		},
	}
}

func (m *Model) remember(line string, intent kit.Intent) {
	line = strings.TrimSpace(line)
	_, back := intent.(kit.Back)
	if back || line == "" || len(m.history) > 0 && m.history[len(m.history)-1] == line {
		return
	}
	m.history = append(slices.Clone(m.history), line)
	if over := len(m.history) - keptHistory; over > 0 {
		m.history = m.history[over:]
	}
	if m.options.Remember != nil {
		m.options.Remember(line)
	}
}

// Helpers

// helpOrder is the order of the headings that every pane has.
func helpOrder() []string { return []string{groupChange, groupViews, groupMove} }

// parseParams reads what was typed behind an operation's name: `name=value`,
// the name of a toggle, and the positional parameters in their order.
func parseParams(op ops.Operation, text string) ops.Params {
	out := ops.Params{}
	var positional []ops.Param
	for _, p := range op.Params {
		if p.Positional || p.Kind == ops.Version {
			positional = append(positional, p)
		}
	}
	if name, ok := kit.VersionParam(op); ok && len(positional) == 0 {
		positional = append(positional, ops.Param{Name: name, Kind: ops.Version})
	}
	for _, word := range strings.Fields(text) {
		name, value, assigned := strings.Cut(strings.TrimLeft(word, "-"), "=")
		i := slices.IndexFunc(op.Params, func(p ops.Param) bool { return p.Name == name })
		switch {
		case assigned && (i >= 0 || len(positional) > 0 && positional[0].Name == name):
			out[name] = value
		case i >= 0 && op.Params[i].Kind == ops.Toggle:
			out[name] = "true"
		case len(positional) > 0 && positional[0].Kind == ops.Words:
			out[positional[0].Name] = strings.TrimSpace(out[positional[0].Name] + " " + word)
		case len(positional) > 0:
			out[positional[0].Name] = word
			positional = positional[1:]
		}
	}
	return out
}

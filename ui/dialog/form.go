package dialog

import (
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"binnacle/ops"
	"binnacle/ui/kit"
	"binnacle/ui/theme"
	"binnacle/ui/widget"
)

// Form asks for an operation's parameters and for the roles and hosts to
// narrow it to. It is made from the operation's own description.
type Form struct {
	card
	run    kit.Run
	fields []field
	focus  int // len(fields) is the button row
	error  string
}

// field is one line of the form.
type field struct {
	param ops.Param
	input widget.Input
	on    bool
	scope scope
}

// scope tells a parameter from what narrows the run.
type scope int

const (
	ofParam scope = iota
	ofRoles
	ofHosts
	ofHooks
)

// NewForm makes the form for a run of an operation; what the run holds already
// is filled in.
func NewForm(op ops.Operation, run kit.Run) *Form {
	d := &Form{run: run}
	d.title, d.width, d.tone = op.Name, 78, theme.Accent
	if op.Summary != "" {
		d.title += ": " + op.Summary
	}
	params := op.Params
	if name, ok := kit.VersionParam(op); ok && !slices.ContainsFunc(params, func(p ops.Param) bool { return p.Name == name }) {
		params = append([]ops.Param{{Name: name, Kind: ops.Version, Usage: "the version; empty for what git says"}}, params...)
	}
	for _, p := range params {
		f := field{param: p}
		value := p.Default
		if given, ok := run.Params[p.Name]; ok {
			value = given
		}
		f.input.Set(value)
		f.on = p.Kind == ops.Toggle && value == "true"
		d.fields = append(d.fields, f)
	}
	if kit.Narrows(op) {
		d.fields = append(d.fields,
			narrowing("roles", "all; or names with commas", run.Roles, ofRoles),
			narrowing("hosts", "all; or names with commas", run.Hosts, ofHosts),
			field{param: ops.Param{Name: "skip hooks", Kind: ops.Toggle, Usage: "run no hook scripts"}, on: run.SkipHooks, scope: ofHooks},
		)
	}
	d.buttons = []button{{label: "Cancel", intent: kit.Back{}}, {label: "Continue"}}
	d.at = 1
	return d
}

// Sync takes the space there is.
func (d *Form) Sync(scene kit.Scene) {
	d.scene = scene
	d.fill()
}

// Update handles the keys. Enter goes to the next field and, behind the last
// one, on to the plan; nothing changes before that was confirmed.
func (d *Form) Update(msg tea.Msg) (kit.Intent, tea.Cmd) {
	switch msg := msg.(type) {
	case kit.Click:
		return d.clicked(msg), nil
	case kit.Wheel:
		d.scroll(msg.Lines)
		return nil, nil
	case tea.KeyPressMsg:
		return d.press(msg), nil
	case tea.PasteMsg:
		if d.typing() {
			d.fields[d.focus].input.Update(msg)
		}
	}
	d.fill()
	return nil, nil
}

// View is the dialog.
func (d *Form) View() string { return d.view() }

// Private

func (d *Form) press(msg tea.KeyPressMsg) kit.Intent {
	defer d.fill()
	buttons := d.focus == len(d.fields)
	switch k := msg.String(); {
	case k == "esc":
		return kit.Back{}
	case k == "tab", k == "down", k == "enter" && !buttons:
		d.step(1)
	case k == "shift+tab", k == "up":
		d.step(-1)
	case k == "space" && !buttons && !d.typing():
		d.fields[d.focus].on = !d.fields[d.focus].on
	case buttons && (k == "left" || k == "h" || k == "right" || k == "l"):
		d.move(1)
	case buttons && k == "enter":
		if d.at == 0 {
			return kit.Back{}
		}
		return d.submit()
	case k == "ctrl+s":
		return d.submit()
	case d.typing():
		d.fields[d.focus].input.Update(msg)
		d.error = ""
	}
	return nil
}

func (d *Form) clicked(msg kit.Click) kit.Intent {
	defer d.fill()
	if intent, done := d.click(msg); done {
		if intent != nil {
			return intent
		}
		return d.submit()
	}
	if i := msg.Y - 1 + d.offset; i >= 0 && i < len(d.fields) && msg.Y >= 1 && msg.Y <= d.window() {
		d.focus = i
		if !d.typing() {
			d.fields[i].on = !d.fields[i].on
		}
	}
	return nil
}

func (d *Form) step(by int) {
	n := len(d.fields) + 1
	d.focus = (d.focus + by + n) % n
}

func (d *Form) typing() bool {
	return d.focus < len(d.fields) && d.fields[d.focus].param.Kind != ops.Toggle
}

func (d *Form) submit() kit.Intent {
	run := d.run
	run.Ready, run.Ask, run.Params = true, false, ops.Params{}
	for i := range d.fields {
		f := &d.fields[i]
		text := strings.TrimSpace(f.input.Text())
		switch {
		case f.scope == ofRoles:
			run.Roles = words(text)
		case f.scope == ofHosts:
			run.Hosts = words(text)
		case f.scope == ofHooks:
			run.SkipHooks = f.on
		case f.param.Kind == ops.Toggle && f.on:
			run.Params[f.param.Name] = "true"
		case f.param.Kind == ops.Toggle && f.param.Default == "true":
			run.Params[f.param.Name] = "false"
		case f.param.Required && text == "":
			d.error, d.focus = f.param.Name+" is needed", i
			return nil
		case text != "" && f.param.Kind != ops.Toggle:
			run.Params[f.param.Name] = text
		}
	}
	return run
}

func (d *Form) fill() {
	th, w := d.scene.Theme, d.inner()
	d.quiet = d.focus < len(d.fields)
	labels := 0
	for i := range d.fields {
		labels = max(labels, kit.Width(d.fields[i].param.Name))
	}
	labels = min(labels, max(w/3, 4))
	d.body = d.body[:0]
	for i := range d.fields {
		d.body = append(d.body, d.draw(i, labels, w))
	}
	if d.focus < d.offset {
		d.offset = d.focus
	}
	if over := d.focus - d.offset - d.window() + 1; over > 0 && d.focus < len(d.fields) {
		d.offset += over
	}
	hint, tone := "enter next field, space switches, ^s goes on", theme.Dim
	if d.focus < len(d.fields) && d.fields[d.focus].param.Usage != "" {
		hint = d.fields[d.focus].param.Usage
	}
	if d.error != "" {
		hint, tone = d.error, theme.Bad
	}
	d.foot = []string{"", th.Paint(tone, kit.Clean(hint))}
}

func (d *Form) draw(i, labels, w int) string {
	th, f, here := d.scene.Theme, &d.fields[i], i == d.focus
	mark, tone := "  ", theme.Dim
	if here {
		mark, tone = th.Active+" ", theme.Accent
	}
	line := th.Paint(theme.Accent, mark) + th.Paint(tone, kit.Pad(f.param.Name, labels, th.Ellipsis)) + "  "
	left := max(w-labels-4, 1)
	if f.param.Kind == ops.Toggle {
		box, word := "[ ]", "no"
		if f.on {
			box, word = "["+th.Done+"]", "yes"
		}
		return line + th.Paint(theme.Text, kit.Pad(box+" "+word, left, ""))
	}
	if f.input.Text() == "" && !here {
		return line + th.Paint(theme.Faint, kit.Pad(placeholder(f), left, th.Ellipsis))
	}
	return line + f.input.View(th, left, here)
}

// Helpers

func narrowing(name, usage string, given []string, s scope) field {
	f := field{param: ops.Param{Name: name, Usage: usage}, scope: s}
	f.input.Set(strings.Join(given, ","))
	return f
}

func placeholder(f *field) string {
	switch {
	case f.param.Required:
		return "needed"
	case f.param.Kind == ops.Version:
		return "what git says"
	case f.scope == ofRoles, f.scope == ofHosts:
		return "all"
	}
	return "not given"
}

func words(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

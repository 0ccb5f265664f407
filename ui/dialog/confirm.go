package dialog

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"binnacle/ops"
	"binnacle/ui/kit"
	"binnacle/ui/theme"
	"binnacle/ui/widget"
)

// Confirm shows what a plan will touch and starts on Cancel. Where data can be
// lost a word has to be typed: the plan's own, or the destination.
type Confirm struct {
	card
	task    ops.TaskID
	plan    ops.Plan
	again   kit.Run // what was asked, for going back to its options
	options bool
	steps   bool // the steps are shown instead of the effects
	typed   widget.Input
	word    string // what has to be typed; "" for nothing
}

// NewConfirm makes the dialog for a plan. Options offers to go back to the
// form that the run came from.
func NewConfirm(task ops.TaskID, plan ops.Plan, run kit.Run, options bool) *Confirm {
	d := &Confirm{task: task, plan: plan, again: run, options: options}
	d.again.Ready, d.again.Ask = false, true
	d.title, d.width = plan.Title, 78
	d.tone = theme.Accent
	if plan.Risk >= ops.Disrupt {
		d.tone = theme.Bad
	}
	d.word = plan.Confirm
	if plan.Risk == ops.DataLoss && d.word == "" {
		d.word = cmp.Or(plan.App.Destination(), plan.App.Service())
	}
	d.arm()
	return d
}

// Sync takes the space there is.
func (d *Confirm) Sync(scene kit.Scene) {
	d.scene = scene
	if scene.Theme.Production && d.plan.Risk < ops.Disrupt {
		d.tone = theme.Brand
	}
	d.fill()
	d.scroll(0)
}

// Update handles the keys.
func (d *Confirm) Update(msg tea.Msg) (kit.Intent, tea.Cmd) {
	if intent, done := d.click(msg); done {
		return intent, nil
	}
	k, ok := press(msg)
	if d.word != "" && !leaves(k) && d.typed.Update(msg) {
		d.arm()
		d.fill()
		return nil, nil
	}
	if !ok {
		return nil, nil
	}
	switch {
	case k == "s" && d.word == "" || k == "ctrl+s":
		d.steps, d.offset = !d.steps, 0
		d.fill()
		return nil, nil
	case k == "y" && d.word == "":
		return d.launch(), nil
	case k == "n" && d.word == "":
		return kit.Back{}, nil
	}
	return d.key(k), nil
}

// View is the dialog.
func (d *Confirm) View() string { return d.view() }

// Private

// arm offers the way on only once the word was typed.
func (d *Confirm) arm() {
	d.buttons = []button{{label: "Cancel", intent: kit.Back{}}}
	if d.options {
		d.buttons = append(d.buttons, button{label: "Options", intent: d.again})
	}
	if d.word == "" || d.typed.Text() == d.word {
		d.buttons = append(d.buttons, button{label: verb(d.plan), intent: d.launch(), danger: d.plan.Risk >= ops.Disrupt})
	}
	d.at = min(d.at, len(d.buttons)-1)
}

func (d *Confirm) launch() kit.Intent { return kit.Launch{Task: d.task, Plan: d.plan} }

func (d *Confirm) fill() {
	th, w := d.scene.Theme, d.inner()
	d.body, d.foot = nil, nil
	if d.steps {
		d.body = d.outline()
	} else {
		d.body = d.effects()
	}
	steps := len(d.plan.Steps())
	more := fmt.Sprintf("%s on %s", kit.Plural(steps, "step"), kit.Plural(len(d.plan.Hosts()), "host"))
	switch {
	case d.steps:
		more += ", s shows the effects"
	case d.word == "":
		more += ", s shows them"
	}
	d.foot = append(d.foot, "", th.Paint(theme.Dim, more))
	if d.word != "" {
		ask := "type " + d.word + " to go on: "
		d.foot = append(d.foot, th.Paint(theme.Warn, ask)+d.typed.View(th, max(w-kit.Width(ask), 4), true))
	}
}

func (d *Confirm) effects() []string {
	th, w := d.scene.Theme, d.inner()
	hosts := d.plan.Hosts()
	if d.says("hosts") {
		hosts = nil
	}
	labels := kit.Width("risk")
	if len(hosts) > 0 {
		labels = kit.Width("hosts")
	}
	if !d.says("to") {
		labels = kit.Width("destination")
	}
	for _, e := range d.plan.Effects {
		labels = max(labels, min(kit.Width(e.Label), 16))
	}
	var lines []string
	if !d.says("to") {
		tone := theme.Text
		if th.Production {
			tone = theme.Brand
		}
		lines = labelled(th, "destination", destination(d.plan.App), labels, w, tone)
	}
	risk := theme.Text
	if d.plan.Risk >= ops.Disrupt {
		risk = theme.Bad
	}
	lines = append(lines, labelled(th, "risk", riskWords(d.plan.Risk), labels, w, risk)...)
	if len(hosts) > 0 {
		lines = append(lines, labelled(th, "hosts", strings.Join(hosts, ", "), labels, w, theme.Text)...)
	}
	for _, e := range d.plan.Effects {
		tone, text := theme.Text, e.Text
		if e.Warn {
			tone, text = theme.Warn, th.Alert+" "+e.Text
		}
		lines = append(lines, labelled(th, e.Label, text, labels, w, tone)...)
	}
	return lines
}

// says reports that the plan's own effects tell it.
func (d *Confirm) says(label string) bool {
	return slices.ContainsFunc(d.plan.Effects, func(e ops.Effect) bool { return e.Label == label })
}

func (d *Confirm) outline() []string {
	th := d.scene.Theme
	var out []string
	for _, info := range d.plan.Outline() {
		tone, title := theme.Text, info.Title
		if info.Group {
			tone = theme.Strong
		}
		if info.Host != "" {
			title = info.Host + "  " + title
		}
		out = append(out, kit.Space(2*info.Depth)+th.Paint(tone, kit.Clean(title)))
		for _, c := range info.Commands {
			out = append(out, kit.Space(2*info.Depth+4)+th.Paint(theme.Dim, kit.Clean(c)))
		}
	}
	return out
}

// Helpers

// leaves are the keys that a typed word does not take.
func leaves(k string) bool {
	switch k {
	case "esc", "tab", "shift+tab", "enter", "ctrl+s", "up", "down", "pgup", "pgdown":
		return true
	}
	return false
}

func verb(p ops.Plan) string {
	word := p.Operation
	if word == "" {
		return "Go on"
	}
	return strings.ToUpper(word[:1]) + word[1:]
}

func destination(app ops.AppID) string {
	if d := app.Destination(); d != "" {
		return app.Service() + ", " + d
	}
	return app.Service() + ", no destination (counts as production)"
}

func riskWords(r ops.Risk) string {
	switch r {
	case ops.Change:
		return "change: the app goes on serving"
	case ops.Disrupt:
		return "disrupt: users can notice"
	case ops.DataLoss:
		return "data loss: something is gone afterwards"
	}
	return "read: looks only"
}

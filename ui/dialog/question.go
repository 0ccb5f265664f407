package dialog

import (
	tea "charm.land/bubbletea/v2"

	"binnacle/ops"
	"binnacle/ui/kit"
	"binnacle/ui/theme"
	"binnacle/ui/widget"
)

// Question asks what only a person can decide: an unknown host key, a passphrase.
type Question struct {
	card
	question ops.Question
	typed    widget.Input
}

// NewQuestion makes the dialog.
func NewQuestion(q ops.Question) *Question {
	d := &Question{question: q, typed: widget.Input{Hidden: q.Secret}}
	d.title, d.width, d.tone = q.Title, 84, theme.Warn
	for i, c := range q.Choices {
		d.buttons = append(d.buttons, button{label: c, intent: d.answer(ops.Answer{Choice: c, Given: true}), danger: i > 0})
	}
	return d
}

// ID is the question's.
func (d *Question) ID() string { return d.question.ID }

// Sync takes the space there is.
func (d *Question) Sync(scene kit.Scene) {
	d.scene = scene
	d.fill()
	d.scroll(0)
}

// Update handles the keys. Leaving it is an answer too: no.
func (d *Question) Update(msg tea.Msg) (kit.Intent, tea.Cmd) {
	if intent, done := d.click(msg); done {
		return intent, nil
	}
	k, _ := press(msg)
	switch {
	case k == "esc":
		return d.answer(ops.Answer{}), nil
	case len(d.buttons) > 0:
		return d.key(k), nil
	case k == "enter":
		return d.answer(ops.Answer{Text: d.typed.Text(), Given: true}), nil
	}
	d.typed.Update(msg)
	d.fill()
	return nil, nil
}

// View is the dialog.
func (d *Question) View() string { return d.view() }

// Private

func (d *Question) fill() {
	th, w := d.scene.Theme, d.inner()
	d.body, d.foot = d.body[:0], nil
	for _, line := range d.question.Lines {
		d.body = append(d.body, wrapped(th, line, w, theme.Text)...)
	}
	if len(d.buttons) == 0 {
		d.foot = []string{"", d.typed.View(th, w, true), th.Paint(theme.Dim, "enter answers, esc dismisses")}
	}
}

func (d *Question) answer(a ops.Answer) kit.Intent {
	return kit.Answer{Question: d.question.ID, Answer: a}
}

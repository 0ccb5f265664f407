package dialog

import (
	"fmt"
	"time"

	tea "charm.land/bubbletea/v2"

	"binnacle/ops"
	"binnacle/ui/kit"
	"binnacle/ui/theme"
)

// Choice says something and offers a few ways on; the first is the safe one.
type Choice struct {
	card
	rows []fact
}

// fact is a labelled line of a Choice.
type fact struct {
	label, text string
	tone        theme.Tone
}

// NewQuit asks what becomes of the changes that run.
func NewQuit(running []ops.Task) *Choice {
	d := &Choice{}
	d.title, d.width, d.tone = "leave while a change runs?", 74, theme.Warn
	for _, t := range running {
		d.rows = append(d.rows, fact{"runs", t.Title, theme.Strong})
	}
	d.rows = append(d.rows,
		fact{"stay", "back to the console", theme.Text},
		fact{"wait", "leave when it has ended", theme.Text},
		fact{"cancel", "stop it at a safe point, then leave", theme.Text},
		fact{"go on", "leave now; it goes on without a screen, and `binnacle tasks` shows it", theme.Text},
	)
	d.buttons = []button{
		{label: "Stay", intent: kit.Back{}},
		{label: "Wait", intent: kit.Leave{How: kit.LeaveWait}},
		{label: "Cancel it", intent: kit.Leave{How: kit.LeaveCancel}, danger: true},
		{label: "Leave it running", intent: kit.Leave{How: kit.LeaveRunning}},
	}
	return d
}

// NewCancel asks whether a task shall stop. Confirmed is what then happens.
func NewCancel(t ops.Task, confirmed kit.Intent) *Choice {
	d := &Choice{}
	d.title, d.width, d.tone = "stop "+t.Title+"?", 70, theme.Warn
	d.rows = []fact{
		{"how", "at a safe point: a step that would hurt half-way is waited for", theme.Text},
		{"then", "the lock is released and every host says what it was left running", theme.Text},
	}
	if t.Cancelling {
		d.rows = append([]fact{{"state", "it is stopping already", theme.Warn}}, d.rows...)
	}
	d.buttons = []button{{label: "Let it run", intent: kit.Back{}}, {label: "Stop it", intent: confirmed, danger: true}}
	return d
}

// NewLock tells who holds an app's lock and offers to release or acquire it.
// An intent that is nil is not offered.
func NewLock(lock ops.Lock, now time.Time, release, acquire kit.Intent) *Choice {
	d := &Choice{}
	d.width, d.tone = 74, theme.Accent
	d.buttons = []button{{label: "Close", intent: kit.Back{}}}
	switch {
	case lock.SeenAt.IsZero():
		d.title = "deploy lock: not looked at yet"
		d.rows = []fact{{"state", "unknown", theme.Warn}}
	case !lock.Held:
		d.title = "deploy lock: free"
		d.rows = []fact{{"state", "nobody deploys", theme.Good}}
		if acquire != nil {
			d.buttons = append(d.buttons, button{label: "Acquire", intent: acquire})
		}
	default:
		d.title, d.tone = "deploy lock: held", theme.Warn
		d.rows = lockFacts(lock, now)
		if release != nil {
			d.buttons = append(d.buttons, button{label: "Release", intent: release, danger: true})
		}
	}
	if lock.Host != "" {
		d.rows = append(d.rows, fact{"where", "on " + lock.Host, theme.Text})
	}
	if !lock.SeenAt.IsZero() {
		d.rows = append(d.rows, fact{"read", kit.Span(now.Sub(lock.SeenAt)) + " ago", theme.Dim})
	}
	return d
}

// NewFailure shows errors with all that is known about them.
func NewFailure(title string, errs []*ops.Error) *Choice {
	d := &Choice{}
	d.title, d.width, d.tone = title, 92, theme.Bad
	for i, e := range errs {
		if i > 0 {
			d.rows = append(d.rows, fact{})
		}
		d.rows = append(d.rows, errorFacts(e)...)
	}
	d.buttons = []button{{label: "Close", intent: kit.Back{}}}
	return d
}

// NewWaiting stands while something is looked up; esc gives up.
func NewWaiting(title string) *Choice {
	d := &Choice{}
	d.title, d.width, d.tone = title, 52, theme.Accent
	d.rows = []fact{{"", "looking at the hosts; esc gives up", theme.Dim}}
	return d
}

// Sync takes the space there is.
func (d *Choice) Sync(scene kit.Scene) {
	d.scene = scene
	labels := 0
	for _, r := range d.rows {
		labels = max(labels, kit.Width(r.label))
	}
	d.body = d.body[:0]
	for _, r := range d.rows {
		if labels == 0 {
			d.body = append(d.body, wrapped(scene.Theme, r.text, d.inner(), r.tone)...)
			continue
		}
		d.body = append(d.body, labelled(scene.Theme, r.label, r.text, labels, d.inner(), r.tone)...)
	}
	d.scroll(0)
}

// Update handles the keys.
func (d *Choice) Update(msg tea.Msg) (kit.Intent, tea.Cmd) {
	if intent, done := d.click(msg); done {
		return intent, nil
	}
	if k, ok := press(msg); ok {
		return d.key(k), nil
	}
	return nil, nil
}

// View is the dialog.
func (d *Choice) View() string { return d.view() }

// Helpers

func lockFacts(lock ops.Lock, now time.Time) []fact {
	if lock.Bare {
		return []fact{{"state", "the lock's folder has no details: its maker died between the two, or is writing them now", theme.Warn}}
	}
	rows := []fact{
		{"holder", lock.By, theme.Strong},
		{"since", fmt.Sprintf("%s UTC, %s ago", lock.At.UTC().Format("2006-01-02 15:04:05"), kit.Span(now.Sub(lock.At))), theme.Text},
	}
	if lock.Version != "" {
		rows = append(rows, fact{"version", lock.Version, theme.Text})
	}
	rows = append(rows, fact{"message", lock.Message, theme.Text})
	switch lock.Liveness {
	case ops.HolderLive:
		rows = append(rows, fact{"process", fmt.Sprintf("runs on this machine, pid %d: release it and two deploys meet", lock.HolderPID), theme.Bad})
	case ops.HolderDead:
		rows = append(rows, fact{"process", fmt.Sprintf("pid %d on this machine is gone: the lock is left over", lock.HolderPID), theme.Warn})
	case ops.HolderManual:
		rows = append(rows, fact{"process", "none: somebody took the lock by hand", theme.Text})
	default:
		where := lock.HolderHost
		if where == "" {
			where = "another machine"
		}
		rows = append(rows, fact{"process", "on " + where + ": cannot be told from here whether it lives", theme.Warn})
	}
	return rows
}

func errorFacts(e *ops.Error) []fact {
	var rows []fact
	add := func(label, text string, tone theme.Tone) {
		if text != "" {
			rows = append(rows, fact{label, text, tone})
		}
	}
	add("what", e.Summary, theme.Strong)
	add("host", e.Host, theme.Text)
	add("ran", e.Command, theme.Dim)
	if e.Cause != nil {
		add("why", e.Cause.Error(), theme.Bad)
	}
	add("next", e.Hint, theme.Accent)
	for _, ev := range e.Evidence {
		for i, line := range ev.Lines {
			label := ""
			if i == 0 {
				label = ev.Title
			}
			rows = append(rows, fact{label, line, theme.Dim})
		}
	}
	return rows
}

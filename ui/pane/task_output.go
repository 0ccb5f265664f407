package pane

import (
	"fmt"
	"strings"

	"binnacle/ops"
	"binnacle/ops/logs"
	"binnacle/ui/kit"
	"binnacle/ui/theme"
)

// heldLines bounds what one look back at a step's output can reach.
const heldLines = 5000

// taskOutput is a window on the output of one step. It shows the end until
// somebody scrolls back; then it holds still on what was there at that time.
type taskOutput struct {
	step   ops.StepID
	height int
	held   []ops.LineWritten // while scrolled back
	top    int               // first line shown of held
	shown  []ops.LineWritten
}

// sync takes over the newest lines, unless it is held.
func (o *taskOutput) sync(transcript *ops.Output, s ops.StepState, height int) {
	if o.step != s.ID {
		o.step, o.held = s.ID, nil
	}
	o.height = height
	if o.held == nil {
		o.shown = transcript.Last(s.ID, height)
		return
	}
	o.top = max(0, min(o.top, len(o.held)-height))
	o.shown = o.held[o.top:min(len(o.held), o.top+height)]
}

// scroll goes back or forth by lines; at the end it follows again.
func (o *taskOutput) scroll(transcript *ops.Output, lines int) {
	if o.held == nil {
		if lines >= 0 {
			return
		}
		o.held = transcript.Last(o.step, heldLines)
		o.top = len(o.held) - o.height
	}
	o.top = max(0, o.top+lines)
	if o.top+o.height >= len(o.held) {
		o.end()
	}
}

// end shows the end again.
func (o *taskOutput) end() { o.held = nil }

// rule is the line above the output: whose it is, and which part.
func (o *taskOutput) rule(scene kit.Scene, s ops.StepState) string {
	th := scene.Theme
	name := kit.Clean(s.Title)
	if s.Host != "" && !strings.Contains(s.Title, s.Host) {
		name = kit.Clean(s.Host) + " " + name
	}
	if name == "" {
		name = "output"
	}
	part := ""
	if o.held != nil {
		part = fmt.Sprintf(" %s %d to %d of the last %d lines", th.Dot, o.top+1, o.top+len(o.shown), len(o.held))
	}
	label := kit.Cut(" "+name+part+" ", max(0, scene.Width-4), th.Ellipsis)
	rest := max(0, scene.Width-2-kit.Width(label))
	return th.Paint(theme.Faint, strings.Repeat(th.Border.Rule, 2)) + th.Paint(theme.Dim, label) +
		th.Paint(theme.Faint, strings.Repeat(th.Border.Rule, rest))
}

// lines draws the window.
func (o *taskOutput) lines(scene kit.Scene, s ops.StepState) []string {
	th := scene.Theme
	if len(o.shown) == 0 {
		return o.nothing(scene, s)
	}
	host := 0
	if s.Host == "" {
		for _, l := range o.shown {
			host = min(20, max(host, kit.Width(l.Host)))
		}
	}
	out := make([]string, 0, len(o.shown))
	for _, l := range o.shown {
		text, tone := logs.Clean(l.Text), theme.Text
		switch {
		case l.Stream == ops.Ran:
			text, tone = "$ "+text, theme.Accent
		case logs.DetectLevel(text) >= logs.LevelError:
			tone = theme.Bad
		}
		prefix := " "
		if host > 0 {
			prefix += kit.Pad(kit.Clean(l.Host), host, th.Ellipsis) + "  "
		}
		// What is far beyond the edge need not be measured.
		text = kit.Clean(text[:min(len(text), scene.Width*8+64)])
		out = append(out, th.Paint(theme.Dim, prefix)+th.Paint(tone, kit.Cut(text, scene.Width-kit.Width(prefix), th.Ellipsis)))
	}
	return out
}

// nothing says why there is no output: the commands that will run, or none.
func (o *taskOutput) nothing(scene kit.Scene, s ops.StepState) []string {
	th := scene.Theme
	if len(s.Commands) == 0 || s.Status.Ended() {
		return []string{" " + th.Paint(theme.Dim, "no output")}
	}
	out := []string{" " + th.Paint(theme.Dim, "will run")}
	for _, c := range s.Commands {
		if len(out) == o.height {
			break
		}
		out = append(out, " "+th.Paint(theme.Accent, kit.Cut("$ "+kit.Clean(c), scene.Width-1, th.Ellipsis)))
	}
	return out
}

// Helpers

// plainOutput is a transcript as text: whole lines, with their hosts.
func plainOutput(lines []ops.LineWritten) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.At.UTC().Format("2006-01-02T15:04:05.000Z "))
		if l.Host != "" {
			b.WriteString(l.Host + " ")
		}
		if l.Stream == ops.Ran {
			b.WriteString("$ ")
		}
		b.WriteString(logs.Clean(l.Text) + "\n")
	}
	return b.String()
}

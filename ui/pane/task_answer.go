package pane

import (
	"fmt"
	"slices"
	"strings"

	"binnacle/ops"
	"binnacle/ops/logs"
	"binnacle/ui/kit"
	"binnacle/ui/theme"
	"binnacle/ui/widget"
)

const (
	answerLabel = 12 // cells of "serving now" and its like
	whyLines    = 3
	alsoLines   = 3
	alsoHosts   = 3
	placesLine  = 6 // places that are named one by one
)

// answer is what a person wants to know of a task that did not end well: what
// failed, what serves now, why, how the lock was left, and what to do next.
// When space is short the reasons give way, the rest stays.
func (p *Task) answer(height int) []string {
	t := &p.task
	if t.Status != ops.Failed && t.Status != ops.Cancelled {
		return p.doneAnswer()
	}
	head := append(p.what(), p.servingLines()...)
	tail := append(p.lockLine(), p.next()...)
	tail = append(tail, p.scene.Theme.Paint(theme.Faint, strings.Repeat(p.scene.Theme.Border.Rule, p.scene.Width)))
	room := max(1, height-len(head)-len(tail))
	also := p.also()
	why := p.why(max(1, room-len(also)))
	also = also[:max(0, min(len(also), room-len(why)))]
	return slices.Concat(head, why, also, tail)
}

// Private

// doneAnswer is the little that is said of a change that went well.
func (p *Task) doneAnswer() []string {
	if p.task.Status != ops.Done {
		return nil
	}
	return p.servingLines()
}

// servingLines say what each place is left running, by version when there are
// many.
func (p *Task) servingLines() []string {
	places := p.task.Serving
	if len(places) == 0 {
		return nil
	}
	versions := map[string][]string{}
	for _, s := range places {
		versions[s.Version] = append(versions[s.Version], placeName(places, s))
	}
	var texts []string
	if len(places) <= placesLine {
		for _, s := range places {
			texts = append(texts, placeName(places, s)+" "+versionWord(s.Version))
		}
	} else {
		for _, v := range slices.Sorted(mapKeys(versions)) {
			text := fmt.Sprintf("%s on %d", versionWord(v), len(versions[v]))
			if len(versions[v]) <= placesLine {
				text = versionWord(v) + " on " + strings.Join(versions[v], ", ")
			}
			texts = append(texts, text)
		}
	}
	tone := theme.Text
	text := strings.Join(texts, "   ")
	delete(versions, "")
	if len(versions) > 1 {
		tone = theme.Warn
		text = p.scene.Theme.Alert + " mixed versions   " + text
	}
	return []string{p.fact("serving now", tone, text)}
}

// what is the first failure, on at most two lines.
func (p *Task) what() []string {
	if len(p.task.Errors) == 0 {
		return nil
	}
	tone := theme.Bad
	if p.task.Status == ops.Cancelled {
		tone = theme.Text
	}
	rows := kit.Wrap(kit.Clean(headline(p.task.Errors[0])), max(10, p.scene.Width-4))
	var out []string
	for _, row := range rows[:min(2, len(rows))] {
		out = append(out, "   "+p.scene.Theme.Paint(tone, row))
	}
	return out
}

// why are the lines of the evidence that say most: those that call themselves
// errors and are no backtrace, else the last ones; each once.
func (p *Task) why(height int) []string {
	if len(p.task.Errors) == 0 {
		return nil
	}
	var grave, last []string
	for _, ev := range p.task.Errors[0].Evidence {
		for _, l := range ev.Lines {
			said := widget.Message(l)
			if said == "" {
				continue
			}
			if logs.DetectLevel(logs.Clean(l)) >= logs.LevelError && !isPosition(said) {
				grave = appendOnce(grave, said)
			}
			last = appendOnce(last, said)
		}
	}
	chosen := grave
	if len(chosen) == 0 {
		chosen = last
	}
	chosen = chosen[max(0, len(chosen)-whyLines):]
	var out []string
	for i, l := range chosen {
		rows := p.wrapped(first(i, "why"), theme.Text, l)
		if len(out)+len(rows) > height {
			rows = []string{p.fact(first(i, "why"), theme.Text, l)}
		}
		if len(out) == height {
			break
		}
		out = append(out, rows...)
	}
	return out
}

// also are the other failures; hosts that failed alike share a line.
func (p *Task) also() []string {
	if len(p.task.Errors) < 2 {
		return nil
	}
	var order []string
	hosts := map[string][]string{}
	for _, e := range p.task.Errors[1:] {
		alike := *e
		alike.Host = ""
		text := headline(&alike)
		if _, ok := hosts[text]; !ok {
			order = append(order, text)
		}
		hosts[text] = append(hosts[text], e.Host)
	}
	var out []string
	for i, text := range order {
		if i == alsoLines {
			return append(out, p.fact("", theme.Dim, fmt.Sprintf("and %d more; e shows all", len(order)-alsoLines)))
		}
		names := strings.Join(hosts[text][:min(alsoHosts, len(hosts[text]))], ", ")
		if more := len(hosts[text]) - alsoHosts; more > 0 {
			names += fmt.Sprintf(" and %d more", more)
		}
		if names != "" {
			names += ": "
		}
		out = append(out, p.fact(first(i, "also"), theme.Text, names+text))
	}
	return out
}

func (p *Task) lockLine() []string {
	if p.task.Lock == "" {
		return nil
	}
	tone := theme.Text
	if p.task.Lock != "released" {
		tone = theme.Warn
	}
	return []string{p.fact("lock", tone, p.task.Lock)}
}

// next is what can be done now: the hint of the error, then the keys.
func (p *Task) next() []string {
	var keys []string
	host := ""
	if len(p.task.Errors) > 0 {
		host = p.task.Errors[0].Host
		keys = append(keys, "e evidence")
	}
	if host != "" {
		keys = append(keys, "l logs of "+host)
	}
	if p.task.Operation == "deploy" || p.task.Operation == "redeploy" {
		keys = append(keys, "R roll back", "D deploy again")
	}
	var out []string
	if len(p.task.Errors) > 0 && p.task.Errors[0].Hint != "" {
		out = append(out, p.wrapped("next", theme.Strong, p.task.Errors[0].Hint)...)
	}
	if len(keys) > 0 {
		out = append(out, p.fact(first(len(out), "next"), theme.Accent, strings.Join(keys, "   ")))
	}
	return out
}

// evidence shows every error with all that was gathered about it.
func (p *Task) evidence(height int) {
	var all []string
	add := func(tone theme.Tone, indent, text string) {
		for _, line := range kit.Wrap(kit.Clean(text), max(10, p.scene.Width-len(indent)-1)) {
			all = append(all, indent+p.scene.Theme.Paint(tone, line))
		}
	}
	for _, e := range p.task.Errors {
		add(theme.Bad, " ", headline(e))
		if e.Command != "" {
			add(theme.Accent, "   ", "$ "+e.Command)
		}
		if e.Hint != "" {
			add(theme.Strong, "   ", "next: "+e.Hint)
		}
		for _, ev := range e.Evidence {
			add(theme.Dim, "   ", ev.Title)
			for _, l := range ev.Lines {
				add(theme.Text, "     ", logs.Clean(l))
			}
		}
		all = append(all, "")
	}
	p.scroll = max(0, min(p.scroll, len(all)-height))
	p.lines = append(p.lines, all[p.scroll:min(len(all), p.scroll+height)]...)
}

// fact is a labelled line.
func (p *Task) fact(label string, tone theme.Tone, text string) string {
	th := p.scene.Theme
	text, _, _ = strings.Cut(text, "\n")
	return "   " + th.Paint(theme.Dim, kit.Pad(label, answerLabel, "")) + "  " +
		th.Paint(tone, kit.Cut(kit.Clean(text), p.scene.Width-answerLabel-5, th.Ellipsis))
}

// wrapped is a labelled text on at most two lines.
func (p *Task) wrapped(label string, tone theme.Tone, text string) []string {
	rows := kit.Wrap(kit.Clean(text), max(10, p.scene.Width-answerLabel-6))
	if len(rows) < 2 {
		return []string{p.fact(label, tone, text)}
	}
	return []string{p.fact(label, tone, rows[0]), p.fact("", tone, strings.Join(rows[1:], " "))}
}

// Helpers

// placeName is the host, with the role where a host has several.
func placeName(all []ops.Serving, s ops.Serving) string {
	for _, o := range all {
		if o.Host == s.Host && o.Role != s.Role {
			return s.Host + " " + s.Role
		}
	}
	return s.Host
}

func versionWord(v string) string {
	if v == "" {
		return "nothing"
	}
	return v
}

// isPosition reports a line of a backtrace, which says where and not why.
func isPosition(text string) bool {
	for _, ext := range []string{".rb:", ".py:", ".go:", ".js:", ".ts:", ".ex:", ".php:", ".java:"} {
		if _, rest, ok := strings.Cut(text, ext); ok && rest != "" && rest[0] >= '0' && rest[0] <= '9' {
			return true
		}
	}
	return false
}

// appendOnce moves a text that is there already to the end.
func appendOnce(all []string, text string) []string {
	if i := slices.Index(all, text); i >= 0 {
		all = slices.Delete(all, i, i+1)
	}
	return append(all, text)
}

// first is the label of a block's first line, nothing for the others.
func first(i int, label string) string {
	if i == 0 {
		return label
	}
	return ""
}

func mapKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

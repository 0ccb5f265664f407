package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"binnacle/ops"
	"binnacle/ops/live"
)

// printer prints one task: as text for people and CI logs, or as JSON lines.
type printer struct {
	out, err io.Writer
	plan     ops.Plan
	json     bool
	verbose  bool
	quiet    bool
	recorder ops.Recorder
	titles   map[ops.StepID]ops.StepInfo
	started  map[ops.StepID]time.Time
	notes    map[ops.StepID]string
	began    time.Time
	trips    func() string
	inOrder  inOrder
	progress *progress // nil: says nothing before a step has ended
	// spoken tells whether a hook's output is shown by itself: hooks_output.
	spoken func(hook string) bool
}

func (p Program) printer(f *flags, plan ops.Plan, s *live.Session) *printer {
	pr := &printer{
		out: p.Stdout, err: p.Stderr, plan: plan, json: f.json, verbose: f.verbose, quiet: f.quiet,
		titles: map[ops.StepID]ops.StepInfo{}, started: map[ops.StepID]time.Time{}, notes: map[ops.StepID]string{},
		trips: func() string { return trips(s) }, progress: newProgress(),
		spoken: func(hook string) bool { return s.Config.HooksOutput(hook) == "verbose" },
	}
	if plan.Attach != nil && !f.verbose {
		pr.quiet = true // the person waits for something else
	}
	for _, info := range plan.Outline() {
		pr.titles[info.ID] = info
	}
	pr.inOrder = newInOrder(plan)
	return pr
}

// follow prints the task's events until it has finished.
func (p *printer) follow(ctx context.Context, tail *ops.Tail, id ops.TaskID) ops.TaskFinished {
	ctx = context.WithoutCancel(ctx) // a cancelled task still tells how it ended
	document := newReadDocument(p.plan)
	for {
		events, ok := tail.Next(ctx)
		if !ok {
			return ops.TaskFinished{Status: ops.Failed}
		}
		for _, e := range events {
			switch {
			case p.document():
				document.add(e)
			case p.json:
				p.printRecord(e)
			default:
				p.print(e)
			}
			if end, ok := e.(ops.TaskFinished); ok && end.Task == id {
				if p.document() {
					_ = writeJSON(p.out, document)
				}
				return end
			}
		}
	}
}

// Private

// document reports a run that ends in one document instead of records as they
// come.
func (p *printer) document() bool { return p.json && p.plan.Risk == ops.Read && !p.plan.Stream }

func (p *printer) printRecord(e ops.Event) {
	rec, ok := p.recorder.Record(e)
	if !ok {
		return
	}
	line, err := json.Marshal(rec)
	if err == nil {
		_, _ = fmt.Fprintln(p.out, string(line))
	}
}

func (p *printer) print(e ops.Event) {
	switch e := e.(type) {
	case ops.TaskStarted:
		p.began = e.At
		p.say("%s", e.Title)
	case ops.StepStarted:
		p.started[e.Step] = e.At
	case ops.StepProgressed:
		p.progressed(e)
	case ops.StepNoted:
		p.notes[e.Step] = e.Note
	case ops.LineWritten:
		if p.verbose || p.hookSpeaks(e) || p.aloud(e) {
			p.line(e)
		}
	case ops.ResultWritten:
		if p.inOrder.now(e) {
			p.result(e)
		}
	case ops.StepFinished:
		for _, result := range p.inOrder.finished(e.Step) {
			p.result(result)
		}
		p.step(e)
	case ops.TaskCancelling:
		p.say("stopping at a safe point (%s)", e.By)
	case ops.TaskFinished:
		p.finish(e)
	case ops.Noticed:
		if e.Err || !p.quiet {
			_, _ = fmt.Fprintln(p.err, e.Text)
		}
	}
}

// aside is where progress goes: not among what commands print.
func (p *printer) aside() io.Writer {
	if p.plan.Heading != "" || p.plan.Attach != nil {
		return p.err
	}
	return p.out
}

func (p *printer) say(format string, args ...any) {
	if p.quiet || p.plan.Risk == ops.Read {
		return
	}
	_, _ = fmt.Fprintf(p.aside(), format+"\n", args...)
}

// hookSpeaks tells whether a line is the output of a hook that hooks_output wants
// shown. Neither -v nor -q leaves it a say.
func (p *printer) hookSpeaks(e ops.LineWritten) bool {
	if p.quiet || e.Host != "" || p.spoken == nil {
		return false
	}
	hook, ok := strings.CutPrefix(p.titles[e.Step].Title, "hook ")
	return ok && p.spoken(hook)
}

// aloud tells whether a line is what somebody waits for.
func (p *printer) aloud(e ops.LineWritten) bool {
	return !p.quiet && e.Stream != ops.Ran && p.titles[e.Step].Aloud
}

func (p *printer) progressed(e ops.StepProgressed) {
	if p.progress == nil || p.quiet {
		return
	}
	out := p.aside()
	if p.plan.Risk == ops.Read {
		out = p.err // what was asked for stands alone
	}
	if words := p.progress.words(e, p.started[e.Step]); words != "" {
		info := p.titles[e.Step]
		_, _ = fmt.Fprintf(out, "  %s %-8s %s  %s\n", mark(ops.Running), hostOr(info.Host), p.name(info), words)
	}
}

func (p *printer) line(e ops.LineWritten) {
	mark := "|"
	if e.Stream == ops.Ran {
		mark = "$"
	}
	_, _ = fmt.Fprintf(p.aside(), "    %-8s %s %s\n", hostOr(e.Host), mark, e.Text)
}

func (p *printer) result(e ops.ResultWritten) {
	switch {
	case p.plan.Raw:
		_, _ = io.WriteString(p.out, e.Text)
		return
	case p.plan.Heading != "":
		if !p.quiet {
			_, _ = fmt.Fprintln(p.out, hostHeading(p.plan, e.Host))
		}
		_, _ = fmt.Fprintf(p.out, "%s\n\n", e.Text)
		return
	}
	if e.Host != "" && len(p.plan.Hosts()) > 1 && !p.quiet {
		_, _ = fmt.Fprintf(p.out, "Host: %s\n%s\n\n", e.Host, e.Text)
		return
	}
	_, _ = fmt.Fprintln(p.out, e.Text)
}

func (p *printer) step(e ops.StepFinished) {
	info := p.titles[e.Step]
	if info.Group || e.Status == ops.Skipped {
		return
	}
	text := fmt.Sprintf("  %s %-8s %s", mark(e.Status), hostOr(info.Host), p.name(info))
	if at, ok := p.started[e.Step]; ok {
		text += "  " + seconds(e.At.Sub(at))
	}
	if note := p.notes[e.Step]; note != "" && e.Status == ops.Done {
		text += "  " + note
	}
	p.say("%s", text)
	if e.Status == ops.Failed && !p.quiet {
		for _, err := range e.Errors {
			p.say("      %s", oneLine(err.Error()))
		}
	}
}

// name is the step's title, with its group's where the title alone says little.
func (p *printer) name(info ops.StepInfo) string {
	if parent, ok := p.titles[info.Parent]; ok && parent.Title != info.Title {
		role, _, found := strings.Cut(strings.TrimPrefix(parent.Title, info.Host+" "), " ")
		if found || parent.Host == "" {
			return info.Title
		}
		return role + ": " + info.Title
	}
	return info.Title
}

func (p *printer) finish(e ops.TaskFinished) {
	if e.Status != ops.Done {
		p.failure(e)
	}
	if p.plan.Risk == ops.Read {
		return
	}
	p.say("  Finished all in %.1f seconds", e.At.Sub(p.began).Seconds())
	if p.verbose {
		p.say("  %s", p.trips())
	}
}

// failure prints the answer first: what, why, what is serving, the lock.
func (p *printer) failure(e ops.TaskFinished) {
	word := "failed"
	if e.Status == ops.Cancelled {
		word = "cancelled"
	}
	_, _ = fmt.Fprintf(p.err, "\n%s %s %s\n", mark(e.Status), p.plan.Title, word)
	printFailures(p.err, e.Errors)
	if len(e.Serving) > 0 {
		_, _ = fmt.Fprintln(p.err, "  serving now   "+servingText(e.Serving))
	}
	if e.Lock != "" {
		_, _ = fmt.Fprintln(p.err, "  lock          "+e.Lock)
	}
}

func (p Program) printFailures(errs []*ops.Error) { printFailures(p.Stderr, errs) }

// printPlan prints what a run would do.
func (p Program) printPlan(f *flags, plan ops.Plan) error {
	if f.json {
		return p.writeJSON(planDocument(plan))
	}
	_, _ = fmt.Fprintln(p.Stdout, plan.Title)
	for _, e := range plan.Effects {
		_, _ = fmt.Fprintf(p.Stdout, "  %-9s %s\n", e.Label, e.Text)
	}
	for _, info := range plan.Outline() {
		indent := strings.Repeat("  ", info.Depth+1)
		title := info.Title
		if info.Host != "" && !strings.Contains(title, info.Host) {
			title = info.Host + "  " + title
		}
		_, _ = fmt.Fprintf(p.Stdout, "%s%s\n", indent, title)
		for _, c := range info.Commands {
			_, _ = fmt.Fprintf(p.Stdout, "%s  $ %s\n", indent, c)
		}
	}
	if a := plan.Attach; a != nil {
		_, _ = fmt.Fprintf(p.Stdout, "  %s  connect to\n    $ %s\n", a.Host, a.Line)
	}
	return nil
}

func (p Program) writeJSON(document any) error { return writeJSON(p.Stdout, document) }

func writeJSON(w io.Writer, document any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false) // commands stay as a person could paste them
	enc.SetIndent("", "  ")
	return enc.Encode(document)
}

// Helpers

func printFailures(w io.Writer, errs []*ops.Error) {
	for _, e := range errs {
		_, _ = fmt.Fprintln(w, "  "+strings.ReplaceAll(e.Error(), "\n", "\n    "))
		for _, ev := range e.Evidence {
			_, _ = fmt.Fprintf(w, "    %s:\n", ev.Title)
			for _, l := range ev.Lines {
				_, _ = fmt.Fprintln(w, "      "+l)
			}
		}
	}
}

type planJSON struct {
	V         int            `json:"v"`
	Operation string         `json:"operation"`
	Title     string         `json:"title"`
	App       ops.AppID      `json:"app"`
	Version   string         `json:"version,omitempty"`
	Risk      string         `json:"risk"`
	Effects   []effectJSON   `json:"effects,omitempty"`
	Steps     []ops.StepInfo `json:"steps"`
}

type effectJSON struct {
	Label string `json:"label"`
	Text  string `json:"text"`
	Warn  bool   `json:"warn,omitempty"`
}

func planDocument(plan ops.Plan) planJSON {
	doc := planJSON{
		V: 1, Operation: plan.Operation, Title: plan.Title, App: plan.App, Version: plan.Version, Risk: plan.Risk.String(),
		Steps: plan.Outline(),
	}
	for _, e := range plan.Effects {
		doc.Effects = append(doc.Effects, effectJSON(e))
	}
	return doc
}

func servingText(places []ops.Serving) string {
	versions := map[string]bool{}
	var parts []string
	for _, s := range places {
		version := s.Version
		if version == "" {
			version = "nothing"
		}
		versions[version] = true
		parts = append(parts, fmt.Sprintf("%s %s %s", s.Host, s.Role, version))
	}
	text := strings.Join(parts, "   ")
	if len(versions) > 1 {
		text += "   ▲ mixed versions"
	}
	return text
}

func mark(s ops.Status) string {
	switch s {
	case ops.Done:
		return "✓"
	case ops.Failed:
		return "✕"
	case ops.Cancelled:
		return "■"
	}
	return "·"
}

func hostOr(host string) string {
	if host == "" {
		return "local"
	}
	return host
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

func oneLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

func trips(s *live.Session) string {
	total := 0
	for _, st := range s.World.Trips() {
		total += int(st.Waits)
	}
	return fmt.Sprintf("SSH round trips: %d", total)
}

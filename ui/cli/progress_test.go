package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"binnacle/ops"
)

// A long step tells every ten seconds how far it is, beside what is asked for;
// a short one tells nothing.
func TestLongStepsTellHowFarTheyAre(t *testing.T) {
	began := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	at := func(seconds int, p ops.Progress) ops.Event {
		p.Unit = "bytes"
		return ops.StepProgressed{Step: "dump", At: began.Add(time.Duration(seconds) * time.Second), Progress: p}
	}
	tests := []struct {
		name   string
		events []ops.Event
		want   []string
	}{
		{"short", []ops.Event{at(2, ops.Progress{Done: 1 << 20}), at(9, ops.Progress{Done: 2 << 20})}, nil},
		{"every ten seconds", []ops.Event{
			at(10, ops.Progress{Done: 100 << 20, Usual: 600 << 20}), at(11, ops.Progress{Done: 110 << 20}), at(19, ops.Progress{Done: 190 << 20}),
			at(20, ops.Progress{Done: 200 << 20, Usual: 600 << 20}),
		}, []string{"100.0M · 10.0M/s · about 50 s left", "200.0M · 10.0M/s · about 40 s left"}},
		{"a known size", []ops.Event{at(10, ops.Progress{Done: 100 << 20, Total: 1900 << 20, Usual: 1})}, []string{"100.0M of 1.9G · 10.0M/s · about 3 m left"}},
		{"more than usual", []ops.Event{at(10, ops.Progress{Done: 100 << 20, Usual: 90 << 20})}, []string{"100.0M · 10.0M/s"}},
		{"not bytes", []ops.Event{ops.StepProgressed{Step: "dump", At: began.Add(time.Minute), Progress: ops.Progress{Done: 3, Unit: "steps"}}}, nil},
	}
	for _, tt := range tests {
		for _, risk := range []ops.Risk{ops.Read, ops.Change} {
			var out, err bytes.Buffer
			p := &printer{
				out: &out, err: &err, plan: ops.Plan{Risk: risk}, progress: newProgress(),
				titles: map[ops.StepID]ops.StepInfo{"dump": {ID: "dump", Title: "dump db", Host: "web-1"}}, started: map[ops.StepID]time.Time{"dump": began},
			}
			for _, e := range tt.events {
				p.print(e)
			}
			told := &out
			if risk == ops.Read { // what was asked for stands alone
				told = &err
			}
			var want strings.Builder
			for _, line := range tt.want {
				want.WriteString("  · web-1    dump db  " + line + "\n")
			}
			if told.String() != want.String() || out.Len()+err.Len() != told.Len() {
				t.Errorf("%s, %s: told %q, beside it %q, want %q", tt.name, risk, out.String(), err.String(), want.String())
			}
		}
	}
}

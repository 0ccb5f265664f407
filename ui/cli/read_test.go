package cli

import (
	"strings"
	"testing"

	"binnacle/ops"
)

// Hosts answer in their own time and are printed in the plan's order; what
// comes first is not held back.
func TestResultsAreToldInThePlansOrder(t *testing.T) {
	plan := ops.Plan{Root: ops.InSequence("", "", ops.SideBySide("g", "g", &ops.Step{ID: "a"}, &ops.Step{ID: "b"}, &ops.Step{ID: "c"}))}
	result := func(step ops.StepID, text string) ops.Event { return ops.ResultWritten{Step: step, Text: text} }
	ended := func(step ops.StepID) ops.Event { return ops.StepFinished{Step: step} }
	tests := []struct {
		name   string
		events []ops.Event
		want   []string // told after each event
	}{
		{"in order", []ops.Event{result("g/a", "a1"), ended("g/a"), result("g/b", "b1")}, []string{"a1", "", "b1"}},
		{"backwards", []ops.Event{result("g/c", "c1"), ended("g/c"), result("g/b", "b1"), ended("g/b"), ended("g/a")}, []string{"", "", "", "", "b1 c1"}},
		{"the first streams", []ops.Event{result("g/a", "a1"), result("g/b", "b1"), result("g/a", "a2"), ended("g/a"), result("g/b", "b2")}, []string{"a1", "", "a2", "b1", "b2"}},
		{"one that answers nothing", []ops.Event{result("g/c", "c1"), ended("g/a"), ended("g/b")}, []string{"", "", "c1"}},
		{"one that is not of the plan", []ops.Event{result("other", "o")}, []string{"o"}},
	}
	for _, tt := range tests {
		o := newInOrder(plan)
		for i, e := range tt.events {
			var got []string
			switch e := e.(type) {
			case ops.ResultWritten:
				if o.now(e) {
					got = append(got, e.Text)
				}
			case ops.StepFinished:
				for _, r := range o.finished(e.Step) {
					got = append(got, r.Text)
				}
			}
			if strings.Join(got, " ") != tt.want[i] {
				t.Errorf("%s: event %d tells %v, want %q", tt.name, i, got, tt.want[i])
			}
		}
	}
}

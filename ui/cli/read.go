package cli

import (
	"cmp"
	"encoding/json"
	"slices"

	"binnacle/ops"
)

// readJSON is the document of an operation that only looks: what every host
// answered, in the order of the plan, and what failed.
type readJSON struct {
	V         int               `json:"v"`
	Operation string            `json:"operation"`
	App       ops.AppID         `json:"app"`
	Task      ops.TaskID        `json:"task"`
	Status    ops.Status        `json:"status"`
	Results   []resultJSON      `json:"results"`
	Errors    []ops.ErrorRecord `json:"errors"`

	places   map[ops.StepID]int
	recorder ops.Recorder
}

type resultJSON struct {
	Step ops.StepID      `json:"step"`
	Host string          `json:"host,omitempty"`
	Text string          `json:"text"`
	Data json.RawMessage `json:"data,omitempty"`
}

func newReadDocument(plan ops.Plan) *readJSON {
	doc := &readJSON{
		V: 1, Operation: plan.Operation, App: plan.App, Results: []resultJSON{}, Errors: []ops.ErrorRecord{},
		places: map[ops.StepID]int{},
	}
	for i, info := range plan.Outline() {
		doc.places[info.ID] = i
	}
	return doc
}

func (doc *readJSON) add(e ops.Event) {
	rec, ok := doc.recorder.Record(e)
	if !ok {
		return
	}
	switch e := e.(type) {
	case ops.ResultWritten:
		doc.Results = append(doc.Results, resultJSON{Step: e.Step, Host: e.Host, Text: e.Text, Data: e.Data})
	case ops.TaskFinished:
		doc.Task, doc.Status = e.Task, e.Status
		doc.Errors = append(doc.Errors, rec.Errors...)
		slices.SortStableFunc(doc.Results, func(a, b resultJSON) int {
			return cmp.Compare(doc.places[a.Step], doc.places[b.Step])
		})
	}
}

// inOrder holds results back until those of all steps before theirs are there,
// so that hosts are told in the order of the plan however fast they are. What
// comes first is not held back: a single step streams.
type inOrder struct {
	steps  []ops.StepID
	next   int
	ended  map[ops.StepID]bool
	waits  map[ops.StepID][]ops.ResultWritten
	places map[ops.StepID]int
}

func newInOrder(plan ops.Plan) inOrder {
	o := inOrder{ended: map[ops.StepID]bool{}, waits: map[ops.StepID][]ops.ResultWritten{}, places: map[ops.StepID]int{}}
	for _, info := range plan.Outline() {
		if !info.Group {
			o.places[info.ID] = len(o.steps)
			o.steps = append(o.steps, info.ID)
		}
	}
	return o
}

// now reports whether a result's turn has come; otherwise it is kept.
func (o *inOrder) now(e ops.ResultWritten) bool {
	place, known := o.places[e.Step]
	if !known || place <= o.next {
		return true
	}
	o.waits[e.Step] = append(o.waits[e.Step], e)
	return false
}

// finished takes note of a step's end and returns the results whose turn it is.
func (o *inOrder) finished(step ops.StepID) []ops.ResultWritten {
	var out []ops.ResultWritten
	if o.ended == nil {
		return nil
	}
	o.ended[step] = true
	for o.next < len(o.steps) && o.ended[o.steps[o.next]] {
		o.next++
		if o.next < len(o.steps) {
			out = append(out, o.waits[o.steps[o.next]]...)
			delete(o.waits, o.steps[o.next])
		}
	}
	return out
}

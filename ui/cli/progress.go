package cli

import (
	"fmt"
	"time"

	"binnacle/ops"
)

// progress tells now and then how far a step is that takes long.
type progress struct {
	said map[ops.StepID]time.Time // when something was told of a step
}

func newProgress() *progress { return &progress{said: map[ops.StepID]time.Time{}} }

// words are what to tell now; "" for nothing. A step began at that time.
func (p *progress) words(e ops.StepProgressed, began time.Time) string {
	last, told := p.said[e.Step]
	if !told {
		last = began
	}
	if e.Progress.Unit != "bytes" || began.IsZero() || e.At.Sub(last) < progressEvery {
		return ""
	}
	p.said[e.Step] = e.At
	elapsed := e.At.Sub(began)
	text := size(e.Progress.Done)
	if e.Progress.Total > 0 {
		text += " of " + size(e.Progress.Total)
	}
	if rate := e.Progress.Rate(elapsed); rate > 0 {
		text += " · " + size(rate) + "/s"
	}
	if left, ok := e.Progress.Left(elapsed); ok {
		text += " · about " + about(left) + " left"
	}
	return text
}

// Private

// progressEvery is how often a step says how far it is, in logs too.
const progressEvery = 10 * time.Second

// Helpers

// about writes an estimate without digits that it cannot vouch for.
func about(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", max(int(d.Round(5*time.Second).Seconds()), 1))
	case d < time.Hour:
		return fmt.Sprintf("%d m", int(d.Round(time.Minute).Minutes()))
	}
	return fmt.Sprintf("%d h %02d m", int(d.Hours()), int(d.Minutes())%60)
}

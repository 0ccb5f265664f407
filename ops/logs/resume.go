package logs

import (
	"slices"
	"time"
)

// resume remembers how far one container's log was read, so that a stream that
// was cut goes on without a gap and without saying anything twice.
type resume struct {
	first  Request
	head   int
	count  int
	last   time.Time
	atLast []Entry // entries of the time last, which a resumed stream repeats
	repeat []Entry // those still to be skipped
}

// request is what to ask for now.
func (r *resume) request() Request {
	if r.last.IsZero() {
		return r.first
	}
	req := r.first
	req.Since, req.Tail = r.last, -1
	r.repeat = slices.Clone(r.atLast)
	return req
}

// admit reports whether an entry is new.
func (r *resume) admit(e Entry) bool {
	if r.repeated(e) || r.full() {
		return false
	}
	r.count++
	if e.At.IsZero() {
		return true
	}
	if e.At.After(r.last) {
		r.last, r.atLast = e.At, r.atLast[:0]
	}
	if e.At.Equal(r.last) {
		r.atLast = append(r.atLast, e)
	}
	return true
}

// full reports that the head which was asked for is complete.
func (r *resume) full() bool { return r.head > 0 && r.count >= r.head }

// Private

func (r *resume) repeated(e Entry) bool {
	if len(r.repeat) == 0 {
		return false
	}
	if e.At.After(r.last) {
		r.repeat = nil
		return false
	}
	i := slices.IndexFunc(r.repeat, func(o Entry) bool { return o.At.Equal(e.At) && o.Stream == e.Stream && o.Text == e.Text })
	if i < 0 {
		return e.At.Before(r.last) // older than what was asked for
	}
	r.repeat = slices.Delete(r.repeat, i, i+1)
	return true
}

package ops

import "sync"

// outputBytes bounds the transcript that a task keeps in memory; its journal
// keeps all of it.
const outputBytes = 2 << 20

// Output is the transcript of a task: its newest lines within a byte bound.
type Output struct {
	mu      sync.Mutex
	lines   []LineWritten
	bytes   int
	first   uint64 // sequence number of lines[0]
	dropped uint64
}

// Window returns up to n lines that match, starting at sequence number from,
// the number after the last one looked at, and how many were dropped for
// space. An empty step matches all; a step matches itself and what is below it.
func (o *Output) Window(step StepID, from uint64, n int) (lines []LineWritten, next uint64, dropped uint64) {
	if o == nil {
		return nil, 0, 0
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	from = max(from, o.first)
	for i := from - o.first; i < uint64(len(o.lines)) && len(lines) < n; i++ {
		if below(o.lines[i].Step, step) {
			lines = append(lines, o.lines[i])
		}
		from++
	}
	return lines, from, o.dropped
}

// Last returns the newest n lines that match a step, oldest first.
func (o *Output) Last(step StepID, n int) []LineWritten {
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []LineWritten
	for i := len(o.lines) - 1; i >= 0 && len(out) < n; i-- {
		if below(o.lines[i].Step, step) {
			out = append(out, o.lines[i])
		}
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

// Private

func (o *Output) add(l LineWritten) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lines = append(o.lines, l)
	o.bytes += len(l.Text)
	if o.bytes <= outputBytes {
		return
	}
	drop := 0
	for o.bytes > outputBytes*3/4 && drop < len(o.lines)-1 { // a quarter at once, so that a flood stays cheap
		o.bytes -= len(o.lines[drop].Text)
		drop++
	}
	o.lines = append([]LineWritten(nil), o.lines[drop:]...)
	o.first += uint64(drop)
	o.dropped += uint64(drop)
}

// Helpers

func below(step, root StepID) bool {
	return root == "" || step == root || len(step) > len(root) && step[:len(root)] == root && step[len(root)] == '/'
}

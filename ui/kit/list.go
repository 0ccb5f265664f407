package kit

import "slices"

// List is a cursor over rows that are known by identity: when rows come, go or
// change their order, the cursor stays on the same thing, and the window moves
// as little as it must. The zero List is ready.
type List[K comparable] struct {
	keys   []K
	cursor int
	has    bool
	chosen bool // somebody moved the cursor: it stays on its thing
	offset int
	height int
	marks  map[K]bool
}

// Sync takes over the rows in their order and the number of lines to show them in.
func (l *List[K]) Sync(keys []K, height int) {
	old, had := l.Key()
	l.keys, l.height = keys, max(height, 0)
	switch i := slices.Index(keys, old); {
	case len(keys) == 0:
		l.cursor, l.has = 0, false
	case had && !l.chosen: // rows that arrive do not push the first one away
		l.cursor = 0
	case had && i >= 0:
		l.cursor = i
	default: // gone: stay in place
		l.cursor, l.has = min(l.cursor, len(keys)-1), true
	}
	for k := range l.marks {
		if !slices.Contains(keys, k) {
			delete(l.marks, k)
		}
	}
	l.reveal()
}

// Key is the thing under the cursor; false when there are no rows.
func (l *List[K]) Key() (K, bool) {
	if !l.has || l.cursor >= len(l.keys) {
		var none K
		return none, false
	}
	return l.keys[l.cursor], true
}

// Index is the cursor's row.
func (l *List[K]) Index() int { return l.cursor }

// Len is the number of rows.
func (l *List[K]) Len() int { return len(l.keys) }

// Window is the range of rows on screen.
func (l *List[K]) Window() (from, to int) {
	return l.offset, min(l.offset+l.height, len(l.keys))
}

// Move carries out a motion; false when it is none that a list knows.
func (l *List[K]) Move(a Action) bool {
	page := max(l.height-1, 1)
	step, ok := map[Action]int{
		Up: -1, Down: 1, PageUp: -page, PageDown: page, HalfUp: -max(page/2, 1), HalfDown: max(page/2, 1),
		Top: -len(l.keys), Bottom: len(l.keys),
	}[a]
	if ok {
		l.By(step)
	}
	return ok
}

// By moves the cursor by rows.
func (l *List[K]) By(rows int) {
	l.cursor, l.chosen = max(0, min(l.cursor+rows, len(l.keys)-1)), true
	l.reveal()
}

// Select puts the cursor on a thing; false when it has no row.
func (l *List[K]) Select(key K) bool {
	i := slices.Index(l.keys, key)
	if i < 0 {
		return false
	}
	l.cursor, l.has, l.chosen = i, true, true
	l.reveal()
	return true
}

// At puts the cursor on a line of the window; false below the last row.
func (l *List[K]) At(line int) bool {
	i := l.offset + line
	if line < 0 || i >= len(l.keys) {
		return false
	}
	l.cursor, l.has, l.chosen = i, true, true
	return true
}

// Toggle marks the row under the cursor, or takes its mark away, and moves on.
func (l *List[K]) Toggle() {
	key, ok := l.Key()
	if !ok {
		return
	}
	if l.marks == nil {
		l.marks = map[K]bool{}
	}
	if l.marks[key] {
		delete(l.marks, key)
	} else {
		l.marks[key] = true
	}
	l.By(1)
}

// Unmark takes all marks away.
func (l *List[K]) Unmark() { clear(l.marks) }

// IsMarked reports a marked thing.
func (l *List[K]) IsMarked(key K) bool { return l.marks[key] }

// Marked lists the marked things in the order of the rows.
func (l *List[K]) Marked() []K {
	var out []K
	if len(l.marks) == 0 {
		return nil
	}
	for _, k := range l.keys {
		if l.marks[k] {
			out = append(out, k)
		}
	}
	return out
}

// Private

func (l *List[K]) reveal() {
	if l.height <= 0 {
		l.offset = 0
		return
	}
	if l.cursor < l.offset {
		l.offset = l.cursor
	}
	if l.cursor >= l.offset+l.height {
		l.offset = l.cursor - l.height + 1
	}
	l.offset = max(0, min(l.offset, len(l.keys)-l.height))
}

package logs

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"binnacle/ops"
)

const (
	inboxSize = 1024
	batchSize = 512
	// backlogSpan is how long after its opening a stream's old lines count as
	// the past rather than as traffic.
	backlogSpan = 2 * time.Second
	// restSpan is how long a selection that moves fast must rest before its
	// streams are opened: a cursor that runs down a list opens nothing.
	restSpan = 150 * time.Millisecond
	// gateSpan is how long the first streams wait for hosts that are still being
	// connected, so that the past of all of them is shown in order.
	gateSpan = time.Second
	// steadySpan is how long a stream must last for its end to be news.
	steadySpan = 10 * time.Second
	// gatherSpan is how long lines are gathered when there are many streams.
	gatherSpan  = 200 * time.Millisecond
	manyStreams = 20
)

// loop is the one goroutine that owns the merger and the set of streams.
type loop struct {
	f        *Follower
	inbox    chan delivery
	merger   *Merger
	streams  map[ops.ContainerID]*follow
	byID     map[StreamID]*follow
	began    time.Time // of the selection
	epoch    uint64
	gate     time.Time // nothing is released before, unless the selection is complete
	complete bool      // every host of the selection has said what it runs
	quiet    time.Time // nothing is opened before: the selection is still moving
	nextID   StreamID
	wg       sync.WaitGroup
}

// follow is one container that is followed. Only the loop touches it, but for
// what run was given.
type follow struct {
	id      StreamID
	source  *Source
	running bool // as the fleet last said
	live    bool // its host, as the fleet last said
	opened  time.Time
	status  SourceStatus
	resume  *resume
	stop    context.CancelFunc
	retry   int
	again   time.Time // when to open it again; zero for never
}

// delivery is what a stream tells the loop: a line, or how it stands.
type delivery struct {
	stream *follow
	entry  Entry
	end    bool
	err    error
}

func newLoop(f *Follower) *loop {
	return &loop{
		f: f, inbox: make(chan delivery, inboxSize), merger: NewMerger(f.options.Hold),
		streams: map[ops.ContainerID]*follow{}, byID: map[StreamID]*follow{}, began: time.Now(),
	}
}

func (l *loop) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	defer l.wg.Wait()
	for {
		l.arm(timer)
		select {
		case <-ctx.Done():
			return
		case <-l.f.wake:
			l.reconcile(ctx)
		case d := <-l.inbox:
			l.take(d)
			if l.drain() {
				l.gather(ctx)
			}
		case <-timer.C:
			if !l.quiet.IsZero() && !time.Now().Before(l.quiet) {
				l.reconcile(ctx)
			}
		}
		l.reopen(ctx)
		l.release()
	}
}

// reconcile makes the streams agree with the selection and the fleet.
func (l *loop) reconcile(ctx context.Context) {
	l.f.mu.Lock()
	fleet, want, span, epoch := l.f.fleet, l.f.want, l.f.span, l.f.epoch
	l.f.mu.Unlock()
	if epoch != l.epoch {
		l.reset(epoch)
		l.publish()
	}
	if time.Now().Before(l.quiet) {
		return
	}
	l.quiet = time.Time{}
	changed := false
	l.complete = want.complete(fleet)
	found := want.match(fleet, l.began)
	seen := make(map[ops.ContainerID]bool, len(found))
	for _, c := range found {
		seen[c.source.Container] = true
		s := l.streams[c.source.Container]
		if s == nil {
			l.join(ctx, c, span, len(found))
			changed = true
			continue
		}
		restarted := c.running && !s.running
		if c.live && !s.live && s.status.State == Retrying {
			s.again = time.Now() // the host is back: no need to wait any longer
		}
		s.running, s.live = c.running, c.live
		if restarted && s.status.State == Ended && span.Head == 0 {
			s.again = time.Now()
		}
	}
	for key, s := range l.streams {
		if seen[key] {
			continue
		}
		s.running = false
		if s.status.State == Ended {
			l.leave(key)
			changed = true
		}
	}
	if changed {
		l.publish()
	}
}

func (l *loop) reset(epoch uint64) {
	for key := range l.streams {
		l.leave(key)
	}
	now := time.Now()
	if now.Sub(l.began) < restSpan && l.epoch != 0 {
		l.quiet = now.Add(restSpan)
	}
	l.epoch, l.began = epoch, now
	l.gate = time.Time{}
	l.merger.Reset()
	l.f.ring.Clear()
	l.f.mu.Lock()
	l.f.rate, l.f.late = rate{}, 0
	l.f.mu.Unlock()
}

func (l *loop) join(ctx context.Context, c candidate, span Span, of int) {
	l.nextID++
	s := &follow{id: l.nextID, source: c.source, running: c.running, live: c.live, resume: &resume{head: span.Head}}
	s.resume.first = Request{Container: c.source.Container, Tail: -1, Follow: span.Head == 0}
	now := time.Now()
	if l.gate.IsZero() {
		l.gate = now.Add(gateSpan)
	}
	switch {
	case span.Head > 0:
	case span.Since > 0:
		s.resume.first.Since = l.began.Add(-span.Since)
	case c.fresh: // it came while we were looking: all it said belongs on the screen
		s.resume.first.Tail = freshTail
	case now.After(l.gate): // a host that was late: its past stands below what is shown
		s.resume.first.Tail = tailLeast
	default:
		s.resume.first.Tail = span.tail(of)
	}
	l.streams[c.source.Container] = s
	l.byID[s.id] = s
	l.open(ctx, s)
}

func (l *loop) leave(key ops.ContainerID) {
	s := l.streams[key]
	if s.stop != nil {
		s.stop()
	}
	l.merger.Close(s.id)
	delete(l.streams, key)
}

// open starts the goroutine of one stream; it ends with a delivery.
func (l *loop) open(ctx context.Context, s *follow) {
	ctx, s.stop = context.WithCancel(ctx)
	s.opened, s.again = time.Now(), time.Time{}
	s.set(Opening, nil)
	l.merger.Open(s.id, s.opened)
	req, open := s.resume.request(), l.f.options.Open
	l.wg.Add(1)
	go func() {
		defer l.wg.Done()
		err := open(ctx, req, func(e Entry) { l.deliver(ctx, delivery{stream: s, entry: e}) })
		l.deliver(ctx, delivery{stream: s, end: true, err: err})
	}()
}

func (l *loop) deliver(ctx context.Context, d delivery) {
	select {
	case l.inbox <- d:
	case <-ctx.Done():
	}
}

// drain takes what has come already; false when there may be more.
func (l *loop) drain() bool {
	for range batchSize {
		select {
		case d := <-l.inbox:
			l.take(d)
		default:
			return true
		}
	}
	return false
}

// gather lets the lines of many streams come together: each by itself would
// wake everything that is done once per pass.
func (l *loop) gather(ctx context.Context) {
	if len(l.streams) < manyStreams || time.Now().Before(l.gate) {
		return
	}
	timer := time.NewTimer(gatherSpan)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.f.wake:
		signal(l.f.wake)
	case <-ctx.Done():
	}
	l.drain()
}

func (l *loop) take(d delivery) {
	s := d.stream
	if l.streams[s.source.Container] != s {
		return // of an earlier selection
	}
	if d.end {
		l.ended(s, d.err)
		return
	}
	if s.resume.full() {
		return
	}
	if s.status.State != Live {
		s.set(Live, nil)
		l.publish()
	}
	if !s.resume.admit(d.entry) {
		return
	}
	s.retry = 0
	now := time.Now()
	l.merger.Push(s.id, d.entry, now)
	if s.resume.full() {
		s.stop()
		l.ended(s, nil)
	}
	if past := now.Sub(s.opened) < backlogSpan && d.entry.At.Before(s.opened.Add(-time.Second)); !past {
		l.f.mu.Lock()
		l.f.rate.add(now, 1)
		l.f.mu.Unlock()
	}
}

// ended decides whether a stream that stopped is opened again: a cut one
// always, an ended one while its container runs.
func (l *loop) ended(s *follow, err error) {
	s.stop()
	l.merger.Close(s.id)
	if s.resume.full() || !s.running {
		s.set(Ended, err)
		l.publish()
		return
	}
	if time.Since(s.opened) > steadySpan {
		s.retry = 0
	}
	s.again = time.Now().Add(pause(s.retry))
	s.retry++
	s.set(Retrying, err)
	l.publish()
}

func (l *loop) reopen(ctx context.Context) {
	now := time.Now()
	changed := false
	for _, s := range l.streams {
		if !s.again.IsZero() && !now.Before(s.again) {
			l.open(ctx, s)
			changed = true
		}
	}
	if changed {
		l.publish()
	}
}

// release moves what is due from the merger to the ring.
func (l *loop) release() {
	now := time.Now()
	if now.Before(l.gate) && !l.complete {
		return
	}
	merged := l.merger.Release(now)
	if len(merged) == 0 {
		return
	}
	lines := make([]Line, 0, len(merged))
	late := uint64(0)
	for _, m := range merged {
		if m.Late {
			late++
		}
		text := clean(l.f.options.Redact, m.Entry.Text)
		lines = append(lines, Line{
			At: m.Entry.At, Source: l.byID[m.Stream].source, Stream: m.Entry.Stream,
			Text: text, Level: DetectLevel(text), Late: m.Late,
		})
	}
	l.f.ring.Append(lines...)
	l.f.mu.Lock()
	l.f.late += late
	l.f.latest = time.Now()
	l.f.mu.Unlock()
	signal(l.f.dirty)
}

// clean redacts what will be seen; text that cleaning changes is redacted
// before as well, lest a secret changes too much to be recognised.
func clean(redact func(string) string, text string) string {
	if redact == nil {
		return Clean(text)
	}
	cleaned := Clean(text)
	if cleaned != text {
		cleaned = Clean(redact(text))
	}
	return redact(cleaned)
}

// arm sets the timer to the next thing that happens by itself.
func (l *loop) arm(timer *time.Timer) {
	next := time.Now().Add(time.Hour)
	if due, ok := l.merger.Due(); ok && due.Before(next) {
		next = due
		if !l.complete && next.Before(l.gate) {
			next = l.gate
		}
	}
	for _, s := range l.streams {
		if !s.again.IsZero() && s.again.Before(next) {
			next = s.again
		}
	}
	if !l.quiet.IsZero() && l.quiet.Before(next) {
		next = l.quiet
	}
	l.f.mu.Lock()
	counting := !l.f.rate.idle(time.Now())
	l.f.mu.Unlock()
	if second := time.Now().Truncate(time.Second).Add(time.Second); counting && second.Before(next) {
		next = second
		signal(l.f.dirty) // the rate that is shown falls even when nothing comes
	}
	timer.Reset(max(0, time.Until(next)))
}

func (l *loop) publish() {
	status := make([]SourceStatus, 0, len(l.streams))
	for _, s := range l.streams {
		status = append(status, s.status)
	}
	slices.SortFunc(status, func(a, b SourceStatus) int {
		return cmp.Or(cmp.Compare(a.Source.Container.Host, b.Source.Container.Host), cmp.Compare(a.Source.Name, b.Source.Name),
			cmp.Compare(a.Source.Container.ID, b.Source.Container.ID))
	})
	l.f.mu.Lock()
	l.f.status = status
	l.f.mu.Unlock()
	signal(l.f.dirty)
}

func (s *follow) set(state SourceState, err error) {
	if s.status.State != state {
		s.status.Since = time.Now()
	}
	s.status.Source, s.status.State, s.status.Err = s.source, state, err
}

// Helpers

// pause is the wait before the n-th retry: half a second, doubled up to 15 s.
func pause(n int) time.Duration { return min(15*time.Second, 500*time.Millisecond<<min(n, 5)) }

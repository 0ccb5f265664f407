package logs

import "time"

// rateSeconds is how far back a rate looks.
const rateSeconds = 3

// rate counts lines per second over the last few full seconds.
type rate struct {
	second int64
	counts [rateSeconds + 1]int // the running second and those before it
	began  int64
}

func (r *rate) add(now time.Time, n int) {
	r.advance(now)
	if r.began == 0 {
		r.began = now.Unix()
	}
	r.counts[0] += n
}

// perSecond is the mean over the seconds that are over; in the first second
// what has come so far.
func (r *rate) perSecond(now time.Time) float64 {
	r.advance(now)
	seconds := min(rateSeconds, int(r.second-r.began))
	if r.began == 0 {
		return 0
	}
	if seconds <= 0 {
		return float64(r.counts[0])
	}
	sum := 0
	for _, n := range r.counts[1 : seconds+1] {
		sum += n
	}
	return float64(sum) / float64(seconds)
}

// idle reports that nothing is left to count down.
func (r *rate) idle(now time.Time) bool {
	r.advance(now)
	return r.counts == [rateSeconds + 1]int{}
}

func (r *rate) advance(now time.Time) {
	steps := now.Unix() - r.second
	if steps <= 0 {
		return
	}
	r.second = now.Unix()
	for ; steps > 0 && r.counts != [rateSeconds + 1]int{}; steps-- {
		copy(r.counts[1:], r.counts[:rateSeconds])
		r.counts[0] = 0
	}
}

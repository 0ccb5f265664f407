package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Cron is when something is due, as the five fields of a crontab say it: minute,
// hour, day of the month, month, day of the week. The zero value is never due.
type Cron struct {
	minutes, hours, days, months, weekdays uint64 // a bit for each value
	anyDay, anyWeekday                     bool   // the field began with *
	text                                   string
}

// ParseCron reads five fields: numbers, ranges, lists, steps (*/15), and the English
// names of months and weekdays. Sunday is 0 and 7. The error names the field.
func ParseCron(text string) (Cron, error) {
	parts := strings.Fields(text)
	if len(parts) != 5 {
		return Cron{}, fmt.Errorf("a schedule has five fields (minute, hour, day, month, weekday), and %q has %d", text, len(parts))
	}
	var bits [5]uint64
	var plain [5]string
	for i, field := range cronFields() {
		set, words, err := field.parse(parts[i])
		if err != nil {
			return Cron{}, fmt.Errorf("the %s of %q: %w", field.name, text, err)
		}
		bits[i], plain[i] = set, words
	}
	if bits[4]&(1<<7) != 0 {
		bits[4] |= 1
	}
	c := Cron{minutes: bits[0], hours: bits[1], days: bits[2], months: bits[3], weekdays: bits[4],
		anyDay: strings.HasPrefix(parts[2], "*"), anyWeekday: strings.HasPrefix(parts[4], "*"), text: strings.Join(plain[:], " ")}
	if _, due := c.Next(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)); !due {
		return Cron{}, fmt.Errorf("%q never comes: no such month has such a day", text)
	}
	return c, nil
}

// String is the five fields as every cron reads them, one space between: 5/15, which
// most refuse, is 5-59/15.
func (c Cron) String() string { return c.text }

// Next is the first time after another at which it is due, in that one's zone; the
// second result is false when there is none within the next nine years. What falls
// into an hour that the clocks leave out is due as soon as they have moved on, and
// what falls into one that they repeat is due once.
func (c Cron) Next(after time.Time) (time.Time, bool) {
	day := time.Date(after.Year(), after.Month(), after.Day(), 12, 0, 0, 0, after.Location())
	for range 9 * 366 {
		if c.onDay(day) {
			if at, due := c.onTime(day, after); due {
				return at, true
			}
		}
		day = day.AddDate(0, 0, 1)
	}
	return time.Time{}, false
}

// Private

// cronField is one field of a schedule and the values that it may have.
type cronField struct {
	name     string
	min, max int
	words    []string // names of the values, from min on
}

// parse reads a field; plain is the same without a step that has no range.
func (f cronField) parse(text string) (set uint64, plain string, err error) {
	var parts []string
	for part := range strings.SplitSeq(text, ",") {
		values, step, stepped := strings.Cut(part, "/")
		every := 1
		if stepped {
			n, err := strconv.Atoi(step)
			if err != nil || n < 1 {
				return 0, "", fmt.Errorf("%q is no step", part)
			}
			every = n
		}
		from, to, err := f.span(values, stepped)
		if err != nil {
			return 0, "", err
		}
		for value := from; value <= to; value += every {
			set |= 1 << value
		}
		if stepped && values != "*" && !strings.Contains(values, "-") {
			part = fmt.Sprintf("%d-%d/%d", from, to, every)
		}
		parts = append(parts, part)
	}
	return set, strings.Join(parts, ","), nil
}

// span is the first and last value of `*`, `5`, `1-5`, and of `5/2`, which goes to
// the end.
func (f cronField) span(text string, stepped bool) (from, to int, err error) {
	if text == "*" {
		return f.min, f.max, nil
	}
	first, last, ranged := strings.Cut(text, "-")
	if from, err = f.value(first); err != nil {
		return 0, 0, err
	}
	switch {
	case ranged:
		to, err = f.value(last)
	case stepped:
		to = f.max
	default:
		to = from
	}
	if err == nil && from > to {
		err = fmt.Errorf("%s begins after its end", text)
	}
	return from, to, err
}

func (f cronField) value(text string) (int, error) {
	if i := slices.Index(f.words, strings.ToLower(text)); i >= 0 {
		return f.min + i, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < f.min || n > f.max || strings.ContainsAny(text, "+-") {
		return 0, fmt.Errorf("%q is not between %d and %d", text, f.min, f.max)
	}
	return n, nil
}

// onDay follows cron: where both the day of the month and of the week are given, one
// of them is enough.
func (c Cron) onDay(day time.Time) bool {
	if c.months&(1<<day.Month()) == 0 {
		return false
	}
	ofMonth, ofWeek := c.days&(1<<day.Day()) != 0, c.weekdays&(1<<day.Weekday()) != 0
	if c.anyDay || c.anyWeekday {
		return ofMonth && ofWeek
	}
	return ofMonth || ofWeek
}

// onTime is the first time of a day, after another, at which it is due.
func (c Cron) onTime(day, after time.Time) (time.Time, bool) {
	for hour := range 24 {
		if c.hours&(1<<hour) == 0 {
			continue
		}
		for minute := range 60 {
			if c.minutes&(1<<minute) == 0 {
				continue
			}
			if at := onClock(day, hour, minute); at.After(after) {
				return at, true
			}
		}
	}
	return time.Time{}, false
}

// Helpers

// onClock is when a clock on the wall first shows a time of a day; when it leaves the
// time out, the moment in which it moves on.
func onClock(day time.Time, hour, minute int) time.Time {
	at := time.Date(day.Year(), day.Month(), day.Day(), hour, minute, 0, 0, day.Location())
	if at.Hour() != hour || at.Minute() != minute {
		_, moved := at.Add(-3 * time.Hour).ZoneBounds()
		return moved
	}
	moved, _ := at.ZoneBounds()
	_, before := moved.Add(-time.Second).Zone()
	_, now := at.Zone()
	if earlier := at.Add(time.Duration(now-before) * time.Second); !moved.IsZero() && earlier.Before(moved) {
		return earlier
	}
	return at
}

func cronFields() [5]cronField {
	return [5]cronField{
		{name: "minute", max: 59},
		{name: "hour", max: 23},
		{name: "day", min: 1, max: 31},
		{name: "month", min: 1, max: 12, words: []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
		{name: "weekday", max: 7, words: []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
	}
}

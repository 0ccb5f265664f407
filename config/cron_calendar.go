package config

import (
	"fmt"
	"strings"
)

// Calendar is the same schedule as systemd's OnCalendar= reads it; two expressions
// where either the day of the month or that of the week is enough.
func (c Cron) Calendar() []string {
	months := "*"
	if c.months != allBits(1, 12) {
		months = listBits(c.months, 1, 12)
	}
	at := clockBits(c.hours, 23) + ":" + clockBits(c.minutes, 59) + ":00"
	days := "*"
	if c.days != allBits(1, 31) {
		days = listBits(c.days, 1, 31)
	}
	ofMonth := fmt.Sprintf("*-%s-%s %s", months, days, at)
	var names []string
	for i, name := range []string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"} {
		if c.weekdays&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	weekdays := strings.Join(names, ",")
	switch {
	case len(names) == 7 && (c.anyDay || c.anyWeekday):
		return []string{ofMonth}
	case c.anyDay || c.anyWeekday:
		return []string{weekdays + " " + ofMonth}
	default:
		return []string{ofMonth, fmt.Sprintf("%s *-%s-* %s", weekdays, months, at)}
	}
}

// Helpers

func allBits(from, to int) uint64 { return 1<<(to+1) - 1<<from }

// listBits are the values of a field, two digits each.
func listBits(set uint64, from, to int) string {
	var values []string
	for value := from; value <= to; value++ {
		if set&(1<<value) != 0 {
			values = append(values, fmt.Sprintf("%02d", value))
		}
	}
	return strings.Join(values, ",")
}

func clockBits(set uint64, to int) string {
	if set == allBits(0, to) {
		return "*"
	}
	return listBits(set, 0, to)
}

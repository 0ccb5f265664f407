package kit

import (
	"fmt"
	"strings"
	"time"
)

// Span writes a duration in one unit, as people say it: "4 s", "3 m", "2 h", "12 d".
func Span(d time.Duration) string {
	n, unit := inUnit(d)
	return fmt.Sprintf("%d %s", n, unit)
}

// Short writes a duration in one unit without a blank, for columns: "41d".
func Short(d time.Duration) string {
	n, unit := inUnit(d)
	return fmt.Sprintf("%d%s", n, unit)
}

// Took writes how long something took: "0.4 s", "12 s", "1 m 12 s", "2 h 05 m".
func Took(d time.Duration) string {
	switch {
	case d < 0:
		return "0 s"
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Truncate(100*time.Millisecond).Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d m %02d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %02d m", int(d.Hours()), int(d.Minutes())%60)
}

// About writes an estimate without digits that it cannot vouch for: "40 s",
// "2 m 30 s", "1 h 05 m".
func About(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%d s", max(int(d.Round(time.Second).Seconds()), 1))
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Round(5*time.Second).Seconds()))
	case d < 10*time.Minute:
		return Took(d.Round(10 * time.Second))
	case d < time.Hour:
		return fmt.Sprintf("%d m", int(d.Round(time.Minute).Minutes()))
	}
	return Took(d.Round(5 * time.Minute))
}

// Bytes writes a size in three or four cells, powers of 1024: "212M", "1.2G".
func Bytes(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%dB", n)
	}
	f, units := float64(n), "KMGTPE"
	i := -1
	for f >= 999.5 && i < len(units)-1 {
		f /= 1024
		i++
	}
	if f < 9.95 && i > 1 {
		return fmt.Sprintf("%.1f%c", f, units[i])
	}
	return fmt.Sprintf("%.0f%c", f, units[i])
}

// Count writes a number in at most five cells: "9400", "12.4k", "1.2M".
func Count(n int64) string {
	if n < 10_000 {
		return fmt.Sprint(n)
	}
	f, units := float64(n)/1000, "kMGTPE"
	i := 0
	for f >= 999.5 && i < len(units)-1 {
		f /= 1000
		i++
	}
	if f < 99.95 {
		return fmt.Sprintf("%.1f%c", f, units[i])
	}
	return fmt.Sprintf("%.0f%c", f, units[i])
}

// Percent writes a share: "38%"; a whole of zero is unknown.
func Percent(part, whole int64) string {
	if whole <= 0 {
		return ""
	}
	return fmt.Sprintf("%d%%", part*100/whole)
}

// Plural writes a count with its word: "1 host", "4 hosts".
func Plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// Version writes a version for reading: of a full git revision the first seven
// digits, and that there were uncommitted changes.
func Version(v string) string {
	if len(v) < 40 {
		return v
	}
	for _, r := range v[:40] {
		if !strings.ContainsRune("0123456789abcdef", r) {
			return v
		}
	}
	if len(v) > 40 {
		return v[:7] + "+"
	}
	return v[:7]
}

// Helpers

func inUnit(d time.Duration) (int, string) {
	switch {
	case d < 0:
		return 0, "s"
	case d < time.Minute:
		return int(d.Seconds()), "s"
	case d < time.Hour:
		return int(d.Minutes()), "m"
	case d < 48*time.Hour:
		return int(d.Hours()), "h"
	}
	return int(d.Hours() / 24), "d"
}

package config

import (
	"strings"
	"testing"
	"time"
)

func TestCronNext(t *testing.T) {
	const layout = "Mon 2006-01-02 15:04"
	tests := []struct{ schedule, after, want string }{
		{"0 2 * * *", "Mon 2026-11-23 01:59", "Mon 2026-11-23 02:00"},
		{"0 2 * * *", "Mon 2026-11-23 02:00", "Tue 2026-11-24 02:00"},
		{"*/15 * * * *", "Mon 2026-11-23 08:31", "Mon 2026-11-23 08:45"},
		{"5/20 * * * *", "Mon 2026-11-23 08:31", "Mon 2026-11-23 08:45"},
		{"59 23 31 12 *", "Mon 2026-11-23 08:31", "Thu 2026-12-31 23:59"},
		{"0 0 29 2 *", "Mon 2026-11-23 08:31", "Tue 2028-02-29 00:00"},
		{"0 9 * * mon-fri", "Fri 2026-11-27 09:00", "Mon 2026-11-30 09:00"},
		{"0 9 * * 7", "Mon 2026-11-23 08:31", "Sun 2026-11-29 09:00"},
		{"0 9 * * 5-7", "Sat 2026-11-28 09:00", "Sun 2026-11-29 09:00"},
		{"30 4 1,15 * Fri", "Mon 2026-11-23 08:31", "Fri 2026-11-27 04:30"},
		{"30 4 1,15 * fri", "Fri 2026-11-27 04:30", "Tue 2026-12-01 04:30"},
		{"30 4 */2 * fri", "Mon 2026-11-23 08:31", "Fri 2026-11-27 04:30"},
		{"30 4 */2 * fri", "Fri 2026-11-27 04:30", "Fri 2026-12-11 04:30"},
		{"0 0 1 JAN *", "Mon 2026-11-23 08:31", "Fri 2027-01-01 00:00"},
		{"10-20/5 8,9 * * *", "Mon 2026-11-23 08:20", "Mon 2026-11-23 09:10"},
	}
	for _, test := range tests {
		cron, err := ParseCron(test.schedule)
		if err != nil {
			t.Errorf("%s: %v", test.schedule, err)
			continue
		}
		after, err := time.Parse(layout, test.after)
		if err != nil {
			t.Fatal(err)
		}
		next, due := cron.Next(after.Add(30 * time.Second))
		if got := next.Format(layout); !due || got != test.want {
			t.Errorf("%s after %s: %s, want %s", test.schedule, test.after, got, test.want)
		}
	}
}

func TestCronWhereTheClocksMove(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no time zones here")
	}
	tests := []struct{ schedule, after, want string }{
		{"30 2 * * *", "2026-03-28T03:00:00+01:00", "2026-03-29T03:00:00+02:00"},
		{"30 2 * * *", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"},
		{"30 2 * * *", "2026-10-24T03:00:00+02:00", "2026-10-25T02:30:00+02:00"},
		{"30 2 * * *", "2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"},
		{"0 3 * * *", "2026-03-28T04:00:00+01:00", "2026-03-29T03:00:00+02:00"},
	}
	for _, test := range tests {
		cron, err := ParseCron(test.schedule)
		if err != nil {
			t.Fatal(err)
		}
		after, err := time.Parse(time.RFC3339, test.after)
		if err != nil {
			t.Fatal(err)
		}
		next, _ := cron.Next(after.In(berlin))
		if got := next.Format(time.RFC3339); got != test.want {
			t.Errorf("%s after %s: %s, want %s", test.schedule, test.after, got, test.want)
		}
	}
}

func TestCronProblems(t *testing.T) {
	for schedule, want := range map[string]string{
		"":                    "has 0",
		"0 2 * *":             "has 4",
		"@daily":              "has 1",
		"60 2 * * *":          `the minute of "60 2 * * *": "60" is not between 0 and 59`,
		"0 24 * * *":          "the hour of",
		"0 2 0 * *":           "the day of",
		"0 2 * 13 *":          "the month of",
		"0 2 * * 8":           "the weekday of",
		"0 2 * * lun":         `"lun" is not between 0 and 7`,
		"0 5-2 * * *":         "5-2 begins after its end",
		"*/0 * * * *":         `"*/0" is no step`,
		"*/x * * * *":         `"*/x" is no step`,
		"1, * * * *":          `"" is not between`,
		"+1 * * * *":          `"+1" is not between`,
		"0 0 30 2 *":          "never comes",
		"99999999999 * * * *": "is not between",
	} {
		if _, err := ParseCron(schedule); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", schedule, err, want)
		}
	}
}

func TestCronAsEveryCronReadsIt(t *testing.T) {
	for schedule, want := range map[string]string{
		"5/15 * * * *":             "5-59/15 * * * *",
		"0 2/6 10/10 3/3 1/2":      "0 2-23/6 10-31/10 3-12/3 1-7/2",
		"1,5/15,30-40/5 * * * *":   "1,5-59/15,30-40/5 * * * *",
		"0 0 * jan/6 mon/2":        "0 0 * 1-12/6 1-7/2",
		"*/15  2 1-31/2 * mon-fri": "*/15 2 1-31/2 * mon-fri",
	} {
		cron, err := ParseCron(schedule)
		if err != nil {
			t.Fatal(err)
		}
		if cron.String() != want {
			t.Errorf("%s: %s, want %s", schedule, cron, want)
		}
		again, err := ParseCron(want)
		if err != nil || again != cron {
			t.Errorf("%s is due at other times than %s: %v", want, schedule, err)
		}
	}
}

func TestCronAsACalendar(t *testing.T) {
	for schedule, want := range map[string]string{
		"0 2 * * *":         "*-*-* 02:00:00",
		"*/20 * * * *":      "*-*-* *:00,20,40:00",
		"* * * * *":         "*-*-* *:*:00",
		"30 4 * * 1-5":      "Mon,Tue,Wed,Thu,Fri *-*-* 04:30:00",
		"0 3 * * 7":         "Sun *-*-* 03:00:00",
		"0 3 1,15 6 *":      "*-06-01,15 03:00:00",
		"0 3 1 * fri":       "*-*-01 03:00:00; Fri *-*-* 03:00:00",
		"0 3 */15 * fri":    "Fri *-*-01,16,31 03:00:00",
		"0 3 1 * 0-6":       "*-*-01 03:00:00; Sun,Mon,Tue,Wed,Thu,Fri,Sat *-*-* 03:00:00",
		"15 1-3 * jan,12 *": "*-01,12-* 01,02,03:15:00",
	} {
		cron, err := ParseCron(schedule)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(cron.Calendar(), "; "); got != want {
			t.Errorf("%s: %s, want %s", schedule, got, want)
		}
	}
}

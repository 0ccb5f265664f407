package widget

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"binnacle/ops"
	"binnacle/ops/logs"
	"binnacle/ui/kit"
	"binnacle/ui/theme"
)

var (
	logStart = time.Date(2026, 11, 23, 14, 2, 11, 250e6, time.UTC)
	logTheme = theme.New(theme.Options{Dark: true})
	web1     = &logs.Source{Container: ops.ContainerID{Host: "web-1", ID: "a"}, Role: "web"}
	web2     = &logs.Source{Container: ops.ContainerID{Host: "web-2", ID: "b"}, Role: "web"}
	job1     = &logs.Source{Container: ops.ContainerID{Host: "job-1", ID: "c"}, Role: "job"}
)

func logFrame(r *logs.Ring, w, h int) LogFrame {
	return LogFrame{
		View: r.View(), Sources: []*logs.Source{web1, web2, job1}, Width: w, Height: h,
		Theme: logTheme,
	}
}

func logText(text string) logs.Line {
	return logs.Line{At: logStart, Source: web1, Text: logs.Clean(text), Level: logs.DetectLevel(text)}
}

func numbered(from, to int) []logs.Line {
	var out []logs.Line
	for i := from; i < to; i++ {
		out = append(out, logText(fmt.Sprintf("n%04d", i)))
	}
	return out
}

func bare(l *LogList) string {
	var out []string
	for _, line := range l.Lines() {
		out = append(out, strings.TrimRight(ansi.Strip(line), " "))
	}
	return strings.Join(out, "\n")
}

// short are the last words of the rows: the numbers of numbered lines.
func short(l *LogList) string {
	var out []string
	for _, line := range l.Lines() {
		words := strings.Fields(ansi.Strip(line))
		out = append(out, words[len(words)-1])
	}
	return strings.Join(out, " ")
}

func wantRows(t *testing.T, l *LogList, want string) {
	t.Helper()
	if got := short(l); got != want {
		t.Errorf("rows %q, want %q", got, want)
	}
}

func TestLogListFrame(t *testing.T) {
	r := logs.NewRing(0)
	second := func(n int) time.Time { return logStart.Add(time.Duration(n) * time.Second) }
	r.Append(
		logs.Line{At: second(0), Source: web1, Text: "INFO  GET /patients 200 38ms", Level: logs.LevelInfo},
		logs.Line{At: second(0), Source: job1, Text: "SyncJob done 1.2s"},
		logs.Line{At: second(1), Source: web2, Text: "slow query\t412ms 日本語", Level: logs.LevelWarn},
		logs.Line{At: second(0), Source: web2, Text: "came after", Late: true},
		logs.Line{At: second(2), Source: web1, Text: "ERROR: no route for a very long path that does not fit here", Level: logs.LevelError},
	)
	for _, c := range []struct {
		name string
		w    int
		look LogLook
		want string
	}{
		{"cut", 60, LogLook{}, `
14:02:11 web-1 web INFO  GET /patients 200 38ms
14:02:11 job-1 job       SyncJob done 1.2s
14:02:12 web-2 web WARN  slow query 412ms 日本語
14:02:11 web-2 web       (late) came after
14:02:13 web-1 web ERROR no route for a very long path that…`},
		{"wrapped", 60, LogLook{Wrap: true}, `
14:02:11 job-1 job       SyncJob done 1.2s
14:02:12 web-2 web WARN  slow query 412ms 日本語
14:02:11 web-2 web       (late) came after
14:02:13 web-1 web ERROR no route for a very long path that
                         does not fit here`},
		{"full times", 70, LogLook{Times: FullTimes}, `
11-23 14:02:11.250 web-1 web INFO  GET /patients 200 38ms
11-23 14:02:11.250 job-1 job       SyncJob done 1.2s
11-23 14:02:12.250 web-2 web WARN  slow query 412ms 日本語
11-23 14:02:11.250 web-2 web       (late) came after
11-23 14:02:13.250 web-1 web ERROR no route for a very long path that…`},
		{"narrow keeps the host", 30, LogLook{}, `
web-1 INFO  GET /patients 200…
job-1 SyncJob done 1.2s
web-2 slow query 412ms 日本語
web-2 (late) came after
web-1 ERROR: no route for a v…`},
		{"plain", 40, LogLook{Plain: true, Times: NoTimes}, `
INFO  GET /patients 200 38ms
SyncJob done 1.2s
slow query 412ms 日本語
(late) came after
ERROR: no route for a very long path th…`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var l LogList
			l.Sync(logFrame(r, c.w, 5))
			l.SetLook(c.look)
			if got := bare(&l); got != strings.TrimPrefix(c.want, "\n") {
				t.Errorf("got\n%s\nwant%s", got, c.want)
			}
		})
	}
}

func TestLogListFollowsAndStays(t *testing.T) {
	r := logs.NewRing(0)
	r.Append(numbered(0, 10)...)
	var l LogList
	l.Sync(logFrame(r, 60, 3))
	wantRows(t, &l, "n0007 n0008 n0009")
	r.Append(numbered(10, 11)...)
	l.Sync(logFrame(r, 60, 3))
	wantRows(t, &l, "n0008 n0009 n0010")
	l.Move(kit.Up)
	if l.Following() {
		t.Error("going up must stop following")
	}
	r.Append(numbered(11, 20)...)
	l.Sync(logFrame(r, 60, 3))
	wantRows(t, &l, "n0007 n0008 n0009")
	if l.Below() != 10 {
		t.Errorf("below = %d, want 10", l.Below())
	}
	l.By(1000)
	wantRows(t, &l, "n0017 n0018 n0019")
	if !l.Following() {
		t.Error("reaching the end must go on following")
	}
	l.Move(kit.Top)
	wantRows(t, &l, "n0000 n0001 n0002")
	l.Move(kit.PageDown)
	wantRows(t, &l, "n0002 n0003 n0004")
	l.Move(kit.Bottom)
	wantRows(t, &l, "n0017 n0018 n0019")
}

// Whatever is appended and dropped, the line that is read stays at the top
// until it is dropped itself; then the oldest one is.
func TestLogListTrimmingNeverJumps(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for _, wrap := range []bool{false, true} {
		r := logs.NewRing(60 << 10)
		var l LogList
		n := 0
		add := func(count int) {
			for range count {
				r.Append(logText(fmt.Sprintf("n%06d ", n) + strings.Repeat("x ", random.IntN(80))))
				n++
			}
			l.Sync(logFrame(r, 60, 10))
		}
		add(200)
		l.SetLook(LogLook{Wrap: wrap})
		l.By(-40)
		for range 200 {
			before := l.top
			add(random.IntN(30))
			want := before
			if first := r.View().First(); want.seq < first {
				want = anchor{seq: first}
			}
			if l.top != want {
				t.Fatalf("wrap %v: top went from %v to %v, want %v", wrap, before, l.top, want)
			}
			if random.IntN(4) == 0 {
				l.By(random.IntN(11) - 8)
				l.loose = true
			}
		}
	}
}

func TestLogListFilterKeepsThePlace(t *testing.T) {
	r := logs.NewRing(0)
	for i := range 100 {
		r.Append(logText(fmt.Sprintf("%s n%04d", []string{"odd", "even"}[i%2], i)))
	}
	var l LogList
	l.Sync(logFrame(r, 60, 3))
	l.Move(kit.Top)
	l.By(50)
	l.Filter(logs.ParseQuery("even"))
	wantRows(t, &l, "n0051 n0053 n0055")
	r.Append(logText("even n0100"), logText("odd n0101"))
	l.Sync(logFrame(r, 60, 3))
	wantRows(t, &l, "n0051 n0053 n0055")
	l.Move(kit.Bottom)
	wantRows(t, &l, "n0097 n0099 n0100")
	if n := len(l.All()); n != 51 {
		t.Errorf("%d lines pass, want 51", n)
	}
	l.Filter(logs.ParseQuery("!even"))
	wantRows(t, &l, "n0096 n0098 n0101")
	l.Filter(logs.ParseQuery("nowhere"))
	if len(l.Lines()) != 0 || l.Len() != 0 {
		t.Error("nothing matches, and something is shown")
	}
	l.Filter(logs.Query{})
	wantRows(t, &l, "n0099 n0100 n0101")
}

func TestLogListScansStepByStep(t *testing.T) {
	r := logs.NewRing(64 << 20)
	for i := range 2*scanBudget + 10 {
		r.Append(logText(fmt.Sprintf("n%d", i)))
	}
	var l LogList
	l.Sync(logFrame(r, 60, 3))
	l.Filter(logs.ParseQuery("n7"))
	steps := 0
	for !l.Sync(logFrame(r, 60, 3)) {
		steps++
	}
	if steps == 0 || steps > 5 {
		t.Errorf("took %d more steps", steps)
	}
}

func TestLogListSearchInContext(t *testing.T) {
	r := logs.NewRing(0)
	for i := range 100 {
		text := fmt.Sprintf("n%04d", i)
		if i%25 == 10 {
			text = "boom " + text
		}
		r.Append(logText(text))
	}
	var l LogList
	l.Sync(logFrame(r, 60, 5))
	l.Search(logs.ParseQuery("boom"))
	if l.Matches() != 4 {
		t.Errorf("%d matches, want 4", l.Matches())
	}
	if !l.Next(false) {
		t.Fatal("there is a match above")
	}
	wantRows(t, &l, "n0083 n0084 n0085 n0086 n0087")
	if !strings.Contains(l.Lines()[2], logTheme.On(theme.Match, theme.Text, "boom")) {
		t.Error("the match is not highlighted")
	}
	l.Next(false)
	wantRows(t, &l, "n0058 n0059 n0060 n0061 n0062")
	l.Next(true)
	wantRows(t, &l, "n0083 n0084 n0085 n0086 n0087")
	if l.Next(true) {
		t.Error("there is no match further down")
	}
	if l.Following() {
		t.Error("reading a match is not following")
	}
}

func TestLogListPicks(t *testing.T) {
	r := logs.NewRing(0)
	r.Append(numbered(0, 20)...)
	r.Append(logText(strings.Repeat("long ", 100)))
	var l LogList
	l.Sync(logFrame(r, 60, 5))
	if l.Picked() != nil {
		t.Error("nothing is selected yet")
	}
	l.Pick()
	for range 7 {
		l.Move(kit.Up)
	}
	picked := l.Picked()
	if len(picked) != 8 || picked[0].Text != "n0013" || len(picked[7].Text) < 400 {
		t.Errorf("picked %d lines, first %q", len(picked), picked[0].Text)
	}
	if !l.PickAt(0) || l.PickAt(5) || len(l.Picked()) != 1 {
		t.Error("a click selects the line it hits and nothing else")
	}
	if !l.Unpick() || l.Unpick() {
		t.Error("a selection is taken away once")
	}
}

func TestLogListMarks(t *testing.T) {
	r := logs.NewRing(0)
	r.Append(numbered(0, 5)...)
	var l LogList
	l.Sync(logFrame(r, 40, 4))
	l.Mark(logStart)
	r.Append(numbered(5, 6)...)
	l.Sync(logFrame(r, 40, 4))
	want := "web-1 n0003\nweb-1 n0004\n── marked 14:02:11 ─────────────────────\nweb-1 n0005"
	if got := strings.ReplaceAll(bare(&l), "14:02:11 web-1 web", "web-1"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	l.Move(kit.Up)
	l.Mark(logStart)
	if got := bare(&l); strings.Contains(got, "marked") {
		t.Errorf("a second mark at the same line takes it away:\n%s", got)
	}
	l.Mark(logStart)
	if rows := l.Lines(); !strings.Contains(rows[3], "marked") {
		t.Errorf("a new mark is on screen:\n%s", bare(&l))
	}
}

func TestLogListSlides(t *testing.T) {
	r := logs.NewRing(0)
	r.Append(logText("0123456789abcdefghijklmnopqrstuvwxyz"))
	var l LogList
	l.Sync(logFrame(r, 12, 1))
	l.SetLook(LogLook{Plain: true, Times: NoTimes})
	for _, want := range []string{"0123456789a…", "89abcdefghi…", "ghijklmnopq…", "opqrstuvwxyz", "wxyz", "z"} {
		if got := bare(&l); got != want {
			t.Errorf("shows %q, want %q", got, want)
		}
		l.Move(kit.Right)
	}
	for range 10 {
		l.Move(kit.Left)
	}
	if got := bare(&l); got != "0123456789a…" {
		t.Errorf("back at the left: %q", got)
	}
}

var nasty = []string{
	"plain text", "", "\ttabs\there\t", "\x1b[31mred\x1b[0m \x1b]0;t\x07", "日本語のログ行 " + "漢字", "👩‍🚀👨‍👩‍👧‍👦 family 🏳️‍🌈",
	"e\u0301 combining \u0300\u0301\u0302", "\u202eright to left", "\u200b\u200d\ufe0f joiners", "a\x00b\x07c\x7fd", "\xff\xfe broken",
	"🇩🇪🇫🇷 flags", "ﷺ ﷽ wide ligature", strings.Repeat("wide 漢字 ", 60), strings.Repeat("x", 9000), "☃️ ✔️ ❤️", "קרא مرحبا",
	`{"level":"error","msg":"json"}`, strings.Repeat("ก็", 40), "한국어 \u1112\u1161\u11ab",
}

// themes are made once: making one takes long under the race detector.
var themes = []theme.Theme{
	theme.New(theme.Options{Dark: true}), theme.New(theme.Options{ASCII: true}), theme.New(theme.Options{NoColor: true}),
	theme.New(theme.Options{ASCII: true, NoColor: true}),
}

// Whatever the text, the size and the look: never more rows than asked for,
// none wider than the window.
func TestLogListExactSize(t *testing.T) {
	random := rand.New(rand.NewPCG(8, 9))
	r := logs.NewRing(0)
	for i := range 80 {
		l := logText(nasty[random.IntN(len(nasty))] + nasty[random.IntN(len(nasty))])
		l.Source = []*logs.Source{web1, web2, job1}[i%3]
		l.Late = i%17 == 0
		r.Append(l)
	}
	for i := range 60 {
		w, h := 1+random.IntN(210), 1+random.IntN(60)
		var l LogList
		l.SetLook(LogLook{Wrap: random.IntN(2) == 0, Times: LogTimes(random.IntN(3)), Plain: random.IntN(3) == 0})
		frame := logFrame(r, w, h)
		frame.Theme = themes[i%len(themes)]
		l.Sync(frame)
		for range 6 {
			switch random.IntN(8) {
			case 0:
				l.Search(logs.ParseQuery([]string{"a", "漢", "x", "[aeiou]"}[random.IntN(4)]))
			case 1:
				l.Filter(logs.ParseQuery([]string{"", "a", "!x"}[random.IntN(3)]))
			case 2:
				l.Mark(logStart)
			case 3:
				l.Pick()
			case 4:
				l.Next(random.IntN(2) == 0)
			default:
				l.Move([]kit.Action{kit.Up, kit.PageUp, kit.Top, kit.Bottom, kit.Right, kit.HalfDown, kit.Left}[random.IntN(7)])
			}
		}
		rows := l.Lines()
		if len(rows) > h || l.Len() >= h && len(rows) != h {
			t.Fatalf("%dx%d: %d rows of %d lines", w, h, len(rows), l.Len())
		}
		for _, row := range rows {
			if got := ansi.StringWidth(row); got > w || strings.ContainsAny(row, "\n\t") {
				t.Fatalf("%dx%d: row of %d cells: %q", w, h, got, row)
			}
		}
	}
}

func TestLogListNothing(t *testing.T) {
	var l LogList
	for _, a := range []kit.Action{kit.Up, kit.Down, kit.PageUp, kit.Top, kit.Bottom, kit.Left, kit.Right} {
		l.Move(a)
	}
	l.Mark(logStart)
	l.Pick()
	l.Next(true)
	l.Sync(LogFrame{})
	if len(l.Lines()) != 0 || l.Below() != 0 || l.Picked() != nil {
		t.Error("nothing is there, and something is shown")
	}
}

func manyLines(n int) *logs.Ring {
	r := logs.NewRing(256 << 20)
	for i := range n {
		l := logText(fmt.Sprintf("INFO GET /patients/%d HTTP/1.1 200 38ms rid=5f1c%06d user=ana tenant=clinic-7 db=12.1ms view=8.2ms", i, i))
		l.Source = []*logs.Source{web1, web2, job1}[i%3]
		r.Append(l)
	}
	return r
}

func BenchmarkLogList(b *testing.B) {
	r := manyLines(100_000)
	for _, c := range []struct {
		name string
		look LogLook
	}{{"cut", LogLook{}}, {"wrapped", LogLook{Wrap: true}}} {
		b.Run(c.name+"/same frame", func(b *testing.B) {
			var l LogList
			l.SetLook(c.look)
			for b.Loop() {
				l.Sync(logFrame(r, 200, 50))
				l.Lines()
			}
		})
		b.Run(c.name+"/new frame", func(b *testing.B) {
			var l LogList
			l.SetLook(c.look)
			l.Sync(logFrame(r, 200, 50))
			l.Move(kit.Top)
			for b.Loop() {
				l.By(50)
				l.Sync(logFrame(r, 200, 50))
				l.Lines()
			}
		})
	}
	b.Run("one more line each", func(b *testing.B) {
		var l LogList
		for b.Loop() {
			r.Append(logText("INFO one more"))
			l.Sync(logFrame(r, 200, 50))
			l.Lines()
		}
	})
	b.Run("first search", func(b *testing.B) {
		for b.Loop() {
			var l LogList
			l.Sync(logFrame(r, 200, 50))
			l.Search(logs.ParseQuery("patients/99"))
			l.Next(false)
			l.Lines()
		}
	})
}

package docker

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/jsonstream"

	"binnacle/ops"
)

func TestPullFold(t *testing.T) {
	msg := func(id, status string, figures ...int64) jsonstream.Message {
		m := jsonstream.Message{ID: id, Status: status}
		if len(figures) == 2 {
			m.Progress = &jsonstream.Progress{Current: figures[0], Total: figures[1]}
		}
		return m
	}
	steps := []struct {
		message jsonstream.Message
		want    ops.Progress
	}{
		{msg("v1", "Pulling from shop"), ops.Progress{Text: "Pulling from shop"}},
		{msg("a", "Already exists"), ops.Progress{Text: "pulled, 1 of 1 layers"}},
		{msg("b", "Pulling fs layer"), ops.Progress{Text: "downloading, 1 of 2 layers"}},
		{msg("c", "Pulling fs layer"), ops.Progress{Text: "downloading, 1 of 3 layers"}},
		{msg("c", "Waiting"), ops.Progress{Text: "downloading, 1 of 3 layers"}},
		{msg("b", "Downloading", 40, 100), ops.Progress{Done: 40, Text: "downloading, 1 of 3 layers"}},
		{msg("c", "Downloading", 5, 50), ops.Progress{Done: 45, Total: 150, Text: "downloading, 1 of 3 layers"}},
		{msg("b", "Retrying in 2 seconds"), ops.Progress{Done: 45, Total: 150, Text: "downloading, 1 of 3 layers"}},
		{msg("b", "Downloading", 1, 100), ops.Progress{Done: 45, Total: 150, Text: "downloading, 1 of 3 layers"}},
		{msg("b", "Downloading", 90, 100), ops.Progress{Done: 95, Total: 150, Text: "downloading, 1 of 3 layers"}},
		{msg("b", "Download complete"), ops.Progress{Done: 105, Total: 150, Text: "downloading, 1 of 3 layers"}},
		{msg("d", "Pulling fs layer"), ops.Progress{Done: 105, Text: "downloading, 1 of 4 layers"}},
		{msg("d", "Download complete"), ops.Progress{Done: 105, Total: 150, Text: "downloading, 1 of 4 layers"}},
		{msg("c", "Verifying Checksum"), ops.Progress{Done: 150, Total: 150, Text: "downloading, 1 of 4 layers"}},
		{msg("b", "Extracting", 50, 100), ops.Progress{Done: 150, Total: 150, Text: "extracting, 1 of 4 layers"}},
		{msg("b", "Pull complete"), ops.Progress{Done: 150, Total: 150, Text: "downloading, 2 of 4 layers"}},
		{msg("c", "Extracting", 50, 50), ops.Progress{Done: 150, Total: 150, Text: "extracting, 2 of 4 layers"}},
		{msg("c", "Pull complete"), ops.Progress{Done: 150, Total: 150, Text: "downloading, 3 of 4 layers"}},
		{msg("d", "Pull complete"), ops.Progress{Done: 150, Total: 150, Text: "pulled, 4 of 4 layers"}},
		{msg("", "Digest: sha256:1"), ops.Progress{Done: 150, Total: 150, Text: "pulled, 4 of 4 layers"}},
	}
	fold := newPullFold()
	for i, s := range steps {
		s.want.Unit = "bytes"
		if got := fold.add(s.message); got != s.want {
			t.Fatalf("step %d, %s %s:\n got %+v\nwant %+v", i, s.message.ID, s.message.Status, got, s.want)
		}
	}
}

func TestParseStatus(t *testing.T) {
	for text, want := range map[string]status{
		"Up 5 minutes":                       {},
		"Up 5 minutes (healthy)":             {health: "healthy"},
		"Up 2 seconds (health: starting)":    {health: "starting"},
		"Up About an hour (unhealthy)":       {health: "unhealthy"},
		"Up 2 hours (Paused)":                {},
		"Exited (137) 2 hours ago":           {exitCode: 137},
		"Restarting (1) Less than a second ": {exitCode: 1},
		"Created":                            {},
		"Dead (":                             {},
	} {
		if got := parseStatus(text); got != want {
			t.Errorf("%q gives %+v", text, got)
		}
	}
}

func TestPortLines(t *testing.T) {
	any4, any6 := netip.MustParseAddr("0.0.0.0"), netip.MustParseAddr("::")
	got := portLines([]container.PortSummary{
		{IP: any6, PrivatePort: 80, PublicPort: 80, Type: "tcp"},
		{IP: any4, PrivatePort: 443, PublicPort: 443, Type: "tcp"},
		{IP: any4, PrivatePort: 80, PublicPort: 80, Type: "tcp"},
		{PrivatePort: 3000, Type: "tcp"},
		{PrivatePort: 3001, Type: "tcp"},
		{PrivatePort: 3001, Type: "udp"},
		{IP: any4, PrivatePort: 9001, PublicPort: 7001, Type: "tcp"},
		{IP: any4, PrivatePort: 9002, PublicPort: 7002, Type: "tcp"},
	})
	want := []string{"3000-3001/tcp", "3001/udp", "0.0.0.0:80->80/tcp", "0.0.0.0:443->443/tcp", "0.0.0.0:7001-7002->9001-9002/tcp", "[::]:80->80/tcp"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestReadLog(t *testing.T) {
	const at1, at2 = "2026-01-02T03:04:05.000000001Z ", "2026-01-02T03:04:06Z "
	frame := func(stream byte, text string) string {
		header := make([]byte, 8)
		header[0] = stream
		binary.BigEndian.PutUint32(header[4:], uint32(len(text)))
		return string(header) + text
	}
	for _, test := range []struct {
		name, in string
		want     []string
		fails    string
	}{
		{name: "nothing"},
		{name: "both streams", in: frame(1, at1+"one\n") + frame(2, at2+"two\n"), want: []string{"5 out one", "6 err two"}},
		{name: "a long line in pieces", in: frame(1, at1+"be") + frame(2, at2+"other\n") + frame(1, at2+"gin\n"), want: []string{"6 err other", "5 out begin"}},
		{name: "no last line end", in: frame(1, at1+"end"), want: []string{"5 out end"}},
		{name: "an empty line", in: frame(1, at1+"\n") + frame(1, at2+"x\n"), want: []string{"5 out ", "6 out x"}},
		{name: "a stamp in the text", in: frame(1, at1+at2+"x\n"), want: []string{"5 out " + at2 + "x"}},
		{name: "cut in a header", in: frame(1, at1+"one\n") + "\x01\x00", want: []string{"5 out one"}},
		{name: "cut in a frame", in: frame(1, at1+"one\n") + frame(1, at1+"two")[:20], want: []string{"5 out one"}},
		{name: "the engine's own error", in: frame(1, at1+"one\n") + frame(3, "disk trouble\n"), want: []string{"5 out one"}, fails: "disk trouble"},
		{name: "garbage", in: "\x01\x00\x00\x00\xff\xff\xff\xff", fails: "damaged"},
		{name: "a terminal", in: at1 + "one\r\n" + at2 + "two\r\n", want: []string{"5 out one", "6 out two"}},
		{name: "a terminal without end", in: at1 + "$ ", want: []string{"5 out $ "}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			err := readLog(strings.NewReader(test.in), func(l LogLine) {
				got = append(got, l.At.Format("5")+" "+string(l.Stream)+" "+l.Text)
			})
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q", got)
			}
			if (err == nil) != (test.fails == "") || err != nil && !strings.Contains(err.Error(), test.fails) {
				t.Errorf("fails with %v", err)
			}
		})
	}
}

func TestEndlessLineComesInPieces(t *testing.T) {
	long := bytes.Repeat([]byte{'x'}, 5*longestLine/2)
	var sizes []int
	err := readText(bufio.NewReader(bytes.NewReader(long)), func(l LogLine) { sizes = append(sizes, len(l.Text)) })
	sum := 0
	for _, n := range sizes {
		sum += n
	}
	if err != nil || len(sizes) != 3 || sum != len(long) {
		t.Errorf("pieces of %v, %v", sizes, err)
	}
}

func TestSampled(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	stats := func(after time.Duration, used uint64, memory map[string]uint64) Sample {
		s := container.StatsResponse{Read: at.Add(after)}
		s.CPUStats.CPUUsage.TotalUsage = used
		s.MemoryStats = container.MemoryStats{Usage: 1000, Limit: 5000, Stats: memory}
		return sampled(&s)
	}
	v1 := stats(0, 10e9, map[string]uint64{"total_inactive_file": 300, "inactive_file": 20})
	v2 := stats(2*time.Second, 15e9, map[string]uint64{"inactive_file": 100})
	if v1.Memory != 700 || v2.Memory != 900 || v2.Limit != 5000 {
		t.Errorf("memory %d and %d of %d", v1.Memory, v2.Memory, v2.Limit)
	}
	if bogus := stats(0, 0, map[string]uint64{"inactive_file": 4000}); bogus.Memory != 1000 {
		t.Errorf("cache larger than use gives %d", bogus.Memory)
	}
	if percent, ok := v2.CPUSince(v1); !ok || percent != 250 {
		t.Errorf("5 s of processor in 2 s are %v %%", percent)
	}
	for name, pair := range map[string][2]Sample{"restarted": {v1, v2}, "same moment": {v1, v1}, "none": {v1, {}}} {
		if _, ok := pair[0].CPUSince(pair[1]); ok {
			t.Error(name, "compares")
		}
	}
}

func TestOwnName(t *testing.T) {
	if got := ownName([]string{"/web/db", "/shop-db"}); got != "shop-db" {
		t.Errorf("got %q", got)
	}
	if got := named([]string{"<none>:<none>", "a:1"}); !reflect.DeepEqual(got, []string{"a:1"}) {
		t.Errorf("got %q", got)
	}
}

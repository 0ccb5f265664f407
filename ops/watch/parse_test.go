package watch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"binnacle/ops"
)

const systemOutput = `93784.51 180211.04
0.42 0.31 0.25 2/345 67890
MemTotal:        4018364 kB
MemFree:          311264 kB
MemAvailable:    2903912 kB
Buffers:           91204 kB
Cached:          2420780 kB
HugePages_Total:       0
2
Filesystem     1024-blocks     Used Available Capacity Mounted on
/dev/vda1         40470732 12345678  26034254      33% /
`

func TestParseSystem(t *testing.T) {
	got, ok := parseSystem(systemOutput)
	want := ops.SystemFacts{
		Uptime: 93784510 * time.Millisecond, Load: 0.42, CPUs: 2, MemTotal: 4018364 << 10, MemUsed: (4018364 - 2903912) << 10,
		DiskTotal: 40470732 << 10, DiskUsed: 12345678 << 10,
	}
	if !ok || got != want {
		t.Errorf("got %+v, %v", got, ok)
	}
	old := strings.Replace(systemOutput, "MemAvailable:", "MemOther:", 1)
	if got, _ := parseSystem(old); got.MemUsed != (4018364-311264-91204-2420780)<<10 {
		t.Errorf("an old kernel uses %d", got.MemUsed)
	}
	for _, junk := range []string{"", "sh: cat: not found\n", "NaN NaN\nMemTotal: 9 kB\n", "-5 1\n"} {
		if got, ok := parseSystem(junk); ok {
			t.Errorf("%q gives %+v", junk, got)
		}
	}
}

func TestParseRoutes(t *testing.T) {
	plain := "Service     Host    Path       Target              State    TLS  \n" +
		"shop-web    *       /api,/v2   0123456789ab:3000   paused   no   \n" +
		"shop-admin          /          cdef01234567:80     stopped  yes  \n"
	for _, test := range []struct {
		name, table string
		want        []ops.Route
	}{
		{"colours", proxyTable, []ops.Route{{
			Service: "shop-web", Hosts: []string{"a.test", "b.test"}, Paths: []string{"/"},
			Targets: []string{"0123456789ab:3000", "cdef01234567:3000"}, State: "running", TLS: true,
		}}},
		{"any host and none", plain, []ops.Route{
			{Service: "shop-web", Paths: []string{"/api", "/v2"}, Targets: []string{"0123456789ab:3000"}, State: "paused"},
			{Service: "shop-admin", Paths: []string{"/"}, Targets: []string{"cdef01234567:80"}, State: "stopped", TLS: true},
		}},
		{"no services", "Service  Host  Path  Target  State  TLS  \n", nil},
		{"an error", "Error: no socket\n", nil},
		{"nothing", "", nil},
		{"cut short", "Service  Host  Path\nshop-web", []ops.Route{{Service: "shop-web"}}},
	} {
		if got := ops.ParseRoutes(test.table); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %+v", test.name, got)
		}
	}
}

func TestReason(t *testing.T) {
	told := func(cause error) error { return &ops.Error{Host: "vm1", Command: "docker version", Cause: cause} }
	for _, test := range []struct {
		err  error
		want string
	}{
		{told(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}), "dial: refused"},
		{told(&net.DNSError{Name: "vm1"}), "dial: unknown host"},
		{told(syscall.EHOSTUNREACH), "dial: no route"},
		{told(context.DeadlineExceeded), "timed out"},
		{fmt.Errorf("reading: %w", io.ErrUnexpectedEOF), "connection lost"},
		{told(errors.New("the moon is in the way")), "the moon is in the way"},
		{errors.New(strings.Repeat("long ", 50) + "\nmore"), strings.Repeat("long ", 50)[:59] + "…"},
	} {
		if got := (Options{}).reason(test.err); got != test.want {
			t.Errorf("%v: %q", test.err, got)
		}
	}
	ours := Options{Reason: func(error) string { return "host key changed" }}
	if got := ours.reason(io.EOF); got != "host key changed" {
		t.Errorf("got %q", got)
	}
}

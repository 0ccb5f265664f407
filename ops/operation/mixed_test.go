package operation_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"binnacle/ops"
	"binnacle/ops/opstest"
)

// A group that fails leaves hosts on different versions. All of them are told,
// those of groups that were never reached as well.
func TestAFailedLaterGroupIsToldWithTheVersionOfEveryHost(t *testing.T) {
	b := newBench(t, with("boot: { limit: 1 }"))
	b.in.AskedVersion = "v3"
	b.world.On("vm2", "^docker run", opstest.Reply{Err: &ops.ExitError{Host: "vm2", Code: 125, Output: "no space left on device"}})
	task := b.start(b.plan("app boot"), nil)
	if task.Status != ops.Failed || !strings.HasPrefix(texts(task.Errors)[0], "vm2: docker run") {
		t.Fatalf("%s: %v", task.Status, texts(task.Errors))
	}
	want := []ops.Serving{{Role: "web", Host: "vm1", Version: "v3"}, {Role: "web", Host: "vm2", Version: "v2"}, {Role: "job", Host: "vm3", Version: "v2"}}
	if !slices.Equal(task.Serving, want) {
		t.Errorf("serving %+v\nwant    %+v", task.Serving, want)
	}
}

// Whatever fails on the host that decides, before its container runs too, the
// others do not wait for it: they end, with nothing started.
func TestAnyFailureOfTheGateClosesIt(t *testing.T) {
	for name, fail := range map[string]func(b *bench, host string){
		"the listing": func(b *bench, host string) { b.failing(host, "^docker ps --all") },
		"the rename": func(b *bench, host string) {
			b.add(host, b.cfg.Role("web"), "v3", "exited")
			b.failing(host, "^docker rename")
		},
		"the audit":     func(b *bench, host string) { b.failing(host, "Booted app version") },
		"the upload":    func(b *bench, host string) { b.failing(host, "^upload ") },
		"the container": func(b *bench, host string) { b.failing(host, "^docker run ") },
		"the switch":    func(b *bench, host string) { b.failing(host, "kamal-proxy deploy") },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := newBench(t, demoConfig).cfg
			synctest.Test(t, func(t *testing.T) {
				b := newBenchOf(t, cfg)
				b.in.AskedVersion = "v3"
				fail(b, "vm1")
				fail(b, "vm2")
				task := b.start(b.plan("app boot"), nil) // waiting for ever would be a deadlock here
				if task.Status != ops.Failed || !strings.Contains(strings.Join(texts(task.Errors), "\n"), "job was not booted, because the first container failed on vm") {
					t.Errorf("%s: %v", task.Status, texts(task.Errors))
				}
				if got := b.running("vm3", "job"); !slices.Equal(got, []string{"shop-job-v2"}) || b.has("vm3", "shop-job-v3") {
					t.Errorf("vm3 runs %v", got)
				}
			})
		})
	}
}

// Helpers

// failing makes what matches fail on a host.
func (b *bench) failing(host, pattern string) {
	b.world.On(host, pattern, opstest.Reply{Answer: func(context.Context, string) (string, error) {
		return "", &ops.ExitError{Host: host, Code: 1, Output: "planted failure"}
	}})
}

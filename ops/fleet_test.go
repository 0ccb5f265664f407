package ops_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"binnacle/ops"
	"binnacle/ops/command"
)

// hostWith is a host with app containers written as `role version state age image`,
// and the latest tag on an image.
func hostWith(name, latest string, containers ...string) ops.Host {
	h := ops.Host{Name: name}
	for i, text := range containers {
		var role, version, state, image string
		var age int
		_, _ = fmt.Sscan(text, &role, &version, &state, &age, &image)
		h.Containers = append(h.Containers, ops.Container{
			Host: name, ID: fmt.Sprint(name, i), Name: "shop-" + role + "-" + version, Kind: ops.KindApp, App: "shop",
			Role: role, Version: version, State: state, Created: at(-age), ImageID: image,
		})
	}
	if latest != "" {
		h.Images = []ops.Image{{ID: latest, Tags: []string{"registry/shop:latest"}, Digests: []string{"registry/shop@sha256:digest-of-" + latest}}}
	}
	return h
}

func shopOn(roles map[string][]string, hosts ...ops.Host) ops.Fleet {
	a := ops.App{ID: "shop", Service: "shop", Repository: "registry/shop"}
	for _, role := range []string{"web", "job"} {
		if len(roles[role]) > 0 {
			a.Roles = append(a.Roles, ops.AppRole{Name: role, Hosts: roles[role]})
		}
	}
	f := ops.Fleet{}.WithApp(a)
	for _, h := range hosts {
		f = f.WithHost(h)
	}
	return f
}

func TestCurrent(t *testing.T) {
	tests := []struct {
		name string
		host ops.Host
		want string
	}{
		{"nothing", hostWith("vm1", ""), ""},
		{"stopped ones do not count", hostWith("vm1", "", "web v1 exited 9 i1"), ""},
		{"another role's does not count", hostWith("vm1", "", "job v1 running 9 i1"), ""},
		{"the newest that runs", hostWith("vm1", "", "web v1 running 9 i1", "web v2 running 5 i2", "web v3 exited 1 i3"), "v2"},
		{"restarting counts", hostWith("vm1", "", "web v1 restarting 9 i1"), "v1"},
		{"that of the latest image wins over a newer one", hostWith("vm1", "i1", "web v1 running 9 i1", "web v2 running 5 i2"), "v1"},
		{"the newest of several of the latest image", hostWith("vm1", "i1", "web v1_replaced_a running 9 i1", "web v1 running 5 i1"), "v1"},
	}
	for _, tt := range tests {
		f := shopOn(map[string][]string{"web": {"vm1"}}, tt.host)
		c, ok := f.Current("shop", "web", "vm1")
		if c.Version != tt.want || ok != (tt.want != "") {
			t.Errorf("%s: %q, %v, want %q", tt.name, c.Version, ok, tt.want)
		}
	}
	if _, ok := (ops.Fleet{}).Current("shop", "web", "vm1"); ok {
		t.Error("something is current on an unknown host")
	}
}

func TestRollbackTargets(t *testing.T) {
	two := map[string][]string{"web": {"vm1"}, "job": {"vm2"}}
	tests := []struct {
		name           string
		roles          map[string][]string
		hosts          []ops.Host
		want, previous string
	}{
		{"newest first, the serving one marked", two, []ops.Host{
			hostWith("vm1", "", "web v1 exited 30 i1", "web v2 exited 20 i2", "web v3 running 10 i3"),
			hostWith("vm2", "", "job v1 exited 30 i1", "job v2 exited 20 i2", "job v3 running 10 i3"),
		}, "v3* v2 v1", "v2"},
		{"a version that one place lacks is none", two, []ops.Host{
			hostWith("vm1", "", "web v1 exited 30 i1", "web v2 running 20 i2"), hostWith("vm2", "", "job v2 running 20 i2"),
		}, "v2*", ""},
		{"replaced copies are none", two, []ops.Host{
			hostWith("vm1", "", "web v1_replaced_ab exited 30 i1", "web v2 running 20 i2"), hostWith("vm2", "", "job v1_replaced_cd exited 30 i1", "job v2 running 20 i2"),
		}, "v2*", ""},
		{"mixed: what most recently took over somewhere is undone", two, []ops.Host{
			hostWith("vm1", "", "web v1 exited 30 i1", "web v2 running 20 i2", "web v3 exited 5 i3"), hostWith("vm2", "", "job v1 exited 30 i1", "job v2 exited 20 i2", "job v3 running 5 i3"),
		}, "v3 v2 v1", "v2"},
		{"a deploy that failed everywhere is not the way back", two, []ops.Host{
			hostWith("vm1", "", "web v1 exited 30 i1", "web v2 running 20 i2", "web bad exited 5 i3"), hostWith("vm2", "", "job v1 exited 30 i1", "job v2 running 20 i2", "job bad exited 5 i3"),
		}, "bad v2* v1", "v1"},
		{"images that differ are told", two, []ops.Host{
			hostWith("vm1", "", "web v1 exited 30 i1", "web v2 running 20 i2"), hostWith("vm2", "", "job v1 exited 30 other", "job v2 running 20 i2"),
		}, "v2* v1~", "v1"},
		{"a host that was never seen", two, []ops.Host{hostWith("vm1", "", "web v1 exited 30 i1")}, "", ""},
		{"a digest", map[string][]string{"web": {"vm1"}}, []ops.Host{hostWith("vm1", "i1", "web v1 running 30 i1")}, "v1*=sha256:digest-of-i1", ""},
	}
	for _, tt := range tests {
		f := shopOn(tt.roles, tt.hosts...)
		var got []string
		for _, target := range f.RollbackTargets("shop") {
			text := target.Version
			if target.Serving {
				text += "*"
			}
			if target.Mixed {
				text += "~"
			}
			if target.Digest != "" {
				text += "=" + target.Digest
			}
			got = append(got, text)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: targets %q, want %q", tt.name, got, tt.want)
		}
		if p, ok := f.PreviousVersion("shop"); p.Version != tt.previous || ok != (tt.previous != "") {
			t.Errorf("%s: previous %q, want %q", tt.name, p.Version, tt.previous)
		}
	}
	if got := (ops.Fleet{}).RollbackTargets("shop"); got != nil {
		t.Errorf("an unknown app has targets %v", got)
	}
}

func TestIdentify(t *testing.T) {
	f := ops.Fleet{}.WithApp(ops.App{ID: "shop@staging", Accessories: []ops.AppAccessory{{Name: "db", Service: "shop-db"}}})
	labels := func(pairs ...string) map[string]string {
		out := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			out[pairs[i]] = pairs[i+1]
		}
		return out
	}
	tests := []struct {
		name   string
		labels map[string]string
		want   string
	}{
		{"kamal-proxy", nil, "proxy    "},
		{"shop-web-v1", labels("service", "shop", "role", "web", "destination", ""), "app shop web  v1"},
		{"shop-web-staging-v1", labels("service", "shop", "role", "web", "destination", "staging"), "app shop@staging web  v1"},
		{"shop-web-v1_replaced_ab", labels("service", "shop", "role", "web", "destination", ""), "app shop web  v1_replaced_ab"},
		{"shop-web-v1", labels("service", "shop", "role", "web"), "other    "}, // Kamal always writes the destination
		{"shop-db", labels("service", "shop-db"), "accessory shop@staging  db "},
		{"shop-db", nil, "accessory shop@staging  db "},
		{"nginx", labels("service", "web"), "other    "},
	}
	for _, tt := range tests {
		c := f.Identify(ops.Container{Name: tt.name, Labels: tt.labels, Version: "old", Role: "old"})
		if got := fmt.Sprint(c.Kind, " ", c.App, " ", c.Role, " ", c.Accessory, " ", c.Version); got != tt.want {
			t.Errorf("%s %v: %q, want %q", tt.name, tt.labels, got, tt.want)
		}
	}
}

func TestParseLock(t *testing.T) {
	text := func(message string) string {
		return command.LockDetails{LockedBy: "Ana Maria", At: at(0), Version: "v2", Message: message}.Text()
	}
	tests := []struct {
		name, text string
		alive      bool
		want       string
	}{
		{"by hand", text("moving, please wait"), true, "manual by Ana Maria v2"},
		{"the gem's", text("Automatic deploy lock"), true, "unknown by Ana Maria v2"},
		{"ours, alive", text("Automatic deploy lock (binnacle here pid 42 task 01A)"), true, "live by Ana Maria v2 here/42/01A"},
		{"ours, dead", text("Automatic deploy lock (binnacle here pid 42 task 01A)"), false, "dead by Ana Maria v2 here/42/01A"},
		{"ours, elsewhere", text("Automatic deploy lock (binnacle there pid 42 task 01A)"), true, "unknown by Ana Maria v2 there/42/01A"},
		{"not ours, but alike", text("see (binnacle here pid 42 task 01A) for more"), true, "manual by Ana Maria v2"},
		{"no name", strings.Replace(text("x"), "Ana Maria", "", 1), true, "manual by  v2"},
		{"something else", "hello", true, "unknown by  "},
		{"bare", "", true, "unknown by  bare"},
	}
	for _, tt := range tests {
		l := ops.ParseLockProbe("held\n"+tt.text, "vm1", at(1)).Judged("here", func(pid int) bool { return tt.alive && pid == 42 })
		got := fmt.Sprintf("%s by %s %s", l.Liveness, l.By, l.Version)
		if l.HolderHost != "" {
			got += fmt.Sprintf(" %s/%d/%s", l.HolderHost, l.HolderPID, l.HolderTask)
		}
		if l.Bare {
			got += "bare"
		}
		if got != tt.want || !l.Held || l.Host != "vm1" || !l.SeenAt.Equal(at(1)) {
			t.Errorf("%s: %q %+v, want %q", tt.name, got, l, tt.want)
		}
	}
	for _, free := range []string{"", "\n", "cat: no such file\n"} {
		if l := ops.ParseLockProbe(free, "vm1", at(1)).Judged("here", func(int) bool { return true }); l.Held {
			t.Errorf("%q is a held lock", free)
		}
	}
}

// The table is coloured even when nobody looks; columns are padded.
func TestParseRoutes(t *testing.T) {
	head := "\x1b[3;94mService\x1b[0m   \x1b[3;94mHost\x1b[0m                   \x1b[3;94mPath\x1b[0m     \x1b[3;94mTarget\x1b[0m                           \x1b[3;94mState\x1b[0m    \x1b[3;94mTLS\x1b[0m  \n"
	table := head +
		"\x1b[1;34mshop-web\x1b[0m  \x1b[ma.example,b.example\x1b[0m    \x1b[m/,/api\x1b[0m   \x1b[m0123456789ab:80,aaaaaaaaaaaa:80\x1b[0m  \x1b[mrunning\x1b[0m  \x1b[myes\x1b[0m  \n" +
		"\x1b[1;34mblog-web\x1b[0m  \x1b[m*\x1b[0m                      \x1b[m/\x1b[0m        \x1b[mbbbbbbbbbbbb:3000\x1b[0m                \x1b[mstopped\x1b[0m  \x1b[mno\x1b[0m   \n"
	got := ops.ParseRoutes(table)
	want := "[{shop-web [a.example b.example] [/ /api] [0123456789ab:80 aaaaaaaaaaaa:80] running true} {blog-web [] [/] [bbbbbbbbbbbb:3000] stopped false}]"
	if fmt.Sprint(got) != want {
		t.Errorf("got  %v\nwant %s", got, want)
	}
	for service, id := range map[string]string{"shop-web": "0123456789ab", "blog-web": "bbbbbbbbbbbb", "shop": "", "": ""} {
		if target := ops.TargetOf(got, service); target != id {
			t.Errorf("%q is sent to %q, want %q", service, target, id)
		}
	}
	for _, none := range []string{"", head, "Error: connection refused\n"} {
		if routes := ops.ParseRoutes(none); len(routes) != 0 {
			t.Errorf("%q has routes %v", none, routes)
		}
	}
}

func TestElapsed(t *testing.T) {
	running, ended, never := ops.Task{Started: at(0)}, ops.Task{Started: at(0), Finished: at(2)}, ops.Task{}
	for _, tt := range []struct {
		task ops.Task
		want time.Duration
	}{{running, 5 * time.Minute}, {ended, 2 * time.Minute}, {never, 0}} {
		if got := tt.task.Elapsed(at(5)); got != tt.want {
			t.Errorf("%+v took %s, want %s", tt.task, got, tt.want)
		}
	}
}

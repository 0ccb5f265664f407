package sim

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"regexp"
	"sort"
	"strings"
	"testing"
	"time"
)

// The files under testdata hold what Kamal sent to three real hosts, step by step, and the state that each step
// left there. The simulated hosts are sent the same and must end in the same state.

type goldenStep struct {
	Step     string          `json:"step"`
	Commands []goldenCommand `json:"commands"`
}

type goldenCommand struct {
	Host    string `json:"host"`
	Command string `json:"command"`
	Exit    *int   `json:"exit"`
	Upload  string `json:"upload"`
	Content string `json:"content"`
	Mode    string `json:"mode"`
}

func TestGoldenStories(t *testing.T) {
	for _, story := range []string{"simple", "rich", "commands"} {
		t.Run(story, func(t *testing.T) {
			t.Parallel()
			f := start(t, Options{
				Names: []string{"vm1", "vm2", "vm3"}, Images: goldenImages(), Visitors: -1,
				Clock: NewFastClock(time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC), 40),
			})
			f.registry.user, f.registry.password = "root", "secret"
			var state []byte
			for _, step := range readSteps(t, story) {
				if step.Step == "10-app-logs-n-3" {
					until(t, "the detached command to end", func() bool {
						return f.newest("vm1", "fhirlinebot-web-exec") == noContainer && f.newest("vm2", "fhirlinebot-web-exec") == noContainer
					})
				}
				for _, c := range step.Commands {
					f.replay(t, step.Step, c)
				}
				// A step that changed nothing has no file of its own.
				if data, err := os.ReadFile(path.Join("testdata", story, step.Step+".json")); err == nil {
					state = data
				}
				compareState(t, f, story, step.Step, state)
				if t.Failed() { // what follows would only repeat it
					return
				}
			}
		})
	}
}

// Helpers

func readSteps(t *testing.T, story string) []goldenStep {
	t.Helper()
	file, err := os.Open("testdata/" + story + ".jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var out []goldenStep
	scan := bufio.NewScanner(file)
	scan.Buffer(nil, 4<<20)
	for scan.Scan() {
		var s goldenStep
		if err := json.Unmarshal(scan.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	return out
}

func goldenImages() []Image {
	var out []Image
	app := func(name, version, service string, age int) {
		out = append(out, Image{
			Ref: "registry:5000/" + name + ":" + version, Runs: Serves, Cmd: []string{"/app"}, Ports: []string{"80/tcp"}, Base: name, Size: 10 << 20, Age: time.Duration(age) * time.Minute,
			Labels: map[string]string{"service": service}, Files: map[string]string{"/commit": version + "\n", "/public/assets/common.css": "common\n", "/public/assets/app-" + version + ".css": "/* " + version + " */\n"},
		})
	}
	for i, v := range []string{"v1", "v2", "v3"} {
		app("myapp", v, "fhirlinebot", 30-i)
		app("shop", v, "shop", 30-i)
	}
	app("myapp", "40670a6b593964514389da954b132049b5d02d48", "fhirlinebot", 1)
	app("myapp", "latest", "fhirlinebot", 1)
	return append(out,
		Image{Ref: "registry:5000/postgres:16", Runs: StoresSQL, Cmd: []string{"/start.sh"}, Size: 20 << 20},
		Image{Ref: "registry:5000/busybox:1.36", Cmd: []string{"sh"}, Size: 4 << 20},
		Image{Ref: "basecamp/kamal-proxy:v0.9.2", Runs: Proxies, Cmd: []string{"kamal-proxy", "run"}, Ports: []string{"80/tcp", "443/tcp"}, Size: 30 << 20,
			Env: []string{"HOME=/home/kamal-proxy"}, Labels: map[string]string{"org.opencontainers.image.title": "kamal-proxy"}},
	)
}

const noContainer = "000000000000"

var (
	targetFlag  = regexp.MustCompile(`kamal-proxy deploy (\S+) --target="[0-9a-f]{12}:`)
	replacedHex = regexp.MustCompile(`_replaced_[0-9a-f]{16}`)
	hostHex     = regexp.MustCompile(`(vm\d+)-[0-9a-f]{12}`)
	targetHex   = regexp.MustCompile(`\b[0-9a-f]{12}:(\d+)`)
	stampText   = regexp.MustCompile(`\[?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\]?`)
	colourText  = regexp.MustCompile("\x1b\\[[0-9;]*m")
	shortHex    = regexp.MustCompile(`^[0-9a-f]{12}$`)
)

func normal(s string) string {
	s = replacedHex.ReplaceAllString(s, "_replaced_RANDOM")
	s = hostHex.ReplaceAllString(s, "$1-RANDOM")
	s = targetHex.ReplaceAllString(s, "CONTAINER:$1")
	return stampText.ReplaceAllString(s, "[TIME]")
}

// replay sends one command, or one file, to a host.
func (f *fleetUnderTest) replay(t *testing.T, step string, c goldenCommand) {
	t.Helper()
	if c.Upload != "" {
		if _, errOut, code := f.sshIn(t, c.Host, "cat > "+c.Upload+" && chmod "+c.Mode+" "+c.Upload, c.Content); code != 0 {
			t.Fatalf("%s: uploading %s to %s: %s", step, c.Upload, c.Host, errOut)
		}
		return
	}
	line := strings.Replace(c.Command, " sleep 1", " sleep 30", 1)  // the clock runs fast, and the next step finds it running
	line = strings.Replace(line, "grep 'version'", "grep 'Job'", 1) // the simulated job says other things
	if m := targetFlag.FindStringSubmatch(line); m != nil {         // the container's id is this run's own
		line = targetFlag.ReplaceAllString(line, `kamal-proxy deploy $1 --target="`+f.newest(c.Host, m[1])+`:`)
	}
	out, errOut, code := f.ssh(t, c.Host, line)
	if c.Exit != nil && code != *c.Exit {
		t.Errorf("%s on %s: exit %d, Kamal saw %d: %s\n%s%s", step, c.Host, code, *c.Exit, line, out, errOut)
	}
}

// newest is the short id of the container that was started last for a role or an accessory.
func (f *fleetUnderTest) newest(host, service string) string {
	h := f.byName[host]
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.engine.listLocked() {
		if c.alive() && (c.name == service || strings.HasPrefix(c.name, service+"-")) {
			return c.id[:12]
		}
	}
	return noContainer
}

func compareState(t *testing.T, f *fleetUnderTest, story, step string, data []byte) {
	t.Helper()
	var want map[string]map[string]any
	if err := json.Unmarshal(hostHex.ReplaceAll(data, []byte("$1-RANDOM")), &want); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"vm1", "vm2", "vm3"} {
		got := roundTrip(t, stateOf(f.byName[name]))
		if list, ok := want[name]["networks"].([]any); ok && len(list) == 2 { // "other" was made by hand
			want[name]["networks"] = list[:1]
		}
		if story == "commands" { // recorded in part without the commands that write to it
			for _, side := range []any{want[name]["files"], got["files"]} {
				if files, ok := side.(map[string]any); ok {
					delete(files, "./.kamal/fhirlinebot-audit.log")
				}
			}
		}
		for _, part := range []string{"containers", "files", "images", "networks", "proxy", "volumes"} {
			diff(t, step+" "+name+" "+part, want[name][part], got[part])
		}
	}
}

func roundTrip(t *testing.T, v any) map[string]any {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// diff reports the leaves in which two documents differ.
func diff(t *testing.T, where string, want, got any) {
	t.Helper()
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			break
		}
		for k := range w {
			if _, there := g[k]; !there {
				t.Errorf("%s: %q is missing", where, k)
				continue
			}
			diff(t, where+"/"+k, w[k], g[k])
		}
		for k := range g {
			if _, there := w[k]; !there {
				t.Errorf("%s: %q should not be there", where, k)
			}
		}
		return
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			break
		}
		for i := range w {
			diff(t, fmt.Sprintf("%s[%d]", where, i), w[i], g[i])
		}
		return
	}
	a, _ := json.Marshal(want)
	b, _ := json.Marshal(got)
	if string(a) != string(b) {
		same := 0
		for same < min(len(a), len(b)) && a[same] == b[same] {
			same++
		}
		from := max(0, same-60)
		a, b = a[from:], b[from:]
		t.Errorf("%s:\n want %s\n got  %s", where, a, b)
	}
}

// stateOf describes a host in the form of the recorded states.
func stateOf(h *host) map[string]any {
	h.mu.Lock()
	containers := []map[string]any{}
	for _, c := range h.engine.listLocked() {
		containers = append(containers, containerState(h.engine, c))
	}
	sort.Slice(containers, func(i, j int) bool { return fmt.Sprint(containers[i]["name"]) < fmt.Sprint(containers[j]["name"]) })
	images, networks, volumes := []string{}, []string{}, []string{}
	for ref := range h.engine.tags {
		if !strings.HasPrefix(ref, "postgres") && !strings.HasPrefix(ref, "basecamp") {
			images = append(images, ref)
		}
	}
	for _, n := range h.engine.networksLocked() {
		if n.name != "bridge" && n.name != "host" && n.name != "none" {
			networks = append(networks, n.name)
		}
	}
	for _, v := range h.engine.volumesLocked() {
		volumes = append(volumes, v.name)
	}
	running := h.proxy.container() != nil
	h.mu.Unlock()
	sort.Strings(images)
	table := ""
	if running {
		table = normal(colourText.ReplaceAllString(h.proxy.list(), ""))
	}
	files := map[string]any{}
	collectFiles(h, ".", files)
	return map[string]any{"containers": containers, "images": images, "networks": networks, "volumes": volumes, "proxy": table, "files": files}
}

func containerState(e *engine, c *container) map[string]any {
	v := e.inspect(c)
	env := []string{}
	for _, kv := range v.Config.Env {
		if !strings.HasPrefix(kv, "PATH=") {
			env = append(env, normal(kv))
		}
	}
	sort.Strings(env)
	hostname := "DEFAULT"
	if !shortHex.MatchString(v.Config.Hostname) {
		hostname = normal(v.Config.Hostname)
	}
	networks := map[string][]string{}
	for name, n := range v.NetworkSettings.Networks {
		networks[name] = []string{}
		for _, a := range n.Aliases {
			if !shortHex.MatchString(a) {
				networks[name] = append(networks[name], normal(a))
			}
		}
	}
	binds := append([]string{}, v.HostConfig.Binds...)
	sort.Strings(binds)
	labels := map[string]string{}
	for k, l := range v.Config.Labels {
		labels[k] = normal(l)
	}
	var caps any
	if len(v.HostConfig.CapAdd) > 0 {
		caps = v.HostConfig.CapAdd
	}
	cmd := v.Config.Cmd
	if strings.Join(cmd, " ") == "sleep 30" { // see replay
		cmd = []string{"sleep", "1"}
	}
	return map[string]any{
		"name": normal(strings.TrimPrefix(v.Name, "/")), "state": v.State.Status, "image": v.Config.Image, "cmd": cmd, "entrypoint": v.Config.Entrypoint, "user": v.Config.User, "hostname": hostname,
		"env": env, "labels": labels, "restart": v.HostConfig.RestartPolicy.Name, "binds": binds, "networks": networks, "ports": v.HostConfig.PortBindings, "log": v.HostConfig.LogConfig,
		"memory": v.HostConfig.Memory, "cpus": v.HostConfig.NanoCPUs, "health": v.Config.Healthcheck, "stop_timeout": v.Config.StopTimeout, "cap_add": caps,
	}
}

func collectFiles(h *host, dir string, out map[string]any) {
	list, err := h.files.readDir(path.Join(homeDir, dir))
	if err != nil {
		return
	}
	for _, e := range list {
		name := "./" + path.Join(dir, e.name)
		switch {
		case name == "./.docker" || strings.Contains(name, "data/"):
		case e.dir:
			out[name] = map[string]string{"mode": fmt.Sprintf("d%o", e.mode)}
			collectFiles(h, path.Join(dir, e.name), out)
		default:
			text, _ := h.files.readFile(path.Join(homeDir, dir, e.name))
			out[name] = map[string]string{"mode": fmt.Sprintf("%o", e.mode), "content": normal(string(text[:min(len(text), 4000)]))}
		}
	}
}

package operation_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/operation"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// The plan of every operation for two projects, as text: what would run, where
// and in which order. Nothing is asked of any host.
func TestPlans(t *testing.T) {
	for _, project := range []string{"simple", "rich"} {
		cfg := load(t, filepath.Join("testdata", project), "v3")
		for _, op := range operation.Catalog() {
			t.Run(project+"/"+op.Name, func(t *testing.T) {
				in := input(t, cfg, config.Filter{})
				in.Fleet = fleetOf(cfg)
				in.Params = paramsFor(cfg, op)
				in.Hooks = []string{"pre-connect", "docker-setup", "pre-build", "pre-deploy", "pre-app-boot", "post-app-boot", "post-deploy", "pre-proxy-reboot", "post-proxy-reboot"}
				plan, err := op.Plan(in)
				got := render(cfg, plan, err)
				golden(t, filepath.Join("testdata", project, "plans", strings.ReplaceAll(op.Name, " ", "-")+".txt"), got)
				again, _ := op.Plan(in)
				if render(cfg, again, err) != got {
					t.Error("planning twice gives two plans")
				}
				holdPlan(t, op, plan)
			})
		}
	}
}

// holdPlan holds what is true of every plan.
func holdPlan(t *testing.T, op ops.Operation, plan ops.Plan) {
	t.Helper()
	seen := map[ops.StepID]bool{}
	plan.Walk(func(info ops.StepInfo, n ops.Node) {
		if seen[info.ID] {
			t.Errorf("two steps are called %s", info.ID)
		}
		seen[info.ID] = true
		if info.Title == "" {
			t.Errorf("step %s has no title", info.ID)
		}
		if s, ok := n.(*ops.Step); ok && s.Run == nil && len(s.Lines) == 0 {
			t.Errorf("step %s does nothing", info.ID)
		}
		for _, c := range info.Commands {
			for _, planted := range []string{"mk-123", "u:p@db", "quoted'", "pgpass"} {
				if strings.Contains(c, planted) {
					t.Errorf("step %s shows a secret: %s", info.ID, c)
				}
			}
		}
	})
	if plan.Risk > op.Risk || plan.Operation != op.Name {
		t.Errorf("the plan says %s with risk %s, the operation %s with %s", plan.Operation, plan.Risk, op.Name, op.Risk)
	}
	if plan.Risk != ops.Read && plan.Title == "" {
		t.Error("a change has no title to confirm")
	}
}

// Helpers

func render(cfg *config.Config, plan ops.Plan, err error) string {
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s, %s", plan.Title, plan.Operation, plan.Risk)
	if plan.Locks {
		b.WriteString(", locks")
	}
	b.WriteString(")\n")
	for _, e := range plan.Effects {
		warn := ""
		if e.Warn {
			warn = " !"
		}
		fmt.Fprintf(&b, "  %s: %s%s\n", e.Label, e.Text, warn)
	}
	plan.Walk(func(info ops.StepInfo, n ops.Node) {
		indent := strings.Repeat("  ", info.Depth)
		fmt.Fprintf(&b, "%s- %s %q", indent, info.ID[strings.LastIndexByte("/"+string(info.ID), '/'):], info.Title)
		if info.Host != "" {
			b.WriteString(" @" + info.Host)
		}
		b.WriteString(traits(n) + "\n")
		for _, c := range info.Commands {
			fmt.Fprintf(&b, "%s    $ %s\n", indent, c)
		}
	})
	text := strings.ReplaceAll(b.String(), cfg.Dir(), "DIR")
	return regexp.MustCompile(`kamal-clones/\S+`).ReplaceAllString(text, "kamal-clones/…")
}

func traits(n ops.Node) string {
	var out []string
	switch n := n.(type) {
	case *ops.Group:
		out = append(out, string(n.Mode))
	case *ops.Step:
		for word, on := range map[string]bool{"atomic": n.Atomic, "always": n.Always, "soft": n.Soft} {
			if on {
				out = append(out, word)
			}
		}
	}
	if len(out) == 0 {
		return ""
	}
	slices.Sort(out)
	return " [" + strings.Join(out, " ") + "]"
}

// fleetOf is a fleet that serves v2 and still has v1.
func fleetOf(cfg *config.Config) ops.Fleet {
	id := ops.NewAppID(cfg.Service(), cfg.Destination())
	app := ops.App{ID: id, Service: cfg.Service(), PrimaryHost: cfg.PrimaryHost(), Repository: cfg.ImageRepository()}
	hosts := map[string]ops.Host{}
	for _, role := range cfg.Roles() {
		app.Roles = append(app.Roles, ops.AppRole{Name: role.Name(), Hosts: role.Hosts(), Proxied: role.Proxied()})
		for _, name := range role.Hosts() {
			h := hosts[name]
			h.Name = name
			for n, v := range []string{"v1", "v2"} {
				state := "running"
				if v == "v1" {
					state = "exited"
				}
				h.Containers = append(h.Containers, ops.Container{
					Host: name, ID: role.Name() + name + v, Name: role.ContainerName(v), Kind: ops.KindApp, App: id, Role: role.Name(), Version: v,
					State: state, ImageID: "sha256:" + v, Created: moment(n),
				})
			}
			hosts[name] = h
		}
	}
	for _, acc := range cfg.Accessories() {
		app.Accessories = append(app.Accessories, ops.AppAccessory{Name: acc.Name(), Service: acc.ServiceName(), Image: acc.Image(), Hosts: acc.Hosts()})
	}
	fleet := ops.Fleet{}.WithApp(app)
	for _, name := range cfg.AllHosts() {
		h := hosts[name]
		h.Name = name
		fleet = fleet.WithHost(h)
	}
	return fleet
}

// paramsFor gives what an operation requires.
func paramsFor(cfg *config.Config, op ops.Operation) ops.Params {
	out := ops.Params{}
	for _, p := range op.Params {
		switch {
		case p.Default != "":
			out[p.Name] = p.Default
		case p.Required && op.Group == "backup" && p.Name == "NAME":
			out[p.Name] = cfg.Backups()[0].Name
		case p.Required && p.Kind == ops.Text && strings.EqualFold(p.Name, "name"):
			out[p.Name] = cfg.Accessories()[0].Name()
		case p.Required && p.Name == "SUBCOMMAND":
			out[p.Name] = "set"
		case p.Required || p.Name == "CMD":
			out[p.Name] = "given"
		}
	}
	return out
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		write(t, path, got)
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (rewrite it with -update):\n%s", path, diff(string(want), got))
	}
}

// diff lists the lines that only one of two texts has.
func diff(want, got string) string {
	count := map[string]int{}
	for l := range strings.Lines(want) {
		count[l]++
	}
	for l := range strings.Lines(got) {
		count[l]--
	}
	var b strings.Builder
	for l := range strings.Lines(want) {
		if count[l] > 0 {
			b.WriteString("- " + l)
		}
	}
	for l := range strings.Lines(got) {
		if count[l] < 0 {
			b.WriteString("+ " + l)
		}
	}
	if b.Len() == 0 {
		return "the same lines in another order"
	}
	return b.String()
}

func moment(n int) time.Time { return time.Date(2026, 1, 1, 10+n, 0, 0, 0, time.UTC) }

package operation_test

import (
	"slices"
	"strings"
	"testing"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/opstest"
)

const accessories = `
volumes: [ "uploads:/rails/uploads", "/srv/logs:/logs" ]
accessories:
  db: { image: "postgres:16", host: vm1, directories: [ "data:/var/lib/postgresql/data" ], volumes: [ "wal:/wal" ] }
  admin: { image: "admin:1", host: vm2, proxy: { host: admin.example.com }, options: { volume: [ "files:/f", "./here:/h" ] } }
`

// What asks the hosts in a removal, in the order in which it has to go.
func TestARemovalGoesInOrder(t *testing.T) {
	b := newBench(t, demoConfig+accessories)
	if task := b.start(b.plan("remove"), nil); task.Status != ops.Done || len(b.held()) > 0 {
		t.Fatalf("%s, held %v: %v", task.Status, b.held(), texts(task.Errors))
	}
	order := []string{
		"rm -r .kamal/apps/shop", "kamal-proxy remove shop-admin", "docker image rm --force admin:1", "docker container prune --force --filter label=org.opencontainers.image.title=kamal-proxy",
		"rm -r .kamal/proxy", "docker container prune --force --filter label=service=shop-db", "rm -rf shop-db", "docker logout registry:5000", "rm .kamal/lock-shop/details",
	}
	at := 0
	for _, c := range b.world.Calls() {
		if at < len(order) && strings.Contains(c.What, order[at]) {
			at++
		}
	}
	if at < len(order) {
		t.Errorf("%q was not asked in its turn", order[at])
	}
	for _, c := range b.world.Calls() {
		if strings.Contains(c.What, "docker volume rm") || c.Host == "" {
			t.Errorf("%s was asked %q", c.Host, c.What)
		}
	}
}

func TestDataGoesOnlyAsFarAsItWasSaid(t *testing.T) {
	b := newBench(t, demoConfig+accessories)
	tests := []struct {
		params      []string
		says        []string
		directories bool
		volumes     []string
	}{
		{nil, []string{"loses: ~/shop-db (/var/lib/postgresql/data)", "keeps: volumes wal:/wal"}, true, nil},
		{[]string{"keep-data", "true"}, []string{"keeps: ~/shop-db"}, false, nil},
		{
			[]string{"all", "true"}, []string{"loses: ~/shop-db (/var/lib/postgresql/data)", "loses: volumes uploads, wal on vm1", "loses: volumes uploads, files on vm2", "loses: volumes uploads on vm3"},
			true, []string{"vm1 uploads", "vm1 wal", "vm2 files", "vm2 uploads", "vm3 uploads"},
		},
	}
	for _, tt := range tests {
		b = newBench(t, demoConfig+accessories)
		plan := b.plan("remove", tt.params...)
		if plan.Confirm != "shop" || plan.Risk != ops.DataLoss {
			t.Errorf("%v: the word is %q, the risk %s", tt.params, plan.Confirm, plan.Risk)
		}
		var effects []string
		for _, e := range plan.Effects {
			effects = append(effects, e.Label+": "+e.Text)
		}
		for _, want := range tt.says {
			if !slices.Contains(effects, want) {
				t.Errorf("%v does not say %q in:\n%s", tt.params, want, strings.Join(effects, "\n"))
			}
		}
		if task := b.start(plan, nil); task.Status != ops.Done {
			t.Fatalf("%v: %v", tt.params, texts(task.Errors))
		}
		var volumes []string
		directories := false
		for _, c := range b.world.Calls() {
			directories = directories || c.What == "rm -rf shop-db"
			if name, ok := strings.CutPrefix(c.What, "docker volume rm "); ok {
				volumes = append(volumes, c.Host+" "+name)
			}
		}
		slices.Sort(volumes)
		if directories != tt.directories || !slices.Equal(volumes, tt.volumes) {
			t.Errorf("%v: directories go %v, volumes %v", tt.params, directories, volumes)
		}
	}
	if _, err := b.tryPlan("remove", "all", "true", "keep-data", "true"); err == nil {
		t.Error("to keep data and to remove it is accepted")
	}
}

func TestAVolumeThatOthersHaveOrNobodyHasIsNoFailure(t *testing.T) {
	for output, fails := range map[string]bool{
		"Error response from daemon: remove uploads: volume is in use - [c0ffee]": false,
		"Error: No such volume: uploads":                                          false,
		"Error response from daemon: get uploads: no such volume":                 false,
		"Cannot connect to the Docker daemon":                                     true,
	} {
		b := newBench(t, demoConfig+accessories)
		b.world.On("vm3", "docker volume rm uploads", opstest.Reply{Err: &ops.ExitError{Host: "vm3", Code: 1, Output: output}})
		if task := b.start(b.plan("remove", "all", "true"), nil); (task.Status == ops.Failed) != fails {
			t.Errorf("%s: %s: %v", output, task.Status, texts(task.Errors))
		}
	}
}

// Hosts that are not selected keep all they have, and so do roles.
func TestARemovalKeepsToItsSelection(t *testing.T) {
	b := newBench(t, demoConfig+accessories)
	b.in = input(t, b.cfg, config.Filter{Hosts: []string{"vm2"}})
	if task := b.start(b.plan("remove", "all", "true"), nil); task.Status != ops.Done {
		t.Fatal(texts(task.Errors))
	}
	for _, c := range b.world.Calls() {
		reads := strings.HasPrefix(c.What, "if [ -d") // the configured primary's lock is respected
		if (c.Host == "vm1" || c.Host == "vm3") && !reads {
			t.Errorf("%s was asked %q", c.Host, c.What)
		}
	}
}

func TestAnUpgradeGoesHostByHostWhenItRolls(t *testing.T) {
	b := newBench(t, demoConfig+accessories)
	var got []string
	for _, info := range b.plan("upgrade", "rolling", "true").Outline() {
		if info.Depth == 1 && info.Parent == "hosts" || info.Depth == 2 && strings.HasPrefix(string(info.ID), "hosts/") {
			got = append(got, strings.TrimPrefix(string(info.ID), "hosts/"))
		}
	}
	want := []string{"vm1", "vm1/app", "vm1/accessories", "vm2", "vm2/app", "vm2/accessories", "vm3", "vm3/app"}
	if !slices.Equal(got, want) {
		t.Errorf("it goes %v, want %v", got, want)
	}
	if task := b.start(b.plan("upgrade"), nil); task.Status != ops.Done || len(b.held()) > 0 {
		t.Fatalf("%s, held %v: %v", task.Status, b.held(), texts(task.Errors))
	}
	for _, host := range []string{"vm1", "vm2"} {
		if got := b.running(host, "web"); !slices.Equal(got, []string{"shop-web-latest"}) {
			t.Errorf("%s runs %v", host, got)
		}
		if name, up := b.target(host, "web"); name != "shop-web-latest" || !up {
			t.Errorf("the proxy of %s sends requests to %q", host, name)
		}
	}
}

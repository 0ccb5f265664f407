//go:build e2e

package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"binnacle/ops/e2e/lab"
)

// protectedProject is the project of lab.BackupProject, deployed, with data in
// everything that is backed up.
type protectedProject struct {
	*project
	s3    *lab.S3
	store string // where its backups go now
}

// newProtectedProject deploys the project on an empty fleet, with deploy.yml
// edited by pairs of old and new text.
func newProtectedProject(t *testing.T, edits ...string) *protectedProject {
	t.Helper()
	fleet := freshFleet(t)
	note := func(format string, args ...any) { t.Logf(format, args...) }
	s3, err := lab.StartS3(t.Context(), t.TempDir(), "", note)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s3.Stop)
	dir, err := fleet.BackupProject(t.Context(), lab.BackupOptions{S3: s3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p := &protectedProject{project: &project{fleet: fleet, dir: dir, state: t.TempDir()}, s3: s3, store: "local"}
	p.env = []string{"HOME=" + homeOf(t, fleet)} // hosts of stores are looked up in the person's own ssh_config
	p.edit(t, "config/deploy.yml", edits...)
	p.must(t, "setup", "-P", "--version", "v1")
	t.Cleanup(func() { _, _ = fleet.Host("vm3").Exec(t.Context(), "rm -rf "+lab.BackupSSHStore) })
	for _, thing := range things() {
		thing.await(t, p)
	}
	return p
}

// keepIn sends the backups to another store from now on.
func (p *protectedProject) keepIn(t *testing.T, store string) {
	t.Helper()
	p.edit(t, "config/deploy.yml", "store: "+p.store+"\n", "store: "+store+"\n")
	p.store = store
}

// kept lists the backups of a thing, newest first; more are flags.
func (p *protectedProject) kept(t *testing.T, thing string, more ...string) []keptBackup {
	t.Helper()
	var list struct {
		Results []struct {
			Data []struct{ Backups []keptBackup }
		}
	}
	out := p.must(t, append([]string{"backup", "list", thing, "--json"}, more...)...).Stdout
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list.Results) != 1 || len(list.Results[0].Data) != 1 {
		t.Fatalf("backup list --json: %v\n%s", err, out)
	}
	return list.Results[0].Data[0].Backups
}

// keptBackup is one backup of `backup list --json`.
type keptBackup struct {
	ID      string
	Rung    string
	Safety  bool
	Rows    int64
	Problem string
}

// stored lists the objects of the store by key, with their sizes.
func (p *protectedProject) stored(t *testing.T) []string {
	t.Helper()
	var list string
	switch p.store {
	case "local":
		list = p.sh(t, "mkdir -p "+lab.BackupLocalStore+" && cd "+lab.BackupLocalStore+" && find . -type f")
	case "s3":
		list = p.sh(t, "cd '"+filepath.Join(p.s3.Files, p.s3.Bucket)+"' && find . -type f")
	case "ssh":
		list = exec(t, p.fleet.Host("vm3"), "mkdir -p %[1]s && cd %[1]s && find . -type f", lab.BackupSSHStore)
	}
	var keys []string
	for line := range strings.Lines(list) {
		keys = append(keys, strings.TrimPrefix(strings.TrimSpace(line), "./"))
	}
	slices.Sort(keys)
	return keys
}

// answers fails the test unless the app is served on both web hosts.
func (p *protectedProject) answers(t *testing.T) {
	t.Helper()
	for _, name := range []string{"vm1", "vm2"} {
		if !up(p.fleet.Host(name)) {
			t.Errorf("%s does not serve the app", name)
		}
	}
}

// nothingLeft fails the test when anything is left of runs that ended: parts of
// backups that are not listed, uploads, throwaway containers, and data that was
// loaded and not swapped.
func (p *protectedProject) nothingLeft(t *testing.T, thing thing) {
	t.Helper()
	var listed []string
	for _, k := range p.kept(t, thing.name) {
		listed = append(listed, k.ID)
	}
	for _, key := range p.stored(t) {
		parts := strings.Split(key, "/"+thing.name+"/")
		if len(parts) == 2 && !slices.Contains(listed, strings.Split(parts[1], "/")[0]) || strings.HasSuffix(key, "claim.json") || strings.Contains(key, "multipart") {
			t.Errorf("the store still has %s", key)
		}
	}
	for _, host := range p.fleet.Hosts() {
		if left := exec(t, host, "docker ps --all --filter label=binnacle.scratch --format '{{.Names}}'; docker ps --filter status=paused --format '{{.Names}} paused'"); left != "" {
			t.Errorf("%s still has %s", host.Name, left)
		}
	}
	const tools = "pg_dump|pg_restore|pg_dumpall|mariadb-dump|mariadb|redis-cli|sqlite3|tar"
	eventually(t, "no tool of a backup runs on "+thing.host, func() bool {
		return exec(t, p.fleet.Host(thing.host), "pgrep -x '%s' || true", tools) == ""
	})
	if left := thing.leftovers(t, p); left != "" {
		t.Errorf("%s still has %s", thing.name, left)
	}
}

// Helpers

func up(host *lab.Host) bool {
	response, err := http.Get(host.URL() + "/up")
	return err == nil && response.Body.Close() == nil && response.StatusCode == http.StatusOK
}

// homeOf makes a home whose ssh_config knows the fleet's hosts.
func homeOf(t *testing.T, fleet *lab.Fleet) string {
	t.Helper()
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".ssh", "config"), []byte("Include "+fleet.SSHConfig()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return home
}

// feed runs a command in a container of a host with a script as standard input.
func feed(t *testing.T, host *lab.Host, container, command, script string) string {
	t.Helper()
	return exec(t, host, "echo %s | base64 -d | docker exec -i %s %s", base64.StdEncoding.EncodeToString([]byte(script)), container, command)
}

// same fails the test at the first line in which two dumps differ.
func same(t *testing.T, what, got, want string) {
	t.Helper()
	if got == want {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		line := func(all []string) string {
			if i < len(all) {
				return fmt.Sprintf("%.300q", all[i])
			}
			return "nothing"
		}
		if line(g) != line(w) {
			t.Fatalf("%s: line %d of %d is %s, want %s", what, i+1, len(g), line(g), line(w))
		}
	}
}

package operation_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"

	"binnacle/ops"
	"binnacle/ops/opstest"
)

func TestABackupClimbsTheLadder(t *testing.T) {
	p := newProtectedBench(t, protectedConfig)
	for _, step := range []struct {
		name string
		want ops.Rung
	}{{"backup create", ops.Stored}, {"backup verify", ops.Readable}, {"backup drill", ops.Fresh}} {
		p.must(step.name, "NAME", "db")
		if seen := p.seen(); seen.Rung != step.want || len(seen.Kept) != 1 || seen.Kept[0].Rows != 8 || seen.Kept[0].Tables != 2 || seen.Alarm != "" {
			t.Errorf("after %s: %+v, want one backup of 8 rows that is %s", step.name, seen, step.want)
		}
	}
	if left := p.containers(); len(left) > 0 {
		t.Errorf("the drill has left %v", left)
	}
	id := p.listed()[0].ID
	var kinds []string
	for _, key := range p.keys() {
		name := strings.TrimPrefix(key, "shop/db/"+id+"/")
		if strings.HasPrefix(name, "check-") {
			name = name[strings.LastIndexByte(name, '-'):]
		}
		kinds = append(kinds, name)
	}
	if want := []string{"-matched.json", "-readable.json", "-matched.json", "-readable.json", "-restored.json", "-checked.json", "database.dump.zst", "facts.zst", "globals.sql.zst", "manifest.json", "settings.json.zst"}; !sameSet(kinds, want) {
		t.Errorf("the store has %v, want %v", kinds, want)
	}
	p.must("backup list")
	text, data := p.results()
	if !strings.Contains(text, id) || !strings.Contains(text, "8/8 fresh") {
		t.Errorf("the list reads\n%s", text)
	}
	var list []struct {
		Name    string
		Rung    string
		Backups []struct {
			ID   string
			Rows int64
		}
	}
	first, _, _ := strings.Cut(data, "\n")
	if err := json.Unmarshal([]byte(first), &list); err != nil || len(list) != 1 || list[0].Name != "db" || list[0].Rung != "fresh" || list[0].Backups[0].ID != id {
		t.Errorf("the list is %v: %s", err, data)
	}
	p.must("backup show", "NAME", "db", "ID", id[:8])
	if text, _ := p.results(); !strings.Contains(text, "users") || !strings.Contains(text, "postgres 16.4") {
		t.Errorf("the backup reads\n%s", text)
	}
}

// The documents of --json, with what differs from run to run taken out.
func TestDocumentsOfBackups(t *testing.T) {
	p := newProtectedBench(t, protectedConfig)
	var out strings.Builder
	for _, ask := range [][]string{
		{"backup create", "NAME", "db"}, {"backup verify", "NAME", "db"}, {"backup drill", "NAME", "db"}, {"backup show", "NAME", "db"}, {"backup list"},
		{"backup prune", "NAME", "db"}, {"restore", "NAME", "db"}, {"restore", "NAME", "db", "scratch", "true"}, {"backup pull", "NAME", "db"},
	} {
		p.must(ask[0], ask[1:]...)
		_, data := p.results()
		for line := range strings.Lines(data) {
			var doc bytes.Buffer
			if err := json.Indent(&doc, []byte(line), "", "  "); err != nil {
				t.Fatalf("%s: %v: %s", ask[0], err, line)
			}
			fmt.Fprintf(&out, "%s: %s", strings.Join(ask, " "), doc.String())
		}
	}
	got := regexp.MustCompile(`\d{8}T\d{6}Z-[0-9a-f]{4}`).ReplaceAllString(out.String(), "ID")
	got = regexp.MustCompile(`("(?:plain_)?sha256": )"\w+"`).ReplaceAllString(got, `$1"…"`)
	got = regexp.MustCompile(`("size": )\d+`).ReplaceAllString(got, `${1}0`)
	golden(t, filepath.Join("testdata", "backups.json.txt"), strings.ReplaceAll(got, p.cfg.Dir(), "DIR"))
}

func TestTheListNamesWhatIsNotBackedUp(t *testing.T) {
	p := newProtectedBench(t, strings.Replace(protectedConfig, "    files: { skip: true }\n", "", 1))
	p.must("backup list")
	text, data := p.results()
	for _, folder := range p.cfg.Unprotected() {
		if !strings.Contains(text, "not backed up: "+folder) || !strings.Contains(data, `{"unprotected":["`+folder) {
			t.Errorf("%s is not told:\n%s%s", folder, text, data)
		}
	}
	if len(p.cfg.Unprotected()) == 0 {
		t.Error("the project protects everything")
	}
}

const twoStores = demoConfig + `
accessories:
  db: { image: "postgres:16", host: vm4, env: { clear: { POSTGRES_DB: app } } }
  cache: { image: "redis:7", host: vm4 }
x-binnacle:
  stores: { kept: { type: local, path: kept }, far: { type: local, path: far } }
  backups: { db: { store: kept }, cache: { store: far } }
`

func TestOneStoreThatFailsHidesNoOther(t *testing.T) {
	p := newProtectedBench(t, twoStores)
	p.must("backup create", "NAME", "db")
	p.world.Objects("far").Fail = func(context.Context, string, string) error { return errors.New("the disk is gone\nreally") }
	task := p.do("backup list")
	text, data := p.results()
	if task.Status != ops.Failed || !strings.Contains(text, p.listed()[0].ID) || !strings.Contains(text, "! cache: the store cannot be read: ") || strings.Contains(text, "cache: never backed up") {
		t.Errorf("%s:\n%s", task.Status, text)
	}
	if !strings.Contains(data, `"name":"cache"`) || !strings.Contains(data, `the disk is gone"`) {
		t.Errorf("%s", data)
	}
}

// Another host's claim, another's that has this one's name, a live process's and a
// dead one's; the same for containers.
func TestWhatKilledRunsLeftIsRemovedByTheNext(t *testing.T) {
	p := newProtectedBench(t, protectedConfig)
	p.in.Alive = func(pid int) bool { return pid == 7 || pid == 8 }
	p.in.Own = func(task ops.TaskID) bool { return task == "01OLD" }
	claim := func(id, owner, pid, task string) string {
		at := p.world.Now().Format("2006-01-02T15:04:05Z")
		key := "shop/db/" + id + "/"
		p.kept.Change(key+"claim.json", sealed(`{"host":"`+owner+`","pid":`+pid+`,"task":"`+task+`","at":"`+at+`"}`))
		p.kept.Change(key+"database.dump.zst", []byte("half"))
		return key
	}
	scratch := func(name, owner string) {
		p.world.Engine("vm4").Add(ops.Inspection{Container: ops.Container{
			ID: name, Name: name, State: "running", Created: p.world.Now(),
			Labels: map[string]string{"binnacle.scratch": owner, "binnacle.of": "shop-db/db"},
		}})
	}
	dead, live := claim("20260101T000000Z-0001", "laptop", "9", "01OLD"), claim("20260101T000000Z-0002", "laptop", "8", "01OLD")
	own, far := claim("20260101T000000Z-0003", "laptop", "7", "01OLD"), claim("20260101T000000Z-0004", "other", "9", "01OLD")
	twin := claim("20260101T000000Z-0005", "laptop", "9", "01THEIRS")
	scratch("binnacle_drill_dead", "laptop/9/01OLD")
	scratch("binnacle_drill_live", "laptop/8/01OLD")
	scratch("binnacle_drill_own", "laptop/7/01OLD")
	scratch("binnacle_drill_far", "other/9/01OLD")
	scratch("binnacle_drill_twin", "laptop/9/01THEIRS")
	scratch("binnacle_copy_dead", "laptop/9/01OLD")
	p.must("backup create", "NAME", "db")
	has := func(prefix string) bool {
		return slices.ContainsFunc(p.keys(), func(k string) bool { return strings.HasPrefix(k, prefix) })
	}
	if has(dead) || !has(live) || has(own) || !has(far) || !has(twin) {
		t.Errorf("what is left of the store: %v", p.keys())
	}
	if want := []string{"binnacle_drill_live", "binnacle_drill_far", "binnacle_drill_twin", "binnacle_copy_dead"}; !sameSet(p.containers(), want) {
		t.Errorf("the containers %v are left, want %v", p.containers(), want)
	}
	if len(p.listed()) != 1 {
		t.Errorf("%d backups are listed, want the one that was made", len(p.listed()))
	}
}

func TestADumpDoesNotDependOnTidyingUp(t *testing.T) {
	p := newProtectedBench(t, protectedConfig)
	p.kept.Change("shop/db/20260101T000000Z-0001/claim.json", sealed(`{"host":"laptop","pid":9,"at":"2026-01-01T00:00:00Z"}`))
	p.kept.Fail = func(_ context.Context, call, _ string) error {
		if call == "delete" {
			return errors.New("access denied: s3:DeleteObject")
		}
		return nil
	}
	p.must("backup create", "NAME", "db")
	if said := strings.Join(p.said("backup/db/dump"), "\n"); len(p.listed()) != 1 || !strings.Contains(said, "access denied") {
		t.Errorf("%d backups; it said %s", len(p.listed()), said)
	}
}

func TestPruneDeletesWhatTheRuleNamesWhenItRuns(t *testing.T) {
	p := newProtectedBench(t, protectedConfig)
	plan := p.plan("backup prune", "NAME", "db")
	for range 4 {
		p.must("backup create", "NAME", "db")
	}
	before := p.listed()
	if task := p.follow(plan, nil); task.Status != ops.Done {
		t.Fatal(texts(task.Errors))
	}
	after := p.listed()
	if len(after) != 2 || after[0].ID != before[0].ID || after[1].ID != before[1].ID {
		t.Errorf("%d are left of %d", len(after), len(before))
	}
	if asked := p.world.Asked("vm4"); slices.ContainsFunc(plan.Steps(), func(s *ops.Step) bool { return s.Host != "" }) || len(asked) == 0 {
		t.Error("prune goes to a host")
	}
	if text, data := p.results(); !strings.Contains(text, "db: 2 deleted, 2 kept") || !strings.Contains(data, `{"name":"db","deleted":["`+before[2].ID+`","`+before[3].ID+`"],"kept":["`+before[0].ID+`","`+before[1].ID+`"]}`) {
		t.Errorf("%s%s", text, data)
	}
}

func TestPullWritesAllOrNothing(t *testing.T) {
	p := newProtectedBench(t, protectedConfig)
	p.must("backup create", "NAME", "db")
	id := p.listed()[0].ID
	here := p.world.Objects("files in out/db-" + id)
	here.Fail = func(_ context.Context, call, key string) error {
		if call == "put" && key == "database.dump" {
			return errors.New("disk full")
		}
		return nil
	}
	if task := p.do("backup pull", "NAME", "db", "to", "out"); task.Status != ops.Failed {
		t.Errorf("a full disk: %s", task.Status)
	}
	here.Fail = nil
	if left, _ := here.List(t.Context(), ""); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
	p.must("backup pull", "NAME", "db", "to", "out")
	if got := string(here.Content("database.dump")); strings.TrimSpace(got) != `{"orders":5,"users":3}` {
		t.Errorf("the file holds %s", got)
	}
	if _, data := p.results(); !strings.Contains(data, `"folder":"out/db-`+id+`"`) {
		t.Errorf("%s", data)
	}
	if task := p.do("backup pull", "NAME", "db", "to", "out"); task.Status != ops.Failed || !strings.Contains(texts(task.Errors)[0], "has files in it (--to another folder)") {
		t.Errorf("again: %s %v", task.Status, texts(task.Errors))
	}
}

// Whatever goes wrong, a host that cannot be asked says nothing of a backup; a tool
// that refuses it does.
func TestOnlyTheArchivesOwnFaultIsHeldAgainstIt(t *testing.T) {
	for _, c := range []struct {
		name, at string
		err      error
		problem  string
	}{
		{"lost connection", "pg_restore --list", errors.New("connection reset"), ""},
		{"no such container", "pg_restore --list", &ops.ExitError{Code: 1, Output: "Error response from daemon: container is not running"}, ""},
		{"killed", "pg_restore --list", &ops.ExitError{Code: 137, Output: "Killed"}, ""},
		{"full disk", "exec pg_restore ", &ops.ExitError{Code: 1, Output: "could not extend file: No space left on device"}, ""},
		{"image", "^docker run -d", &ops.ExitError{Code: 125, Output: "pull access denied"}, ""},
		{"list", "pg_restore --list", &ops.ExitError{Code: 1, Output: "input file does not appear to be a valid archive"}, "listing the archive: input file"},
		{"restore", "exec pg_restore ", &ops.ExitError{Code: 1, Output: "could not read from input file: end of file"}, "restoring the database: could not read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newProtectedBench(t, protectedConfig)
			p.must("backup create", "NAME", "db")
			p.refuse(c.at, c.err)
			task := p.do("backup drill", "NAME", "db")
			if task.Status != ops.Failed || len(p.containers()) > 0 {
				t.Errorf("%s, with %v left", task.Status, p.containers())
			}
			if got := p.listed()[0].Problem; c.problem == "" && got != "" || !strings.HasPrefix(got, c.problem) {
				t.Errorf("its problem is %q, want %q", got, c.problem)
			}
			if strings.Contains(p.listed()[0].Problem, "docker exec") {
				t.Errorf("a script is in %q", p.listed()[0].Problem)
			}
		})
	}
}

func TestADrillComparesAndAsks(t *testing.T) {
	checked := protectedConfig + `    db: { check: { sql: "SELECT count(*) > 0 FROM users" } }` + "\n"
	for said, good := range map[string]bool{"t": true, "": true, "4": true, "f": false, "0": false} {
		p := newProtectedBench(t, checked)
		p.must("backup create", "NAME", "db")
		p.pg.Lock()
		p.first = said
		p.pg.Unlock()
		if task := p.do("backup drill", "NAME", "db"); (task.Status == ops.Done) != good || (p.listed()[0].Problem == "") != good || len(p.containers()) > 0 {
			t.Errorf("the check says %q: %s, problem %q", said, task.Status, p.listed()[0].Problem)
		}
	}
}

// Encrypted backups are verified by anybody and read with the identity alone; the
// store never has a byte of the data, nor what a tool says of it.
func TestEncryptedBackups(t *testing.T) {
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	p := newProtectedBench(t, strings.Replace(protectedConfig, "retain: { last: 2 }", "retain: { last: 2 }, encrypt: { recipients: [ "+key.Recipient().String()+" ] }", 1))
	p.world.Sources = map[string]string{"key": key.String()}
	p.write("marker_of_the_plaintext", 1)
	p.must("backup create", "NAME", "db")
	p.must("backup verify", "NAME", "db")
	if seen := p.seen(); seen.Rung != ops.Matched {
		t.Errorf("without the identity it is %s, want matched", seen.Rung)
	}
	before := len(p.world.Calls())
	task := p.do("backup drill", "NAME", "db")
	if got := strings.Join(texts(task.Errors), "\n"); task.Status != ops.Failed || !strings.Contains(got, "no identity is given (--identity FILE") {
		t.Errorf("a drill without the identity: %s %s", task.Status, got)
	}
	if slices.ContainsFunc(p.world.Calls()[before:], func(c opstest.Call) bool { return strings.HasPrefix(c.What, "docker run") }) {
		t.Error("a container was started for what cannot be read")
	}
	p.must("backup drill", "NAME", "db", "identity", "key")
	p.must("backup show", "NAME", "db", "identity", "key")
	if text, _ := p.results(); !strings.Contains(text, "marker_of_the_plaintext") {
		t.Errorf("it reads\n%s", text)
	}
	p.refuse("exec pg_restore ", &ops.ExitError{Code: 1, Output: "COPY marker_of_the_plaintext, line 1"})
	if task := p.do("backup drill", "NAME", "db", "identity", "key"); task.Status != ops.Failed || p.listed()[0].Problem != "restoring the database" {
		t.Errorf("%s, its problem is %q", task.Status, p.listed()[0].Problem)
	}
	for _, key := range p.keys() {
		if strings.Contains(string(p.kept.Content(key)), "marker_of") {
			t.Errorf("the plaintext is in %s", key)
		}
	}
}

func TestABackupOfAStoppedContainer(t *testing.T) {
	p := newProtectedBench(t, protectedConfig)
	p.world.Engine("vm4").Change("shop-db", func(c *ops.Inspection) { c.State = "exited" })
	task := p.do("backup create", "NAME", "db")
	if got := strings.Join(texts(task.Errors), "\n"); task.Status != ops.Failed || got != "vm4: db: the container shop-db is exited (binnacle accessory start db)" || len(p.keys()) > 0 {
		t.Errorf("%s: %s, stored %v", task.Status, got, p.keys())
	}
}

func TestAStoreOnAHostOfTheFleetIsReachedAfterTheHook(t *testing.T) {
	for host, want := range map[string]bool{"vm3": true, "nas": false} {
		p := newProtectedBench(t, strings.Replace(protectedConfig, "{ type: local, path: kept }", "{ type: ssh, host: "+host+", path: kept }", 1))
		p.in.Hooks = []string{"pre-connect"}
		for _, name := range []string{"backup list", "backup show", "backup prune", "backup pull"} {
			plan := p.plan(name, "NAME", "db")
			if first := plan.Outline()[0].ID; (first == "pre-connect") != want {
				t.Errorf("%s of a store on %s begins with %s", name, host, first)
			}
		}
	}
}

func TestOneThingIsNamed(t *testing.T) {
	p := newProtectedBench(t, twoStores)
	for _, name := range []string{"backup show", "backup pull", "restore"} {
		for _, thing := range []string{"", "all", "typo"} {
			if _, err := p.tryPlan(name, "NAME", thing); err == nil || !strings.Contains(err.Error(), "db") {
				t.Errorf("%s %q: %v", name, thing, err)
			}
		}
	}
}

// Helpers

// refuse has a command fail.
func (p *protectedBench) refuse(pattern string, err error) {
	p.world.On("vm4", pattern, opstest.Reply{Err: err})
}

// sealed is a record as stores have it.
func sealed(line string) []byte {
	line += "\n"
	return fmt.Appendf(nil, "%s{\"sha256\":\"%x\"}\n", line, sha256.Sum256([]byte(line)))
}

func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

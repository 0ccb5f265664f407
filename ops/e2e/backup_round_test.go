//go:build e2e

package e2e

import (
	"os"
	osexec "os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"binnacle/ops"
)

// loss is a way in which data is lost before it is restored from a store.
type loss struct {
	store  string
	happen func(*testing.T, *protectedProject, thing)
}

func losses() []loss {
	return []loss{
		{"local", func(t *testing.T, p *protectedProject, d thing) { d.run(t, p, d.spoil) }},
		{"s3", func(t *testing.T, p *protectedProject, d thing) { d.run(t, p, d.lose) }},
		{"ssh", func(t *testing.T, p *protectedProject, d thing) { d.loseServer(t, p) }},
	}
}

var ofTheServer = regexp.MustCompile(`(?m)^(setting|role)\|.*\n`)

// Everything that is backed up comes back to the last row, from every store,
// whatever was lost of it.
func TestWhatIsLostComesBack(t *testing.T) {
	p := newProtectedProject(t)
	for _, thing := range things() {
		thing.run(t, p, thing.fill)
	}
	for _, loss := range losses() {
		p.keepIn(t, loss.store)
		for _, thing := range things() {
			t.Run(thing.name+" from "+loss.store, func(t *testing.T) {
				want := thing.text(t, p)
				p.must(t, "backup", "create", thing.name)
				p.stands(t, thing, ops.Stored)
				p.must(t, "backup", "verify", thing.name)
				p.stands(t, thing, ops.Readable)
				p.must(t, "backup", "drill", thing.name)
				p.stands(t, thing, ops.Fresh)

				loss.happen(t, p, thing)
				p.must(t, "restore", thing.name, "-y")
				got := thing.text(t, p)
				if loss.store == "ssh" { // a server that was made anew has settings and logins of its own
					got, want = ofTheServer.ReplaceAllString(got, ""), ofTheServer.ReplaceAllString(want, "")
				}
				same(t, thing.name, got, want)
				p.nothingLeft(t, thing)
				p.answers(t)
			})
		}
	}
	p.keepIn(t, "local")
	t.Run("from the console", p.console)
}

// console backs up, verifies, drills and restores in a real terminal, by keys
// alone.
func (p *protectedProject) console(t *testing.T) {
	if _, err := osexec.LookPath("tmux"); err != nil && os.Getenv("CI") != "true" {
		t.Skip("tmux is not installed")
	}
	d := postgresThing()
	want := d.text(t, p)

	s := newScreen(t, p.project, 120, 34)
	s.await("live", "3 Accessories 4", "db ")
	s.keys("3", "B")
	s.await("back up db", "Cancel")
	s.choose("Backup create")
	s.await("back up db", "done in")
	s.shot("backed-up")
	s.keys("Escape")
	s.await("3 Accessories 4", "3/8")
	p.stands(t, d, ops.Stored)
	s.keys("3", "V")
	s.await("verify the backup of db", "done in")
	s.shot("verified")
	s.keys("Escape")
	s.await("3 Accessories 4", "5/8")
	s.keys("3", "A")
	s.await("drill the backup of db", "Cancel")
	s.choose("Backup drill")
	s.await("drill the backup of db", "done in")
	s.shot("drilled")
	s.keys("Escape")
	s.await("3 Accessories 4", "8/8")

	d.run(t, p, d.spoil)
	s.keys("3", "X")
	s.await("restore db from", "fresh")
	s.shot("pick-backup")
	s.keys("Enter")
	s.await("type fhirlinebot to go on", "Cancel")
	s.shot("confirm-restore")
	s.confirm("fhirlinebot")
	s.choose("Restore")
	s.await("restore db", "done in")
	s.shot("restored")
	same(t, "db", d.text(t, p), want)
	p.nothingLeft(t, d)
	p.answers(t)
	s.keys("Escape")
	s.await("3 Accessories 4")
	s.keys("q") // sent with the escape it would be one key
	s.gone()
}

// confirm types the name that a dialog asks for. One that has just opened takes no
// keys, so it looks at what arrived.
func (s *screen) confirm(name string) {
	s.t.Helper()
	for range 40 {
		if strings.Contains(s.frame(), "type "+name+" to go on: "+name) {
			return
		}
		for range name {
			s.keys("BSpace")
		}
		s.tmux("send-keys", "-t", "console", "-l", name)
		time.Sleep(200 * time.Millisecond)
	}
	s.t.Fatalf("%s cannot be typed on\n%s", name, s.frame())
}

// stands fails the test unless the newest backup has reached that rung and no
// further.
func (p *protectedProject) stands(t *testing.T, d thing, rung ops.Rung) {
	t.Helper()
	kept := p.kept(t, d.name)
	if len(kept) == 0 || kept[0].Rung != rung.String() {
		t.Errorf("the backups of %s are %+v, want the newest %s", d.name, kept, rung)
	}
}

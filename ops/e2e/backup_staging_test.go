//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const staging = `servers:
  web:
    hosts:
      - vm3
accessories:
  db:
    host: vm3
x-binnacle:
  backups:
    ledger:
      host: vm3
`

const anonymise = `ALTER TABLE people DISABLE TRIGGER USER;
UPDATE people SET name = 'somebody', email = 'p' || id || '@example.invalid', doc = NULL;
`

// production is what the tests ask of either database.
const production = `SELECT count(*), count(DISTINCT name), count(*) FILTER (WHERE email LIKE '%Example.com'), count(doc) FROM people`

// A backup of one destination goes into another one's database, through a script
// that leaves nobody in it; the one it was taken from is not touched.
func TestProductionComesToStaging(t *testing.T) {
	p := newProtectedProject(t)
	d := postgresThing()
	d.run(t, p, d.fill)
	want, people := d.text(t, p), strings.TrimSpace(d.run(t, p, production))
	p.must(t, "backup", "create", "db")

	p.write(t, "config/deploy.staging.yml", staging, 0o600)
	secrets, err := os.ReadFile(filepath.Join(p.dir, ".kamal/secrets"))
	if err != nil {
		t.Fatal(err)
	}
	p.write(t, ".kamal/secrets.staging", string(secrets), 0o600)
	p.write(t, "anonymise.sql", anonymise, 0o600)
	p.write(t, "broken.sql", anonymise+"SELECT * FROM nowhere;\n", 0o600)
	p.must(t, "accessory", "boot", "db", "-d", "staging")
	there := d
	there.host = "vm3"
	there.await(t, p)
	there.run(t, p, "CREATE TABLE own AS SELECT 42 AS n")
	into := []string{"restore", "db", "-d", "staging", "-y", "--from", "fhirlinebot"}

	t.Run("a script that fails changes nothing", func(t *testing.T) {
		p.fails(t, []string{"vm3", "nowhere"}, append(into, "--sql", "broken.sql")...)
		if got := strings.TrimSpace(there.run(t, p, "SELECT n FROM own; SELECT to_regclass('people') IS NULL")); got != "42\nt" {
			t.Errorf("staging has %q", got)
		}
		if left := there.leftovers(t, p); left != "" {
			t.Errorf("staging still has %s", left)
		}
	})
	t.Run("what is restored was anonymised", func(t *testing.T) {
		shown := p.must(t, append(into, "--sql", "anonymise.sql", "--dry-run")...).Stdout
		for _, words := range []string{"fhirlinebot", "staging", "vm3", "anonymise.sql"} {
			if !strings.Contains(shown, words) {
				t.Errorf("the plan does not name %q:\n%s", words, shown)
			}
		}
		p.must(t, append(into, "--sql", "anonymise.sql")...)
		if got := strings.TrimSpace(there.run(t, p, production)); got != "2000|1|0|0" {
			t.Errorf("staging has people|names|addresses|docs %s, production has %s", got, people)
		}
		if got := strings.TrimSpace(there.run(t, p, "SELECT to_regclass('own') IS NULL")); got != "t" {
			t.Error("staging has its own table still")
		}
	})
	t.Run("production is as it was", func(t *testing.T) {
		same(t, "db", d.text(t, p), want)
		if kept := p.kept(t, "db"); len(kept) != 1 || kept[0].Safety {
			t.Errorf("its backups are %+v", kept)
		}
		p.answers(t)
	})
	t.Run("staging gets its own data back from the safety copy", func(t *testing.T) {
		kept := p.kept(t, "db", "-d", "staging")
		if len(kept) != 1 || !kept[0].Safety {
			t.Fatalf("its backups are %+v", kept)
		}
		p.must(t, "restore", "db", kept[0].ID, "-d", "staging", "-y")
		if got := strings.TrimSpace(there.run(t, p, "SELECT n FROM own")); got != "42" {
			t.Errorf("staging has %q", got)
		}
	})
}

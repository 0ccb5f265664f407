package sim

import (
	"strings"
	"testing"
)

// The app's own commands change the database that its accessory holds, as the
// image of each version would.
func TestRailsMigratesTheDemosDatabase(t *testing.T) {
	t.Parallel()
	f := start(t, Options{Hosts: 2, Visitors: -1, Clock: fast()})
	run := func(version, task string) (string, string, int) {
		return f.ssh(t, "web-2", "docker run --rm --network kamal -e DB_HOST=fhirlinebot-db registry:5000/fhirlinebot:"+version+" "+task)
	}
	if out, errOut, code := run("v2", "bin/rails db:migrate:status"); code != 0 || strings.Count(out, "   up     2026") != 3 || strings.Contains(out, "down") {
		t.Errorf("v2 (%d): %s%s", code, out, errOut)
	}
	if out, _, _ := run("v1", "bundle exec rails db:migrate:status"); !strings.Contains(out, "up     20260901120000  ********** NO FILE") {
		t.Errorf("v1: %s", out)
	}
	if out, _, code := f.ssh(t, "web-2", "docker exec fhirlinebot-web-v2 bin/rails db:version"); code != 0 || out != "Current version: 20260901120000\n" {
		t.Errorf("version (%d): %s", code, out)
	}
	if out, _, code := run("v2", "bin/rails db:rollback STEP=2"); code != 0 || strings.Count(out, ": reverted") != 2 {
		t.Errorf("rollback (%d): %s", code, out)
	}
	if out, _, code := run("v2", "bin/rails db:migrate"); code != 0 || strings.Count(out, ": migrated") != 2 {
		t.Errorf("migrate (%d): %s", code, out)
	}
	if out, _, _ := f.ssh(t, "web-1", `docker exec fhirlinebot-db psql -U postgres -d fhirlinebot_production -Atc "SELECT count(*) FROM schema_migrations"`); out != "3\n" {
		t.Errorf("the database holds %q", out)
	}
	f.ssh(t, "web-1", "docker stop fhirlinebot-db")
	if _, errOut, code := run("v2", "bin/rails db:migrate:status"); code != 1 || !strings.Contains(errOut, "ConnectionNotEstablished") {
		t.Errorf("without a database (%d): %s", code, errOut)
	}
}

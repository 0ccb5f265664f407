package backup

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"binnacle/config"
)

// shells are those of this machine that an image may have as its sh.
func shells(t *testing.T) map[string][]string {
	all := map[string][]string{}
	for _, shell := range [][]string{{"sh"}, {"dash"}, {"bash", "--posix"}, {"busybox", "sh"}} {
		if path, err := exec.LookPath(shell[0]); err == nil {
			all[shell[0]] = append([]string{path}, shell[1:]...)
		}
	}
	if len(all) == 0 {
		t.Skip("no sh here")
	}
	return all
}

func runShell(t *testing.T, shell []string, script string, env ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), shell[0], append(shell[1:], "-c", script, "sh", "")...)
	cmd.Env = append([]string{"PATH=/usr/bin:/bin"}, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestAddressIsTakenApart(t *testing.T) {
	at := Place{Backup: config.Backup{URL: "DATABASE_URL"}}
	script, err := at.address()
	if err != nil {
		t.Fatal(err)
	}
	script += `printf '%s\n' "$user" "$password" "$host" "$port" "$database" "$query"`
	for address, want := range map[string][]string{
		"postgres://app:pw@db:5433/shop":                             {"app", "pw", "db", "5433", "shop", ""},
		"postgresql://app@db/shop?pool=5&sslmode=require":            {"app", "", "db", "", "shop", "pool=5&sslmode=require"},
		"mysql2://a%40b:p%3A%2F%3f%25%41%0Az@db.example.com/shop%20": {"a@b", "p:/?%A\nz", "db.example.com", "", "shop ", ""},
		"postgres://u:a:b@c@[::1]:5432/d#f":                          {"u", "a:b@c", "::1", "5432", "d", ""},
		"postgres://[fe80::1%25eth0]/d":                              {"", "", "fe80::1%eth0", "", "d", ""},
		"postgres://ü:%C3%BC$(id)`id`'\"\\n*@db/ü":                   {"ü", "ü$(id)`id`'\"\\n*", "db", "", "ü", ""},
		"postgres://u:100%@db/50%zz%2":                               {"u", "100%", "db", "", "50%zz%2", ""},
		"postgres:///shop?host=/run/postgresql":                      {"", "", "", "", "shop", "host=/run/postgresql"},
	} {
		for name, shell := range shells(t) {
			got, err := runShell(t, shell, script, "DATABASE_URL="+address)
			if want := strings.Join(want, "\n") + "\n"; err != nil || got != want {
				t.Errorf("%s: %s gives %q, %v, want %q", name, address, got, err, want)
			}
		}
	}
	if out, err := runShell(t, []string{"sh"}, script); err == nil || !strings.Contains(out, "DATABASE_URL") {
		t.Errorf("without the variable: %q, %v", out, err)
	}
	if _, err := (Place{Backup: config.Backup{URL: "X;reboot"}}).address(); err == nil {
		t.Error("takes anything for the name of a variable")
	}
}

func TestPostgresIsReachedByItsEnvironment(t *testing.T) {
	const tell = `printf '%s|' "$PGUSER" "$PGPASSWORD" "$PGDATABASE" "$PGHOST" "$PGPORT" "$PGSSLMODE"`
	secretFile := t.TempDir() + "/pw"
	if err := exec.Command("sh", "-c", `printf 'from a file\n' > "$1"`, "sh", secretFile).Run(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at   Place
		env  []string
		want string
	}{
		{Place{}, nil, "postgres||postgres||||"},
		{Place{}, []string{"POSTGRES_USER=it's me", "POSTGRES_PASSWORD=a b$c"}, "it's me|a b$c|it's me||||"},
		{Place{}, []string{"POSTGRES_DB=shop", "POSTGRES_PASSWORD_FILE=" + secretFile}, "postgres|from a file|shop||||"},
		{Place{}, []string{"POSTGRESQL_USERNAME=app", "POSTGRESQL_PASSWORD=p w"}, "app|p w|postgres||||"},
		{Place{}, []string{"POSTGRESQL_USERNAME=app", "POSTGRESQL_PASSWORD_FILE=" + secretFile, "POSTGRESQL_DATABASE=shop"}, "app|from a file|shop||||"},
		{Place{}, []string{"POSTGRESQL_USERNAME=app", "POSTGRESQL_PASSWORD=p", "POSTGRESQL_DATABASE=shop", "POSTGRESQL_POSTGRES_PASSWORD_FILE=" + secretFile}, "postgres|from a file|shop||||"},
		{Place{Backup: config.Backup{URL: "U"}}, []string{"U=postgres://a:b%20c@h/d?x=1&sslmode=require&port=6543"}, "a|b c|d|h|6543|require|"},
	} {
		line, err := c.at.postgres(tell)
		if err != nil {
			t.Fatal(err)
		}
		script := lastScript(line.Shell())
		for name, shell := range shells(t) {
			got, err := runShell(t, shell, "eval "+script, c.env...)
			if want := strings.TrimSuffix(c.want, "|"); err != nil || strings.TrimRight(got, "|") != strings.TrimRight(want, "|") {
				t.Errorf("%s: %v gives %q, %v, want %q", name, c.env, got, err, c.want)
			}
		}
	}
}

func TestMySQLIsReachedByItsEnvironment(t *testing.T) {
	const tell = `printf '%s|' "$user" "$MYSQL_PWD" "$database" "$host" "$port"; text 'it'"'"'s \'; ident 'a` + "`" + `b'`
	bin := t.TempDir()
	for _, name := range []string{"mariadb", "mariadb-dump"} {
		if err := exec.Command("install", "-m", "755", "/bin/true", bin+"/"+name).Run(); err != nil {
			t.Skip("no install here")
		}
	}
	quoted := `'it\'s \\'` + "`a``b`"
	for _, c := range []struct {
		at   Place
		env  []string
		want string
	}{
		{Place{}, []string{"MYSQL_ROOT_PASSWORD=r t", "MYSQL_DATABASE=shop", "MYSQL_USER=u"}, "root|r t|shop|||"},
		{Place{}, []string{"MARIADB_USER=u", "MYSQL_PASSWORD=p'", "MARIADB_DATABASE=d", "MARIADB_RANDOM_ROOT_PASSWORD=1"}, "u|p'|d|||"},
		{Place{}, []string{"MYSQL_ALLOW_EMPTY_PASSWORD=1", "MYSQL_USER=u", "MYSQL_PASSWORD=p", "MYSQL_DATABASE=d"}, "root||d|||"},
		{Place{Backup: config.Backup{URL: "U"}}, []string{"U=mysql2://a:b%20c@h:3307/d?x=1"}, "a|b c|d|h|3307|"},
	} {
		line, err := c.at.mysql(tell)
		if err != nil {
			t.Fatal(err)
		}
		for name, shell := range shells(t) {
			got, err := runShell(t, shell, "eval "+lastScript(line.Shell()), slices.Concat(c.env, []string{"PATH=" + bin + ":/usr/bin:/bin"})...)
			if err != nil || got != c.want+quoted {
				t.Errorf("%s: %v gives %q, %v, want %q", name, c.env, got, err, c.want+quoted)
			}
		}
	}
}

// lastScript is the word of a line that its sh -c runs, still quoted.
func lastScript(line string) string {
	_, script, _ := strings.Cut(line, " sh -c ")
	return strings.TrimSuffix(script, " sh ''")
}

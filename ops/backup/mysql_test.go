package backup

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"binnacle/config"
)

// What an address asks of TLS reaches the client, or is refused.
func TestMySQLAddressAsksForTLS(t *testing.T) {
	const oracle, maria = "--ssl-mode=name", "--ssl-verify-server-cert"
	for _, c := range []struct{ query, client, cipher, want string }{
		{"", oracle, "", "||||"},
		{"?pool=5", maria, "", "||||"},
		{"?ssl_mode=verify_identity&sslca=/etc/my%20ca.pem", oracle, "", "--ssl-mode=VERIFY_IDENTITY|/etc/my ca.pem|||"},
		{"?ssl-mode=REQUIRED&sslcert=/c&sslkey=/k", oracle, "", "--ssl-mode=REQUIRED||/c|/k|"},
		{"?sslmode=disabled", oracle, "", "--ssl-mode=DISABLED||||"},
		{"?sslmode=disabled", maria, "", "--skip-ssl||||"},
		{"?sslMode=SSL_MODE_PREFERRED", maria, "", "||||"},
		{"?ssl_mode=required", maria, "TLS_AES_256_GCM_SHA384", "--ssl --skip-ssl-verify-server-cert||||"},
		{"?ssl_mode=required", maria, "", "not encrypted"},
		{"?ssl=true", oracle, "", "--ssl-mode=REQUIRED||||"},
		{"?sslverify=true&sslca=/ca", maria, "X", "--ssl --ssl-verify-server-cert|/ca|||"},
		{"?sslca=/ca", oracle, "", "--ssl-mode=VERIFY_CA|/ca|||"},
		{"?ssl_mode=whatever", oracle, "", "is none of"},
		{"?tls=custom", maria, "", "is none of"},
		{"?socket=/run/my%2fsock", maria, "", "||||/run/my/sock"},
	} {
		bin := t.TempDir()
		stub := "#!/bin/sh\ncase $1 in --help) echo ' " + c.client + "' ;; *) printf 'Ssl_cipher\\t" + c.cipher + "\\n' ;; esac\n"
		for _, name := range []string{"mariadb", "mariadb-dump"} {
			if err := os.WriteFile(filepath.Join(bin, name), []byte(stub), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		line, err := (Place{Backup: config.Backup{URL: "U"}}).mysql(`printf '%s|' "$tls" "$ca" "$cert" "$key"; printf %s "$socket"`)
		if err != nil {
			t.Fatal(err)
		}
		for name, shell := range shells(t) {
			got, err := runShell(t, shell, "eval "+lastScript(line.Shell()), "PATH="+bin+":/usr/bin:/bin", "U=mysql2://a:b@localhost/d"+c.query)
			if refused := !strings.Contains(c.want, "|"); refused != (err != nil) || !refused && got != c.want || !strings.Contains(got, c.want) {
				t.Errorf("%s: %s with %s gives %q, %v, want %q", name, c.query, c.client, got, err, c.want)
			}
		}
	}
}

// A client that fails, or stops in the midst, is not taken for one that had
// nothing to say: what it said does not reach the next.
func TestMySQLHalfAnswersAreNotRun(t *testing.T) {
	bin := t.TempDir()
	stub := `#!/bin/sh
case "$*" in
  *' -e '*) printf %b "$SAYS"; exit "$ENDS" ;;
esac
cat >>"$RUN"
`
	for _, name := range []string{"mariadb", "mariadb-dump"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(stub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		says, ends, want string
		fails            bool
	}{
		{"DROP VIEW x;\n-- all\n", "0", "DROP VIEW x;\n-- all\n", false},
		{"-- all\n", "0", "-- all\n", false},
		{"", "1", "", true},
		{"", "0", "", true},
		{"DROP VIEW x;\n", "0", "", true},
		{"DROP VIEW x;\n-- all\n", "1", "", true},
	} {
		line, err := (Place{Backup: config.Backup{Database: "d"}}).mysql(mysqlMake + mysqlMoving + `run 'SELECT 1'`)
		if err != nil {
			t.Fatal(err)
		}
		for name, shell := range shells(t) {
			ran := filepath.Join(t.TempDir(), "ran")
			out, err := runShell(t, shell, "eval "+strings.TrimSuffix(lastScript(line.Shell()), " sh d")+"\n", "PATH="+bin+":/usr/bin:/bin", "database=d", "MYSQL_DATABASE=d", "SAYS="+c.says, "ENDS="+c.ends, "RUN="+ran)
			got, _ := os.ReadFile(ran)
			if string(got) != c.want || (err != nil) != c.fails {
				t.Errorf("%s: %q and %s: runs %q, %v: %s", name, c.says, c.ends, got, err, out)
			}
		}
	}
}

func TestMySQLServerOfAnImage(t *testing.T) {
	for image, want := range map[string][]string{
		"mysql:8.0": nil, "registry:5000/mariadb": nil,
		"bitnami/mysql:8.0":                       {"/opt/bitnami/scripts/mysql/run.sh"},
		"docker.io/bitnamilegacy/mariadb@sha256:": {"/opt/bitnami/scripts/mariadb/run.sh"},
	} {
		if got, err := mysqlServer(image); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", image, got, err)
		}
	}
	if _, err := mysqlServer("bitnami/mariadb-galera:11"); err == nil {
		t.Error("starts what it does not know")
	}
}

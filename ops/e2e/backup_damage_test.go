//go:build e2e

package e2e

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"

	"binnacle/ops/e2e/lab"
)

// fails runs binnacle, which must exit 1 and tell one error that has all the
// words; the error is what stands below "failed".
func (p *protectedProject) fails(t *testing.T, words []string, args ...string) {
	t.Helper()
	result := p.run(t, args...)
	_, told, _ := strings.Cut(result.Stderr, "failed\n")
	told = strings.TrimSpace(told)
	if result.Exit != 1 || told == "" {
		t.Errorf("binnacle %s exits %d and tells no error:\n%s", strings.Join(args, " "), result.Exit, result.Output())
		return
	}
	t.Logf("%s: %s", strings.Join(args, " "), told)
	for _, word := range words {
		if !strings.Contains(told, word) {
			t.Errorf("binnacle %s does not tell %q:\n%s", strings.Join(args, " "), word, result.Output())
		}
	}
	errors := slices.DeleteFunc(strings.Split(told, "\n"), func(line string) bool {
		return strings.HasPrefix(line, "    ") || strings.HasPrefix(line, "  Finished") || strings.Contains(line, "lock ") || strings.Contains(line, "serving now")
	})
	if len(errors) != 1 {
		t.Errorf("binnacle %s tells %d errors:\n%s", strings.Join(args, " "), len(errors), told)
	}
}

// objects are the files of the newest backup in the local store, by name.
func (p *protectedProject) objects(t *testing.T, name string) map[string]string {
	t.Helper()
	id := p.kept(t, name)[0].ID
	files := map[string]string{}
	for _, key := range p.stored(t) {
		if strings.Contains(key, "/"+id+"/") {
			files[filepath.Base(key)] = filepath.Join(p.dir, lab.BackupLocalStore, key)
		}
	}
	return files
}

// changed changes a file for as long as the test that is given runs.
func changed(t *testing.T, file string, change func([]byte) []byte, test func()) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write := func(content []byte) {
		t.Helper()
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(change(bytes.Clone(content)))
	test()
	write(content)
}

// What is wrong with a backup, its store, its keys or its host is told in one
// clear error, and nothing is changed.
func TestWhatIsWrongWithABackupIsTold(t *testing.T) {
	p := newProtectedProject(t)
	d := postgresThing()
	d.run(t, p, "CREATE TABLE people AS SELECT n AS id, md5(n::text) AS name FROM generate_series(1, 20000) n")
	want := d.text(t, p)
	p.must(t, "backup", "create", "db")
	p.must(t, "backup", "verify", "db")
	p.forget(t)

	t.Run("a flipped bit", func(t *testing.T) {
		for name, file := range p.objects(t, "db") {
			for _, at := range []float64{0, 0.37, 0.999} {
				flip := func(content []byte) []byte {
					content[int(at*float64(len(content)))] ^= 1 << (len(name) % 8)
					return content
				}
				changed(t, file, flip, func() {
					if result := p.run(t, "backup", "verify", "db"); result.Exit != 1 {
						t.Errorf("a flipped bit at %.3f of %s is not found:\n%s", at, name, result.Output())
					}
					p.forget(t)
				})
			}
		}
	})
	objects := p.objects(t, "db")
	for _, wrong := range []struct {
		name, file string
		change     func([]byte) []byte
		words      []string
	}{
		{"a truncated dump", "database.dump.zst", func(b []byte) []byte { return b[:len(b)/2] }, []string{"dump"}},
		{"an empty dump", "database.dump.zst", func([]byte) []byte { return nil }, []string{"dump"}},
		{"a broken manifest", "manifest.json", func(b []byte) []byte { return b[:len(b)/2] }, []string{"manifest"}},
		{"a server of a newer major version", "manifest.json", func(b []byte) []byte {
			return resealed(b, `"engine_version":"15`, `"engine_version":"19`)
		}, []string{"19", "15"}},
	} {
		t.Run(wrong.name, func(t *testing.T) {
			file := objects[wrong.file]
			if file == "" {
				t.Fatalf("the backup has no %s: %v", wrong.file, objects)
			}
			changed(t, file, wrong.change, func() { p.fails(t, wrong.words, "restore", "db", "-y") })
			p.forget(t)
			same(t, "db", d.text(t, p), want)
		})
	}
	t.Run("a missing manifest", func(t *testing.T) {
		file := objects["manifest.json"]
		id := filepath.Base(filepath.Dir(file))
		if err := os.Rename(file, file+".away"); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.Rename(file+".away", file) }()
		if kept := p.kept(t, "db"); len(kept) != 0 {
			t.Errorf("it is listed: %+v", kept)
		}
		p.fails(t, []string{id, "no manifest"}, "restore", "db", id, "-y")
	})
	t.Run("encryption and a wrong identity", p.encryption)
	t.Run("a full store", p.fullStore)
	t.Run("a full host", p.fullHost)
	t.Run("an expired credential", p.expired)
	same(t, "db", d.text(t, p), want)
	p.answers(t)
}

// forget removes what verifications recorded of the damage that is mended.
func (p *protectedProject) forget(t *testing.T) {
	t.Helper()
	p.sh(t, "find "+lab.BackupLocalStore+" -name 'check-*' -delete")
}

func (p *protectedProject) encryption(t *testing.T) {
	mine, other := identity(t), identity(t)
	const plain = "    \"*\":\n      store: local\n"
	p.edit(t, "config/deploy.yml", plain, plain+"      encrypt:\n        recipients:\n          - "+mine.Recipient().String()+"\n")
	defer p.edit(t, "config/deploy.yml", "      encrypt:\n        recipients:\n          - "+mine.Recipient().String()+"\n", "")
	p.write(t, "mine.txt", mine.String()+"\n", 0o600)
	p.write(t, "other.txt", other.String()+"\n", 0o600)

	d := postgresThing()
	const marker = "PLANTED-MARKER-7f3a9c-that-nobody-may-read"
	d.run(t, p, "CREATE TABLE secrets AS SELECT '"+marker+"'::text AS told, repeat('"+marker+"', 50) AS often; COMMENT ON TABLE secrets IS '"+marker+"'")
	defer d.run(t, p, "DROP TABLE secrets")
	want := d.text(t, p)
	p.must(t, "backup", "create", "db")
	for name, file := range p.objects(t, "db") {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{marker, marker[:16], "secrets", "people", "PGDMP"} {
			if bytes.Contains(content, []byte(word)) {
				t.Errorf("%s holds %q", name, word)
			}
		}
		if zstd := []byte{0x28, 0xb5, 0x2f, 0xfd}; bytes.Contains(content, zstd) {
			t.Errorf("%s holds a zstd frame", name)
		}
	}
	p.must(t, "backup", "verify", "db")
	p.fails(t, []string{"encrypted", "identity"}, "restore", "db", "-y")
	p.fails(t, []string{"identity"}, "restore", "db", "-y", "--identity", "other.txt")
	p.fails(t, []string{"missing.txt"}, "restore", "db", "-y", "--identity", "missing.txt")
	same(t, "db", d.text(t, p), want)
	d.run(t, p, "DELETE FROM people; DROP TABLE secrets")
	p.must(t, "restore", "db", "-y", "--identity", "mine.txt")
	same(t, "db", d.text(t, p), want)
	p.nothingLeft(t, d)
}

func (p *protectedProject) fullStore(t *testing.T) {
	vm3 := p.fleet.Host("vm3")
	exec(t, vm3, "mkdir -p %[1]s && mount -t tmpfs -o size=300k store %[1]s", lab.BackupSSHStore)
	defer exec(t, vm3, "umount %s", lab.BackupSSHStore)
	p.keepIn(t, "ssh")
	defer p.keepIn(t, "local")
	p.fails(t, []string{"ssh://vm3" + lab.BackupSSHStore}, "backup", "create", "db")
	if left := exec(t, vm3, "find %s -type f", lab.BackupSSHStore); left != "" {
		t.Errorf("the store still has %s", left)
	}
	if kept := p.kept(t, "db"); len(kept) != 0 {
		t.Errorf("it is listed: %+v", kept)
	}
}

// fullHost restores where the data of the accessory lies on a disk that has no
// room for it twice.
func (p *protectedProject) fullHost(t *testing.T) {
	d := filesThing()
	vm2 := p.fleet.Host("vm2")
	exec(t, vm2, "docker rm --force %s >/dev/null && docker volume rm files_data >/dev/null && docker volume create --opt type=tmpfs --opt device=tmpfs --opt o=size=8m files_data", d.container())
	p.must(t, "accessory", "boot", "files")
	d.run(t, p, "head -c 6000000 /dev/urandom > /srv/files/large")
	want := d.text(t, p)
	p.must(t, "backup", "create", "files")
	p.fails(t, []string{"full", "vm2"}, "restore", "files", "-y")
	same(t, "files", d.text(t, p), want)
	p.nothingLeft(t, d)
}

// expired talks to a service that refuses as AWS refuses a session that is over.
func (p *protectedProject) expired(t *testing.T) {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprint(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message><RequestId>1</RequestId></Error>`)
	}))
	defer service.Close()
	p.edit(t, "config/deploy.yml", p.s3.Endpoint, service.URL)
	defer p.edit(t, "config/deploy.yml", service.URL, p.s3.Endpoint)
	p.keepIn(t, "s3")
	defer p.keepIn(t, "local")
	for _, args := range [][]string{{"backup", "create", "db"}, {"backup", "list", "db"}, {"restore", "db", "-y"}} {
		p.fails(t, []string{"expired"}, args...)
	}
}

// Helpers

func identity(t *testing.T) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// resealed replaces text in a manifest and makes its checksum right again.
func resealed(content []byte, from, to string) []byte {
	line, _, _ := strings.Cut(string(content), "\n")
	line = strings.Replace(line, from, to, 1) + "\n"
	return fmt.Appendf([]byte(line), "{\"sha256\":\"%x\"}\n", sha256.Sum256([]byte(line)))
}

package live

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"binnacle/config"
	"binnacle/config/secret"
	"binnacle/ops"
	"binnacle/ops/remote"
)

func TestStoresFindTheirWay(t *testing.T) {
	dir := t.TempDir()
	text := "service: a\nimage: a\nservers: [web1]\nregistry: {username: u, password: p}\nbuilder: {arch: amd64}\n"
	for name, content := range map[string]string{"config/deploy.yml": text, ".kamal/secrets": "S3_KEY=AKID\nS3_SECRET=hunter2-hunter2\nNOTHING=\n"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	redactor := new(secret.Redactor)
	cfg, _, err := config.Load(t.Context(), config.Options{Dir: dir, Version: "v1", Strict: true, Redactor: redactor})
	if err != nil {
		t.Fatal(err)
	}
	here := remote.Local{Home: dir, Dir: dir}
	pool, outside := remote.NewPool(t.Context(), remote.Settings{}, here, nil, nil), remote.NewPool(t.Context(), remote.Settings{}, here, nil, nil)
	t.Cleanup(func() { _, _ = pool.Close(), outside.Close() })
	w := NewWorld(pool, outside, NewLocal(dir), Backups{Config: cfg, Home: dir, Data: filepath.Join(dir, "data", "backups")})
	t.Cleanup(w.Close)

	for path, want := range map[string]string{"": "data/backups/x", "kept": "kept/x", "~/mine": "mine/x"} {
		objects, err := w.Store(t.Context(), config.Store{Type: config.LocalStore, Path: path})
		if err != nil {
			t.Fatal(err)
		}
		if err := objects.Put(t.Context(), "x", strings.NewReader("x")); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(dir, want)); err != nil {
			t.Errorf("path %q: %v", path, err)
		}
	}

	s3 := config.Store{Type: config.S3Store, Endpoint: "http://127.0.0.1:9", Bucket: "kept", AccessKey: "S3_KEY", SecretKey: "S3_SECRET"}
	one, err := w.Store(t.Context(), s3)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := w.Store(t.Context(), s3); err != nil || again != one {
		t.Errorf("the second time it is another store, %v", err)
	}
	if got := redactor.Redact("hunter2-hunter2"); strings.Contains(got, "hunter2") {
		t.Errorf("the redactor does not know the key: %s", got)
	}
	for name, want := range map[string]string{"ABSENT": "ABSENT", "NOTHING": "the secret NOTHING is empty"} {
		s3.SecretKey = name
		if _, err := w.Store(t.Context(), s3); err == nil || !strings.HasPrefix(err.Error(), "store s3://kept: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("with the secret %s: %v", name, err)
		}
	}

	for want, at := range map[*remote.Client]config.Store{
		pool.Host("web1"):                          {Host: "web1"},
		outside.Plain("ssh://elsewhere"):           {Host: "elsewhere"},
		outside.Plain("ssh://backup@web1:2222"):    {Host: "web1", User: "backup", Port: 2222},
		outside.Plain("ssh://backup@[fe80::1]:23"): {Host: "fe80::1", User: "backup", Port: 23},
	} {
		if got := w.stores.host(w, at); got != want {
			t.Errorf("%+v is reached as %s, want %s", at, got.Name(), want.Name())
		}
	}
}

// What is asked about is looked at, and no other store.
func TestOnlyWhatIsNamedIsObserved(t *testing.T) {
	for name, want := range map[string]string{"": "db cache", "all": "db cache", "db": "db", "nothing": ""} {
		dir := t.TempDir()
		file := filepath.Join(dir, "config", "deploy.yml")
		text := "service: a\nimage: a\nservers: [web1]\nregistry: {username: u, password: p}\nbuilder: {arch: amd64}\n" +
			"accessories: {db: {image: postgres, host: web1}, cache: {image: redis, host: web1}}\n" +
			"x-binnacle: {stores: {kept: {type: local, path: kept}}}\n"
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		s, err := Open(t.Context(), Options{Dir: dir, Version: "v1"})
		if err != nil {
			t.Fatal(err)
		}
		s.ObserveBackups(t.Context(), name)
		var seen []string
		app, _ := s.Store.State().Fleet.App(s.App)
		for _, config := range s.Config.Backups() {
			if slices.ContainsFunc(app.Backups, func(b ops.Backed) bool { return b.Name == config.Name && !b.SeenAt.IsZero() }) {
				seen = append(seen, config.Name)
			}
		}
		s.Close()
		if got := strings.Join(seen, " "); got != want {
			t.Errorf("%q: looked at %q, want %q", name, got, want)
		}
	}
}

// Whoever is asked for one store's credential does not hold up the others.
func TestASlowCredentialHoldsUpOnlyItsStore(t *testing.T) {
	dir := t.TempDir()
	w := NewWorld(nil, nil, NewLocal(dir), Backups{Home: dir})
	slow := config.Store{Type: config.LocalStore, Path: "slow"}
	one := new(opened)
	w.stores.open[slow] = one
	one.mu.Lock()
	asked := make(chan error, 1)
	go func() {
		_, err := w.Store(t.Context(), slow)
		asked <- err
	}()
	if _, err := w.Store(t.Context(), config.Store{Type: config.LocalStore, Path: "quick"}); err != nil {
		t.Error(err)
	}
	one.mu.Unlock()
	if err := <-asked; err != nil {
		t.Error(err)
	}
}

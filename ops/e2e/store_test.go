//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	osexec "os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"golang.org/x/sync/errgroup"

	"binnacle/config"
	"binnacle/config/secret"
	"binnacle/ops"
	"binnacle/ops/backup/store"
	"binnacle/ops/e2e/lab"
	"binnacle/ops/remote"
)

const megabyte = 1 << 20

// TestStores holds each kind of store to what ops.Objects promises.
func TestStores(t *testing.T) {
	for _, kind := range []struct {
		name string
		make func(*testing.T) *place
	}{{"local", localPlace}, {"s3", s3Place}, {"ssh", sshPlace}} {
		t.Run(kind.name, func(t *testing.T) {
			p := kind.make(t)
			t.Run("objects come and go", p.comeAndGo)
			t.Run("many objects", p.many)
			t.Run("what is read is what was written", p.roundTrip)
			t.Run("a failed reader leaves nothing", p.failedReader)
			t.Run("a cancel leaves nothing", p.cancelled)
			t.Run("a store that dies leaves nothing", p.dies)
			t.Run("a full disk is told", p.full)
			t.Run("memory stays small", p.memory)
		})
	}
}

// TestStoresWithWrongCredentials holds what a person is told.
func TestStoresWithWrongCredentials(t *testing.T) {
	s := startS3(t, "")
	for _, c := range []struct {
		name           string
		access, secret string
		bucket         string
		want           []string
	}{
		{"key", "nobody", s.SecretKey, s.Bucket, []string{"the service does not know the access key", "S3_KEY"}},
		{"secret", s.AccessKey, "hunter2-hunter2", s.Bucket, []string{"the secret key is not that of the access key", "S3_SECRET"}},
		{"bucket", s.AccessKey, s.SecretKey, "elsewhere", []string{"there is no bucket elsewhere"}},
	} {
		objects := openStore(t, config.Store{
			Type: config.S3Store, Endpoint: s.Endpoint, Bucket: c.bucket, Path: "shop", PathStyle: true, AccessKey: "S3_KEY", SecretKey: "S3_SECRET",
		}, store.Options{AccessKey: secret.New(c.access), SecretKey: secret.New(c.secret)})
		_, listed := objects.List(t.Context(), "")
		_, opened := objects.Open(t.Context(), "x")
		for call, err := range map[string]error{
			"List": listed, "Open": opened, "Put": objects.Put(t.Context(), "x", strings.NewReader("x")),
			"a large Put": objects.Put(t.Context(), "x", &stream{left: 20 * megabyte}),
			"Delete":      objects.Delete(t.Context(), "x"), "Sweep": objects.Sweep(t.Context(), ""),
		} {
			var told *ops.Error
			if !errors.As(err, &told) || told.Summary != "store s3://"+c.bucket+"/shop" {
				t.Errorf("%s: %s: %v", c.name, call, err)
				continue
			}
			for _, word := range c.want {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%s: %s: %q is not in %v", c.name, call, word, err)
				}
			}
			if strings.Contains(err.Error(), s.SecretKey) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: %s shows the secret: %v", c.name, call, err)
			}
		}
	}
}

func TestStoreOnAHostThatIsNotThere(t *testing.T) {
	pool := storePool(t)
	objects := openStore(t, config.Store{Type: config.SSHStore, Host: "127.0.0.1", Port: 9, Path: "backups"},
		store.Options{Host: pool.Plain("ssh://127.0.0.1:9")})
	_, err := objects.List(t.Context(), "")
	if told := new(ops.Error); !errors.As(err, &told) || !strings.Contains(err.Error(), "connection refused") || told.Hint == "" {
		t.Errorf("got %v", err)
	}
}

// Helpers

// place is a store and what can be done to it behind its back.
type place struct {
	objects ops.Objects
	files   func(*testing.T) []string // all that is there, whole or not
	kill    func(*testing.T)          // nil where nothing can die but we
	revive  func(*testing.T)
	small   func(*testing.T) *place // a disk of 24 MiB
}

func (p *place) comeAndGo(t *testing.T) {
	ctx := t.Context()
	for _, key := range []string{"shop/db/1/dump", "shop/db/1/manifest.json", "shop/db/2/dump", "shop/dbx/1/dump", "shop/db/1/dump"} {
		if err := p.objects.Put(ctx, key, strings.NewReader(key+"!")); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.objects.Put(ctx, "shop/db/2/dump", strings.NewReader("")); err != nil { // replaced
		t.Fatal(err)
	}
	want := []ops.Object{{Key: "shop/db/1/dump", Size: 15}, {Key: "shop/db/1/manifest.json", Size: 24}, {Key: "shop/db/2/dump"}}
	got := p.list(t, "shop/db/")
	for i := range got {
		if age := time.Since(got[i].Modified); age < -time.Minute || age > time.Minute {
			t.Errorf("%s is %s old", got[i].Key, age)
		}
		got[i].Modified = time.Time{}
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
	if text := p.read(t, "shop/db/1/dump"); text != "shop/db/1/dump!" {
		t.Errorf("read %q", text)
	}
	if text := p.read(t, "shop/db/2/dump"); text != "" {
		t.Errorf("an empty object reads %q", text)
	}
	if _, err := p.objects.Open(ctx, "shop/db/3/dump"); !errors.Is(err, ops.ErrNotFound) {
		t.Errorf("an absent object: %v", err)
	}
	if err := p.objects.Delete(ctx, "shop/db/1/manifest.json", "shop/db/1/absent", "shop/db/1/dump", "shop/db/2/dump", "shop/dbx/1/dump"); err != nil {
		t.Error(err)
	}
	if left := p.list(t, ""); len(left) != 0 {
		t.Errorf("left are %v", left)
	}
}

func (p *place) many(t *testing.T) {
	var want []string
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(8)
	for i := range 1200 {
		key := fmt.Sprintf("shop/many/%02d/%04d", i/100, i)
		want = append(want, key)
		group.Go(func() error { return p.objects.Put(ctx, key, strings.NewReader(key)) })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	var got []string
	for _, o := range p.list(t, "shop/many/") {
		got = append(got, o.Key)
	}
	t.Logf("listed %d objects in %s", len(got), time.Since(begun).Round(time.Millisecond))
	if !slices.Equal(got, want) {
		t.Errorf("listed %d objects, not the 1200", len(got))
	}
	if err := p.objects.Delete(t.Context(), want...); err != nil {
		t.Error(err)
	}
	if left := p.list(t, ""); len(left) != 0 {
		t.Errorf("left are %d", len(left))
	}
}

func (p *place) roundTrip(t *testing.T) {
	body := &stream{left: 64*megabyte + 17, sum: sha256.New()}
	if err := p.objects.Put(t.Context(), "shop/db/1/dump", iotest.HalfReader(body)); err != nil {
		t.Fatal(err)
	}
	r, err := p.objects.Open(t.Context(), "shop/db/1/dump")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	if n, err := io.Copy(sum, r); err != nil || n != 64*megabyte+17 || !bytes.Equal(sum.Sum(nil), body.sum.Sum(nil)) {
		t.Errorf("read %d other bytes, %v", n, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	// One that is given up in the middle does not disturb the next.
	r, err = p.objects.Open(t.Context(), "shop/db/1/dump")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, megabyte)); err != nil {
		t.Error(err)
	}
	_ = r.Close()
	if err := p.objects.Delete(t.Context(), "shop/db/1/dump"); err != nil {
		t.Error(err)
	}
	p.wantNothing(t)
}

func (p *place) failedReader(t *testing.T) {
	broken := fmt.Errorf("the dump broke off: %w", io.EOF) // which is no end
	for _, size := range []int{megabyte, 40 * megabyte} {
		err := p.objects.Put(t.Context(), "shop/db/1/dump", io.MultiReader(&stream{left: size}, iotest.ErrReader(broken)))
		if !errors.Is(err, broken) {
			t.Errorf("after %d bytes: %v", size, err)
		}
	}
	p.wantNothing(t)
}

func (p *place) cancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := p.objects.Put(ctx, "shop/db/1/dump", &stream{left: 200 * megabyte, at: 40 * megabyte, then: cancel})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	p.wantNothing(t)
}

func (p *place) dies(t *testing.T) {
	if p.kill == nil {
		t.Skip("nothing but this process can die")
	}
	begun := time.Now()
	err := p.objects.Put(t.Context(), "shop/db/1/dump", &stream{left: 200 * megabyte, at: 40 * megabyte, then: func() { p.kill(t) }})
	t.Logf("after %s: %v", time.Since(begun).Round(time.Millisecond), err)
	var told *ops.Error
	if !errors.As(err, &told) || !strings.HasPrefix(told.Summary, "store s") || strings.Contains(err.Error(), "\n") || len(err.Error()) > 250 {
		t.Errorf("got %v", err)
	}
	p.revive(t)
	if got := p.list(t, ""); len(got) != 0 {
		t.Errorf("listed %v", got)
	}
	if err := p.objects.Sweep(t.Context(), "shop/db/1/"); err != nil {
		t.Error(err)
	}
	p.wantNothing(t)
}

func (p *place) full(t *testing.T) {
	if p.small == nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("a small disk cannot be made here")
		}
		t.Skip("a small disk cannot be made here")
	}
	small := p.small(t)
	begun := time.Now()
	err := small.objects.Put(t.Context(), "shop/db/1/dump", &stream{left: 64 * megabyte})
	t.Logf("after %s: %v", time.Since(begun).Round(time.Millisecond), err)
	if told := new(ops.Error); !errors.As(err, &told) || !strings.Contains(err.Error(), "the disk is full") || told.Hint == "" {
		t.Errorf("got %v", err)
	}
	small.wantNothing(t)
	if err := small.objects.Put(t.Context(), "shop/db/1/dump", strings.NewReader("x")); err != nil {
		t.Errorf("there is no room again: %v", err)
	}
}

func (p *place) memory(t *testing.T) {
	const size, most = 1 << 30, 60 * megabyte
	runtime.GC()
	stop, peak := make(chan struct{}), make(chan uint64)
	go func() {
		var highest uint64
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			highest = max(highest, m.HeapAlloc)
			select {
			case <-stop:
				peak <- highest
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	begun := time.Now()
	err := p.objects.Put(t.Context(), "shop/db/1/dump", &stream{left: size})
	took := time.Since(begun)
	close(stop)
	highest := <-peak
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("wrote 1 GiB at %.0f MiB/s; the heap was %d MiB at most", 1024/took.Seconds(), highest/megabyte)
	if highest > most {
		t.Errorf("the heap was %d MiB", highest/megabyte)
	}
	if err := p.objects.Delete(t.Context(), "shop/db/1/dump"); err != nil {
		t.Error(err)
	}
}

func (p *place) list(t *testing.T, prefix string) []ops.Object {
	t.Helper()
	all, err := p.objects.List(t.Context(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (p *place) read(t *testing.T, key string) string {
	t.Helper()
	r, err := p.objects.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	return string(text)
}

func (p *place) wantNothing(t *testing.T) {
	t.Helper()
	if got := p.list(t, ""); len(got) != 0 {
		t.Errorf("listed %v", got)
	}
	if got := p.files(t); len(got) != 0 {
		t.Errorf("there is still %v", got)
	}
}

func localPlace(t *testing.T) *place {
	root := filepath.Join(t.TempDir(), "backups")
	p := placeIn(t, root)
	if canMount(t) {
		p.small = func(t *testing.T) *place { return placeIn(t, smallDisk(t)) }
	}
	return p
}

func placeIn(t *testing.T, root string) *place {
	return &place{
		objects: openStore(t, config.Store{Type: config.LocalStore, Path: root}, store.Options{}),
		files:   func(t *testing.T) []string { return filesBelow(t, root) },
	}
}

func s3Place(t *testing.T) *place {
	p := placeOn(t, startS3(t, ""))
	if canMount(t) {
		p.small = func(t *testing.T) *place { return placeOn(t, startS3(t, smallDisk(t))) }
	}
	return p
}

func startS3(t *testing.T, files string) *lab.S3 {
	t.Helper()
	s, err := lab.StartS3(t.Context(), t.TempDir(), files, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

func placeOn(t *testing.T, s *lab.S3) *place {
	return &place{
		objects: openStore(t, config.Store{Type: config.S3Store, Endpoint: s.Endpoint, Bucket: s.Bucket, Path: "team/shop", PathStyle: true},
			store.Options{AccessKey: secret.New(s.AccessKey), SecretKey: secret.New(s.SecretKey)}),
		files: func(t *testing.T) []string {
			return slices.DeleteFunc(filesBelow(t, filepath.Join(s.Files, s.Bucket)), func(path string) bool {
				// What the service was writing when it died is its own; a part of an
				// upload lies one folder deeper.
				own, _ := filepath.Match("/.sgwtmp/multipart/*/*", path)
				return own
			})
		},
		kill: func(*testing.T) { s.Stop() },
		revive: func(t *testing.T) {
			if err := s.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
	}
}

func sshPlace(t *testing.T) *place {
	pool := storePool(t)
	host := shared.Host("vm1")
	on := func(t *testing.T, root string) *place {
		t.Cleanup(func() { _, _ = host.Exec(context.WithoutCancel(t.Context()), "rm -rf "+root+"/*") })
		return &place{
			objects: openStore(t, config.Store{Type: config.SSHStore, Host: "vm1", Path: root}, store.Options{Host: pool.Host("vm1")}),
			files: func(t *testing.T) []string {
				return strings.Fields(exec(t, host, "test ! -d %s || find %s -type f", root, root))
			},
		}
	}
	p := on(t, "/var/tmp/store/backups")
	p.kill = func(t *testing.T) {
		if err := host.Kill(t.Context()); err != nil {
			t.Error(err)
		}
	}
	p.revive = func(t *testing.T) {
		if err := host.Boot(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	p.small = func(t *testing.T) *place {
		exec(t, host, "mkdir -p /mnt/small && mount -t tmpfs -o size=24m tmpfs /mnt/small")
		t.Cleanup(func() { _, _ = host.Exec(context.WithoutCancel(t.Context()), "umount /mnt/small") })
		return on(t, "/mnt/small")
	}
	return p
}

func storePool(t *testing.T) *remote.Pool {
	t.Helper()
	pool := remote.NewPool(t.Context(), remote.Settings{ConfigFiles: []string{shared.SSHConfig()}}, remote.Local{Home: t.TempDir()}, nil, nil)
	t.Cleanup(func() { _ = pool.Close() })
	return pool
}

func openStore(t *testing.T, at config.Store, o store.Options) ops.Objects {
	t.Helper()
	objects, err := store.Open(t.Context(), at, o)
	if err != nil {
		t.Fatal(err)
	}
	if c, ok := objects.(io.Closer); ok {
		t.Cleanup(func() { _ = c.Close() })
	}
	return objects
}

// stream is noise of a size, made as it is read, that does something on the way.
type stream struct {
	left int
	sum  hash.Hash
	at   int // after so many bytes
	then func()

	noise []byte
	given int
}

func (s *stream) Read(b []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	if s.noise == nil {
		s.noise = make([]byte, megabyte)
		_, _ = rand.NewChaCha8([32]byte{1}).Read(s.noise)
	}
	n := copy(b[:min(len(b), s.left)], s.noise[s.given%len(s.noise):])
	s.left -= n
	s.given += n
	if s.sum != nil {
		s.sum.Write(b[:n])
	}
	if s.then != nil && s.given >= s.at {
		s.then()
		s.then = nil
	}
	return n, nil
}

func filesBelow(t *testing.T, root string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && d.Type().IsRegular() {
			out = append(out, strings.TrimPrefix(path, root))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func canMount(t *testing.T) bool {
	return os.Getuid() == 0 && runtime.GOOS == "linux" && smallDisk(t) != ""
}

// smallDisk mounts one for the time of a test; "" where that may not be done.
func smallDisk(t *testing.T) string {
	t.Helper()
	at := t.TempDir()
	if err := osexec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", at).Run(); err != nil {
		return ""
	}
	t.Cleanup(func() { _ = osexec.CommandContext(context.WithoutCancel(t.Context()), "umount", at).Run() })
	return at
}

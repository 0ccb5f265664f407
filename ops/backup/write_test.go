package backup_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"binnacle/ops"
	"binnacle/ops/backup"
)

// TestCancelledDumpEnds has a cancel come while the store waits for bytes that
// the dump does not give, which is what a host that hangs looks like.
func TestCancelledDumpEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, backup.Keys{})
		ctx, cancel := context.WithCancel(t.Context())
		_, err := d.Write(ctx, d.draft, func(put backup.Put) (backup.Facts, error) {
			return facts(), put("dump", func(w io.Writer) error {
				if _, err := w.Write(content(1 << 20)); err != nil {
					return err
				}
				synctest.Wait() // the store waits for more
				cancel()
				<-ctx.Done()
				return ctx.Err()
			})
		}, nil)
		if !errors.Is(err, context.Canceled) || len(d.keys(t)) != 0 {
			t.Errorf("%v, left %v", err, d.keys(t))
		}
	})
}

// TestStoreThatFailsEndsTheDump holds that a dump which would go on for ever is
// told, and that the store's error is the one that is reported, not the engine's
// for having been interrupted.
func TestStoreThatFailsEndsTheDump(t *testing.T) {
	d := newDesk(t, backup.Keys{})
	full := errors.New("no space left on device")
	d.objects.Fail = func(_ context.Context, call, key string) error {
		if call == "put" && strings.Contains(key, "/dump") {
			return full
		}
		return nil
	}
	swallowed := errors.New("exit status 141")
	_, err := d.Write(t.Context(), d.draft, func(put backup.Put) (backup.Facts, error) {
		err := put("dump", func(w io.Writer) error {
			noise, block := rand.NewChaCha8([32]byte{7}), make([]byte, 1<<16)
			for {
				_, _ = noise.Read(block)
				if _, err := w.Write(block); err != nil {
					return swallowed
				}
			}
		})
		if !errors.Is(err, full) {
			t.Errorf("put: %v", err)
		}
		return facts(), nil // an engine that passes over it
	}, nil)
	if !errors.Is(err, full) || errors.Is(err, swallowed) || len(d.keys(t)) != 0 {
		t.Errorf("%v, left %v", err, d.keys(t))
	}
}

// TestStoreThatLosesAPart has a store that says yes and lists nothing.
func TestStoreThatLosesAPart(t *testing.T) {
	d := newDesk(t, backup.Keys{})
	d.objects.Fail = func(ctx context.Context, call, key string) error {
		if call == "put" && strings.Contains(key, "/facts") {
			d.objects.Change(strings.Replace(key, "/facts", "/dump", 1), []byte("short"))
		}
		return nil
	}
	_, err := d.Write(t.Context(), d.draft, dump(small()), nil)
	if err == nil || !strings.Contains(err.Error(), "part dump has 5 bytes") || len(d.keys(t)) != 0 {
		t.Errorf("%v, left %v", err, d.keys(t))
	}
}

func TestSuspiciousSize(t *testing.T) {
	d := newDesk(t, backup.Keys{})
	step := func() { d.now = d.now.Add(24 * time.Hour) }
	for range 3 {
		d.write(t, map[string][]byte{"dump": content(5000)})
		step()
	}
	e := d.write(t, map[string][]byte{"dump": content(2000)})
	if e.Rung != ops.Dumped || !strings.Contains(e.Problem, "less than half of the usual size") {
		t.Errorf("half: %v, %q", e.Rung, e.Problem)
	}
	if found, err := d.Find(t.Context(), ""); err != nil || found.ID == e.ID {
		t.Errorf("it is taken for a good one: %v", err)
	}
	e, err := d.Record(t.Context(), e, backup.Check{Rung: ops.Matched, At: d.now})
	if err != nil || e.Rung != ops.Dumped || e.Problem == "" {
		t.Errorf("bytes that match prove no size: %v, %q, %v", e.Rung, e.Problem, err)
	}
	e, err = d.Record(t.Context(), e, backup.Check{Rung: ops.Checked, At: d.now})
	if err != nil || e.Rung != ops.Checked || e.Problem != "" {
		t.Errorf("restored, it is what there was: %v, %q, %v", e.Rung, e.Problem, err)
	}
	step()
	if e := d.write(t, map[string][]byte{"dump": content(1900)}); e.Problem != "" {
		t.Errorf("after that, it is the usual size: %q", e.Problem)
	}
	step()
	if e := d.write(t, map[string][]byte{"dump": []byte("-- empty\n")}); !strings.Contains(e.Problem, "next to nothing") {
		t.Errorf("tiny: %q", e.Problem)
	}
}

// TestMemoryIsBounded writes more than would fit into the bound.
func TestMemoryIsBounded(t *testing.T) {
	recipient, keys := pair(t)
	d := newDesk(t, keys, recipient)
	shelf := backup.NewShelf(sewer{}, app, name, keys)
	block := content(1 << 19)
	var top runtime.MemStats
	_, err := shelf.Write(t.Context(), d.draft, func(put backup.Put) (backup.Facts, error) {
		return facts(), put("dump", func(w io.Writer) error {
			for i := range 128 {
				if _, err := w.Write(block); err != nil {
					return err
				}
				if i%32 == 0 {
					var now runtime.MemStats
					runtime.ReadMemStats(&now)
					if now.HeapAlloc > top.HeapAlloc {
						top = now
					}
				}
			}
			return nil
		})
	}, nil)
	if err == nil || !strings.Contains(err.Error(), "part dump is missing") {
		t.Fatalf("the sewer keeps nothing: %v", err)
	}
	if top.HeapAlloc > 64<<20 {
		t.Errorf("%d MB of memory", top.HeapAlloc>>20)
	}
}

// sewer is a store that takes everything and keeps nothing.
type sewer struct{}

func (sewer) Put(_ context.Context, _ string, body io.Reader) error {
	_, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, body, make([]byte, 1<<20))
	return err
}
func (sewer) Open(context.Context, string) (io.ReadCloser, error) { return nil, ops.ErrNotFound }
func (sewer) List(context.Context, string) ([]ops.Object, error)  { return nil, nil }
func (sewer) Delete(context.Context, ...string) error             { return nil }
func (sewer) Sweep(context.Context, string) error                 { return nil }

// rows is text as a dump of tables has it: it packs to a third or so.
func rows(size int) []byte {
	var out bytes.Buffer
	state := uint64(1)
	for i := 0; out.Len() < size; i++ {
		state = state*6364136223846793005 + 1442695040888963407
		out.WriteString(strconv.Itoa(i) + "\t" + strconv.FormatUint(state>>20, 36) + "@example.com\t2026-11-23 08:15:00." + strconv.Itoa(int(state>>44)) + "\tt\tnote of row " + strconv.Itoa(i%97) + "\n")
	}
	return out.Bytes()[:size]
}

// BenchmarkWrite is the whole chain; the zstd command, where there is one, is
// what it has to stand beside.
func BenchmarkWrite(b *testing.B) {
	block := rows(64 << 20)
	for _, encrypted := range []bool{false, true} {
		b.Run(map[bool]string{false: "clear", true: "encrypted"}[encrypted], func(b *testing.B) {
			var keys backup.Keys
			d := desk{now: time.Now()}
			d.draft.Now = time.Now
			if encrypted {
				var recipient string
				recipient, keys = pair(b)
				d.draft.Backup.Encrypt.Recipients = []string{recipient}
			}
			shelf := backup.NewShelf(sewer{}, app, name, keys)
			b.SetBytes(int64(len(block)))
			for b.Loop() {
				_, _ = shelf.Write(b.Context(), d.draft, func(put backup.Put) (backup.Facts, error) {
					return facts(), put("dump", func(w io.Writer) error {
						_, err := io.CopyBuffer(w, struct{ io.Reader }{bytes.NewReader(block)}, make([]byte, 32<<10))
						return err
					})
				}, nil)
			}
		})
	}
	b.Run("command", func(b *testing.B) {
		if _, err := exec.LookPath("zstd"); err != nil {
			b.Skip(err)
		}
		b.SetBytes(int64(len(block)))
		for b.Loop() {
			cmd := exec.CommandContext(b.Context(), "zstd", "-c", "-q")
			cmd.Stdin = bytes.NewReader(block)
			if err := cmd.Run(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

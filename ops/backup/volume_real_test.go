//go:build e2e

package backup_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/backup"
	"binnacle/ops/command"
)

// startVolume runs a container with a volume full of odd files at /data.
func startVolume(t *testing.T, more string) *server {
	t.Helper()
	s := startWith(t, config.Volume, "redis:7.0", nil, "sleep", "1000")
	s.Database = "/data"
	s.script(`chown 1234:4321 .; chmod 2751 .
mkdir -p plain/deep/er empty private "odd
name" .hidden storage/ab/cd
chmod 700 private; chmod 1777 empty; chown 33:33 plain/deep
echo content > plain/file; echo -n > plain/none; chmod 4755 plain/file; chown 99:98 plain/file
echo hard > plain/one; ln plain/one plain/deep/two; ln plain/one top
ln -s ../plain/file private/link; ln -s /nowhere/at/all dangling; ln -s plain folder
echo x > "odd
name/a 'b' \"c\" \$d *"; echo y > "-n"; echo z > .dot; echo ä > "plain/ünï	tab"
n=$(printf 'n%.0s' $(seq 200)); mkdir -p "plain/$n/$n"; echo long > "plain/$n/$n/$n"
mkfifo plain/pipe; touch -d '2001-02-03 04:05:06' plain/one
head -c 3000000 /dev/urandom > storage/ab/cd/blob; truncate -s 5M storage/ab/cd/sparse
` + more)
	return s
}

func (s *server) script(text string) string {
	s.t.Helper()
	return s.here("docker", "exec", "-u", "0:0", "-w", "/data", s.Container, "sh", "-ec", text)
}

// files tells every file of a folder: kind, mode, owner, time, links, content.
func (s *server) files(at backup.Place) string {
	s.t.Helper()
	return s.here("docker", "exec", "-u", "0:0", "-w", at.Database, at.Container, "sh", "-ec", `find . -path './.binnacle_*' -prune -o -printf '%p|%y|%m|%U:%G|%l' \( ! -type d -printf '|%n|%T@' -o -true \) -printf '\n' | sed 's/\(|[0-9]*\)\.[0-9]*$/\1/' | LC_ALL=C sort
find . -path './.binnacle_*' -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum`)
}

func TestVolumeIsRestoredAsItWas(t *testing.T) {
	s := startVolume(t, "")
	before := s.files(s.Place)
	kept, was := s.dump()
	sameFacts(t, was, s.look(s.Place))
	if err := s.engine.Read(t.Context(), s.Place, kept); err != nil {
		t.Error(err)
	}
	scratch, err := s.engine.Scratch(t.Context(), s.Place, s.Container+"-scratch", kept)
	if err != nil {
		t.Fatal(err)
	}
	sameFacts(t, was, s.look(scratch))
	if got := s.files(scratch); got != before {
		t.Errorf("the copy is\n%s\nwas\n%s", got, before)
	}
	s.script("rm -rf plain .hidden; echo new > new; mkdir other; chown 0:0 .; chmod 755 .")
	old := s.files(s.Place)
	loaded, err := s.engine.Load(t.Context(), s.Place, "binnacle_restore_1", kept)
	if err != nil {
		t.Fatal(err)
	}
	sameFacts(t, was, s.look(loaded))
	if got := s.files(s.Place); got != old {
		t.Error("loading has changed what is there")
	}
	if held, err := s.engine.Swap(t.Context(), s.Place, loaded, "binnacle_before_1"); err != nil || !held {
		t.Fatal(held, err)
	}
	if got := s.files(s.Place); got != before {
		t.Errorf("the folder is\n%s\nwas\n%s", got, before)
	}
	again, facts := s.dump()
	sameFacts(t, was, facts)
	if bytes.Contains(again.parts["files.tar"], []byte("binnacle_")) {
		t.Error("a dump has what a restore kept")
	}
	before1 := s.Place
	before1.Database = "/data/.binnacle_before_1"
	if got := s.files(before1); got != old {
		t.Errorf("what was kept is\n%s\nwas\n%s", got, old)
	}
	if names := s.leftovers(); fmt.Sprint(names) != fmt.Sprint([]string{scratch.Container, "binnacle_before_1"}) {
		t.Errorf("leftovers: %v", names)
	}
	for _, name := range []string{"binnacle_restore_1", "binnacle_before_1", scratch.Container} {
		s.discard(name)
	}
	if names := s.leftovers(); len(names) != 0 {
		t.Errorf("leftovers: %v", names)
	}
	s.Database = "/data/nothing"
	if _, err := s.engine.Look(t.Context(), s.Place); !errors.Is(err, ops.ErrNotFound) {
		t.Errorf("no folder: %v", err)
	}
}

// TestVolumeSwapIsUndone kills swaps at every third of their moves, and undoing too.
func TestVolumeSwapIsUndone(t *testing.T) {
	s := startVolume(t, "")
	kept, _ := s.dump()
	s.script("echo new > new; rm -rf plain; chmod 711 .")
	old := s.files(s.Place)
	s.script(`cat > /usr/local/bin/mv <<'E'
#!/bin/sh
n=$(cat /tmp/moves 2>/dev/null || echo 1000); echo $((n - 1)) > /tmp/moves
[ $n -gt 0 ] || { [ ! -e /tmp/fail ] || exit 1; kill -9 $PPID; exit 1; }
exec /bin/mv "$@"
E
chmod 755 /usr/local/bin/mv`)
	undone := 0
	for moves := 0; ; moves += 3 {
		s.here("docker", "exec", s.Container, "sh", "-c", "rm -f /tmp/moves /tmp/fail")
		loaded, err := s.engine.Load(t.Context(), s.Place, "binnacle_restore_1", kept)
		if err != nil {
			t.Fatal(err)
		}
		s.here("docker", "exec", s.Container, "sh", "-c", fmt.Sprintf("echo %d > /tmp/moves", moves))
		if _, err := s.engine.Swap(t.Context(), s.Place, loaded, "binnacle_before_1"); err == nil {
			break
		}
		s.here("docker", "exec", s.Container, "sh", "-c", fmt.Sprintf("echo %d > /tmp/moves", rand.IntN(8)))
		_ = s.engine.Discard(t.Context(), s.Place, "binnacle_restore_1") // killed as well, now and then
		s.here("docker", "exec", s.Container, "rm", "/tmp/moves")
		if names := s.leftovers(); len(names) > 2 {
			t.Errorf("leftovers: %v", names)
		}
		s.discard("binnacle_restore_1")
		if got := s.files(s.Place); got != old {
			t.Fatalf("killed at move %d, the folder is\n%s\nwas\n%s", moves, got, old)
		}
		if names := s.leftovers(); len(names) != 0 {
			t.Fatalf("leftovers: %v", names)
		}
		undone++
	}
	if undone < 6 {
		t.Errorf("only %d swaps were killed", undone)
	}
	t.Logf("%d swaps were killed and undone", undone)
}

func TestVolumeSwapThatFailsLeavesTheFolder(t *testing.T) {
	s := startVolume(t, "")
	kept, _ := s.dump()
	loaded, err := s.engine.Load(t.Context(), s.Place, "binnacle_restore_1", kept)
	if err != nil {
		t.Fatal(err)
	}
	old := s.files(s.Place)
	s.script(`printf '#!/bin/sh\ncase $1$2 in *storage*) [ -e /tmp/once ] || { touch /tmp/once; exit 1; } ;; esac\nexec /bin/mv "$@"\n' > /usr/local/bin/mv; chmod 755 /usr/local/bin/mv`)
	if _, err := s.engine.Swap(t.Context(), s.Place, loaded, "binnacle_before_1"); err == nil {
		t.Fatal("a move that fails is no failure")
	}
	if got := s.files(s.Place); got != old {
		t.Errorf("the folder is\n%s\nwas\n%s", got, old)
	}
	if names := s.leftovers(); len(names) != 1 {
		t.Errorf("leftovers: %v", names)
	}
}

// cutOff is a connection that breaks after some bytes, without a word to the host.
type cutOff struct {
	onHere
	after int64
}

func (c cutOff) Stream(ctx context.Context, line command.Line, _ io.Reader, stdout io.Writer) error {
	cmd := exec.CommandContext(context.WithoutCancel(ctx), "sh", "-c", line.Shell())
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	_, _ = io.CopyN(stdout, out, c.after)
	_, _ = out.Close(), in.Close()
	go func() { _ = cmd.Wait() }()
	return errors.New("connection lost")
}

func TestVolumePausesAndGoesOn(t *testing.T) {
	s := startVolume(t, "head -c 200000000 /dev/zero > storage/big")
	paused := func() bool {
		return strings.Contains(s.here("docker", "ps", "--filter", "name="+s.Container, "--format", "{{.Status}}"), "Paused")
	}
	at := s.Place
	at.Pause = true
	was, err := s.engine.Dump(t.Context(), at, func(_ string, write func(io.Writer) error) error {
		seen := false
		return write(writerFunc(func(b []byte) (int, error) {
			if !seen {
				seen = true
				if !paused() {
					t.Error("the container runs while it is copied")
				}
			}
			return len(b), nil
		}))
	})
	if err != nil {
		t.Fatal(err)
	}
	sameFacts(t, was, s.look(s.Place))
	if paused() {
		t.Error("the container is paused afterwards")
	}
	at.Remote = cutOff{after: 20_000_000}
	if _, err := s.engine.Dump(t.Context(), at, (&archive{}).put); err == nil || !strings.Contains(err.Error(), "connection lost") {
		t.Errorf("cut off: %v", err)
	}
	began := time.Now()
	waitUntil(t, "the container goes on", func() bool { return !paused() })
	t.Logf("it went on %s after the connection was cut", time.Since(began).Round(time.Millisecond))
}

// hurried is a host to which two minutes are two seconds, with beats of its own.
type hurried struct {
	onHere
	beats bool
}

func (h hurried) Stream(ctx context.Context, line command.Line, _ io.Reader, stdout io.Writer) error {
	in, beat := io.Pipe()
	defer beat.Close()
	if h.beats {
		go func() {
			for err := error(nil); err == nil; time.Sleep(300 * time.Millisecond) {
				_, err = beat.Write([]byte("\n"))
			}
		}()
	}
	words := strings.Replace(line.Shell(), "sleep 120", "sleep 2", 1)
	return h.onHere.Stream(ctx, command.New("sh", "-c", command.Quote(words)), in, stdout)
}

// TestVolumeWaitsForASlowStore holds that a copy ends with whom it is for, and not
// because a store takes nothing for a while.
func TestVolumeWaitsForASlowStore(t *testing.T) {
	s := startVolume(t, "head -c 50000000 /dev/zero > storage/big")
	for _, alive := range []bool{true, false} {
		at := s.Place
		at.Pause, at.Remote = true, hurried{beats: alive}
		began, stalled := time.Now(), false
		was, err := s.engine.Dump(t.Context(), at, func(_ string, write func(io.Writer) error) error {
			return write(writerFunc(func(b []byte) (int, error) {
				if !stalled {
					stalled = true
					time.Sleep(9 * time.Second)
				}
				return len(b), nil
			}))
		})
		switch {
		case alive && err != nil:
			t.Errorf("a store that stalls ends the copy: %v", err)
		case alive:
			sameFacts(t, was, s.look(s.Place))
		case err == nil:
			t.Error("a copy goes on for nobody")
		}
		t.Logf("after %s: %v", time.Since(began).Round(time.Second), err)
		waitUntil(t, "the container goes on", func() bool {
			return !strings.Contains(s.here("docker", "ps", "--filter", "name="+s.Container, "--format", "{{.Status}}"), "Paused")
		})
	}
}

func TestVolumeFoldersOfOddBytes(t *testing.T) {
	s := startVolume(t, `mkdir "$(printf 'M\374ller')" "$(printf 'M\366ller')" "$(printf '\377\376')"; for folder in M*ller; do echo x > "$folder/file"; done`)
	_, was := s.dump()
	text, err := json.Marshal(was)
	if err != nil {
		t.Fatal(err)
	}
	var kept backup.Facts
	if err := json.Unmarshal(text, &kept); err != nil {
		t.Fatal(err)
	}
	sameFacts(t, kept, s.look(s.Place))
	if i := slices.IndexFunc(kept.Tables, func(t backup.Table) bool { return t.Name == "M\ufffdller" }); i < 0 || kept.Tables[i].Rows != 2 {
		t.Errorf("counted: %v", kept.Tables)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestVolumeWithoutAShell(t *testing.T) {
	s := startVolume(t, "")
	facts := s.look(s.Place)
	s.here("docker", "exec", s.Container, "sh", "-c", "rm -f /bin/bash /bin/dash /bin/sh /usr/bin/sh")
	kept, was := s.dump()
	sameFacts(t, facts, was)
	sameFacts(t, facts, s.look(s.Place))
	if _, err := s.engine.Load(t.Context(), s.Place, "binnacle_restore_1", kept); err == nil || !strings.Contains(err.Error(), "has no shell") {
		t.Errorf("Load: %v", err)
	}
	if names := s.leftovers(); len(names) != 0 {
		t.Errorf("leftovers: %v", names)
	}
}

func TestVolumeArchiveThatEndsEarly(t *testing.T) {
	var whole bytes.Buffer
	w := tar.NewWriter(&whole)
	for _, name := range []string{"./", "./a", "./b"} {
		kind := byte(tar.TypeReg)
		if strings.HasSuffix(name, "/") {
			kind = tar.TypeDir
		}
		_ = w.WriteHeader(&tar.Header{Name: name, Typeflag: kind, Mode: 0o755})
	}
	_ = w.Close()
	for end := 0; end < whole.Len(); end += 256 {
		if err := (backup.Volume{}).Read(t.Context(), backup.Place{}, &archive{parts: map[string][]byte{"files.tar": whole.Bytes()[:end]}}); err == nil {
			t.Errorf("%d of %d bytes are an archive", end, whole.Len())
		}
	}
}

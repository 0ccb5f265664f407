//go:build e2e

package backup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/backup"
	"binnacle/ops/command"
	"binnacle/ops/e2e/lab"
)

// onHere is this machine as a host: lines go to its sh.
type onHere struct{ ops.Remote }

// Stream ends the whole command with its context, as a connection does.
func (onHere) Stream(ctx context.Context, line command.Line, stdin io.Reader, stdout io.Writer) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	cmd := exec.CommandContext(ctx, "sh", "-c", "exec "+line.Shell())
	var last bytes.Buffer
	cmd.Stderr, cmd.Stdout, cmd.WaitDelay = &last, stdout, time.Second
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() {
		defer in.Close()
		if stdin == nil {
			return
		}
		source := &watched{r: stdin}
		_, _ = io.Copy(in, source)
		if source.err != nil {
			fail(source.err)
		}
	}()
	err = cmd.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return &ops.ExitError{Host: "here", Code: exit.ExitCode(), Output: strings.TrimSpace(last.String())}
	}
	return err
}

type watched struct {
	r   io.Reader
	err error
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.r.Read(b)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) {
		w.err = err
	}
	return n, err
}

// archive is a backup in memory.
type archive struct {
	order []string
	parts map[string][]byte
}

func (a *archive) put(part string, write func(io.Writer) error) error {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return err
	}
	if a.parts == nil {
		a.parts = map[string][]byte{}
	}
	a.order, a.parts[part] = append(a.order, part), b.Bytes()
	return nil
}

func (a *archive) Open(ctx context.Context, part string) (io.ReadCloser, error) {
	content, ok := a.parts[part]
	if !ok {
		return nil, ops.ErrNotFound
	}
	return io.NopCloser(&cancelled{ctx: ctx, r: bytes.NewReader(content)}), nil
}

// cancelled is a reader of small pieces that ends with its context.
type cancelled struct {
	ctx context.Context
	r   io.Reader
}

func (c *cancelled) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(b[:min(len(b), 64<<10)])
}

// server is a database server in a container of this machine.
type server struct {
	t *testing.T
	backup.Place
	engine backup.Engine
	mu     sync.Mutex
	told   []string
}

// startServer runs an image until the test ends and waits until ready, a command
// in the container, succeeds.
func startServer(t *testing.T, kind config.Engine, image string, env []string, ready string) *server {
	t.Helper()
	images, err := lab.LocalDatabases(t.Context(), t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(images, func(name string) bool { return strings.HasSuffix(name, image) })
	if at < 0 {
		t.Fatalf("no image %s among %v", image, images)
	}
	engine, err := backup.NewEngine(kind)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, engine: engine}
	s.Place = backup.Place{
		Backup: config.Backup{Name: "db", Engine: kind, Host: "here"}, Remote: onHere{}, Image: images[at],
		Container: fmt.Sprintf("binnacle-engine-%s-%d", kind, time.Now().UnixNano()), Label: "binnacle.scratch=test/1/" + t.Name(),
		Tell: func(_ ops.Stream, text string) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.told = append(s.told, text)
		},
	}
	args := []string{"run", "-d", "--name", s.Container}
	for _, pair := range env {
		args = append(args, "-e", pair)
	}
	s.here("docker", append(args, s.Image)...)
	t.Cleanup(func() {
		if t.Failed() {
			said, _ := exec.Command("docker", "logs", "--tail", "20", s.Container).CombinedOutput()
			t.Logf("%s", said)
		}
		_ = exec.Command("docker", "rm", "-f", "-v", s.Container).Run()
	})
	waitUntil(t, "the server is ready", func() bool {
		return exec.Command("docker", "exec", s.Container, "sh", "-c", ready).Run() == nil
	})
	return s
}

// here runs a command of this machine.
func (s *server) here(name string, args ...string) string {
	s.t.Helper()
	var out, problem bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = &out, &problem
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("%s %.60q: %v: %s", name, args, err, &problem)
	}
	return strings.TrimRight(out.String(), "\n")
}

func (s *server) look(at backup.Place) backup.Facts {
	s.t.Helper()
	facts, err := s.engine.Look(s.t.Context(), at)
	if err != nil {
		s.t.Fatal(err)
	}
	return facts
}

func (s *server) dump() (*archive, backup.Facts) {
	s.t.Helper()
	kept := &archive{}
	facts, err := s.engine.Dump(s.t.Context(), s.Place, kept.put)
	if err != nil {
		s.t.Fatal(err)
	}
	return kept, facts
}

func (s *server) leftovers() []string {
	s.t.Helper()
	names, err := s.engine.Leftovers(s.t.Context(), s.Place)
	if err != nil {
		s.t.Fatal(err)
	}
	return names
}

func (s *server) discard(name string) {
	s.t.Helper()
	if err := s.engine.Discard(context.WithoutCancel(s.t.Context()), s.Place, name); err != nil {
		s.t.Error(err)
	}
}

// sameFacts holds what was restored to what was dumped.
func sameFacts(t *testing.T, was, is backup.Facts) {
	t.Helper()
	for _, difference := range backup.Compare(was, is) {
		t.Error(difference)
	}
}

func waitUntil(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); {
		if time.Now().After(deadline) {
			t.Fatalf("not in a minute: %s", what)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

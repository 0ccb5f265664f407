//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"binnacle/ops"
	"binnacle/ops/e2e/lab"
	"binnacle/ops/e2e/traffic"
)

// buildProgram builds the program as a person gets it, unless BINNACLE_PROGRAM
// names one.
func buildProgram(ctx context.Context) (path string, remove func(), err error) {
	if path := os.Getenv("BINNACLE_PROGRAM"); path != "" {
		return path, func() {}, nil
	}
	dir, err := os.MkdirTemp("", "binnacle-e2e-program-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	path = filepath.Join(dir, "binnacle")
	cmd := osexec.CommandContext(ctx, "go", "build", "-trimpath", "-o", path, "binnacle")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		remove()
		return "", nil, fmt.Errorf("building binnacle: %w: %s", err, out)
	}
	return path, remove, nil
}

// project is a project on disk and where its journals go.
type project struct {
	fleet *lab.Fleet
	dir   string
	state string
	env   []string // more environment
}

// newProject writes the project of a story, with journals of its own.
func newProject(t *testing.T, fleet *lab.Fleet, story string) *project {
	t.Helper()
	dir, err := fleet.Project(t.Context(), story)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return &project{fleet: fleet, dir: dir, state: t.TempDir()}
}

// run runs binnacle to its end.
func (p *project) run(t *testing.T, args ...string) lab.Result {
	t.Helper()
	return p.runWith(t, nil, args...)
}

// runWith runs binnacle to its end with more environment.
func (p *project) runWith(t *testing.T, env []string, args ...string) lab.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := p.command(ctx, args...)
	cmd.Env = append(cmd.Env, env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *osexec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("binnacle %s: %v %v\n%s%s", strings.Join(args, " "), err, ctx.Err(), stdout.String(), stderr.String())
	}
	return lab.Result{Stdout: stdout.String(), Stderr: stderr.String(), Exit: cmd.ProcessState.ExitCode()}
}

// must runs binnacle and fails the test unless it exits 0.
func (p *project) must(t *testing.T, args ...string) lab.Result {
	t.Helper()
	result := p.run(t, args...)
	if result.Exit != 0 {
		t.Fatalf("binnacle %s exits %d:\n%s", strings.Join(args, " "), result.Exit, result.Output())
	}
	return result
}

// edit changes a file of the project by replacing text that must be there.
func (p *project) edit(t *testing.T, name string, pairs ...string) {
	t.Helper()
	path := filepath.Join(p.dir, name)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(content)
	for pair := range slices.Chunk(pairs, 2) {
		if !strings.Contains(text, pair[0]) {
			t.Fatalf("%s has no %q", name, pair[0])
		}
		text = strings.Replace(text, pair[0], pair[1], 1)
	}
	p.write(t, name, text, 0o600)
}

func (p *project) write(t *testing.T, name, content string, mode os.FileMode) {
	t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// sh runs a shell command of this machine in the project and must succeed.
func (p *project) sh(t *testing.T, shell string) string {
	t.Helper()
	result, err := p.fleet.Run(t.Context(), p.dir, "sh", "-c", shell)
	if err != nil || result.Exit != 0 {
		t.Fatalf("%s: %v %+v", shell, err, result)
	}
	return strings.TrimSpace(result.Stdout)
}

// process is a binnacle under way that prints JSON records.
type process struct {
	t      *testing.T
	cmd    *osexec.Cmd
	reader sync.WaitGroup
	stderr bytes.Buffer

	mu      sync.Mutex
	records []ops.Record
	changed chan struct{} // closed and replaced with every record
	ended   bool
}

// start starts binnacle with --json.
func (p *project) start(t *testing.T, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	run := &process{t: t, cmd: p.command(ctx, append(args, "--json")...), changed: make(chan struct{})}
	run.cmd.Stderr = &run.stderr
	stdout, err := run.cmd.StdoutPipe()
	if err == nil {
		err = run.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	run.reader.Go(func() { run.read(stdout) })
	return run
}

// until blocks until a record fits; a run that ends first fails the test.
func (r *process) until(what string, fits func(ops.Record) bool) ops.Record {
	r.t.Helper()
	next := 0
	for {
		r.mu.Lock()
		records, ended, changed := r.records, r.ended, r.changed
		r.mu.Unlock()
		for ; next < len(records); next++ {
			if fits(records[next]) {
				return records[next]
			}
		}
		if ended {
			r.t.Fatalf("the run ended before %s\n%s", what, r.transcript())
		}
		<-changed
	}
}

// untilStep blocks until a step has begun.
func (r *process) untilStep(step string) {
	r.t.Helper()
	r.until("step "+step, func(rec ops.Record) bool { return rec.Type == "step_started" && string(rec.Step) == step })
}

func (r *process) signal(sig syscall.Signal) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		r.t.Fatal(err)
	}
}

// wait waits for the end and returns the exit code, -1 for a signal.
func (r *process) wait() int {
	r.t.Helper()
	r.reader.Wait()
	err := r.cmd.Wait()
	var exit *osexec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.t.Fatal(err)
	}
	return r.cmd.ProcessState.ExitCode()
}

// result is the record that closes the task.
func (r *process) result() ops.Record {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rec := range r.records {
		if rec.Type == "task_finished" {
			return rec
		}
	}
	r.t.Errorf("the task never finished")
	return ops.Record{}
}

// transcript is all records, for failures.
func (r *process) transcript() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out strings.Builder
	for _, rec := range r.records {
		fmt.Fprintf(&out, "%s %s %s %s %s %s", rec.Time.Format("05.000"), rec.Type, rec.Step, rec.Host, rec.Status, rec.Text)
		for _, e := range rec.Errors {
			fmt.Fprintf(&out, " | %s: %s", e.Summary, e.Cause)
		}
		out.WriteString("\n")
	}
	return out.String() + r.stderr.String()
}

// Private

func (p *project) command(ctx context.Context, args ...string) *osexec.Cmd {
	cmd := osexec.CommandContext(ctx, binnacle, args...)
	cmd.Dir = p.dir
	cmd.Env = append(p.fleet.Environ(), "XDG_STATE_HOME="+p.state, "NO_COLOR=1")
	cmd.Env = append(cmd.Env, p.env...)
	cmd.WaitDelay = time.Second
	return cmd
}

func (r *process) read(stdout io.Reader) {
	lines := bufio.NewReader(stdout)
	for {
		line, err := lines.ReadBytes('\n')
		var rec ops.Record
		parsed := json.Unmarshal(line, &rec) == nil
		r.mu.Lock()
		if parsed {
			r.records = append(r.records, rec)
		}
		r.ended = err != nil
		close(r.changed)
		r.changed = make(chan struct{})
		r.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// Helpers

// served fails the test when any request went wrong or too few were sent.
func served(t *testing.T, load *traffic.Load) traffic.Report {
	t.Helper()
	report := load.Stop()
	t.Log(report)
	total := 0
	for _, n := range report.Sent {
		total += n
	}
	if report.Failed > 0 || report.Skipped > 0 || float64(total) < 100*report.Elapsed.Seconds() {
		t.Errorf("requests were lost or not sent:\n%s", report)
	}
	return report
}

// running lists the app's running containers of a host, sorted.
func running(t *testing.T, host *lab.Host, service string) []string {
	t.Helper()
	names := strings.Fields(exec(t, host, "docker ps --filter label=service=%s --format '{{.Names}}'", service))
	slices.Sort(names)
	return names
}

// lockIsFree fails the test when the lock directory of the story simple exists.
func lockIsFree(t *testing.T, fleet *lab.Fleet) {
	t.Helper()
	for _, host := range fleet.Hosts() {
		if left := exec(t, host, "ls -d .kamal/lock-* 2>/dev/null || true"); left != "" {
			t.Errorf("%s: the lock is still there: %s", host.Name, left)
		}
	}
}

// runsOnly fails the test unless each role of the story simple has one running
// container, of that version, and the proxies send requests to it.
func runsOnly(t *testing.T, fleet *lab.Fleet, version string) {
	t.Helper()
	for host, role := range map[string]string{"vm1": "web", "vm2": "web", "vm3": "job"} {
		want := fmt.Sprintf("fhirlinebot-%s-%s", role, version)
		if got := running(t, fleet.Host(host), "fhirlinebot"); !slices.Equal(got, []string{want}) {
			t.Errorf("%s runs %v, want %s alone", host, got, want)
		}
		if role != "web" {
			continue
		}
		id := exec(t, fleet.Host(host), "docker ps --quiet --filter name=^%s$", want)
		if list := exec(t, fleet.Host(host), "docker exec kamal-proxy kamal-proxy list"); id == "" || !strings.Contains(list, id) {
			t.Errorf("the proxy of %s does not point at %s (%s):\n%s", host, want, id, list)
		}
	}
}

package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

// place is where a command runs: the host itself, or one of its containers.
type place struct {
	h     *host
	c     *container // nil on the host
	files *fileSystem
	name  string // the machine's name as commands see it
	tty   *terminal
}

// process is one command being run by the shell.
type process struct {
	place
	ctx    context.Context
	args   []string
	env    expand.Environ
	dir    string
	in     io.Reader
	out    io.Writer
	errOut io.Writer
}

// tool is a command of the simulated system; it returns an exit code.
type tool func(p *process) int

// execSpec says what to run in a container and how.
type execSpec struct {
	argv []string
	env  []string
	dir  string
	tty  *terminal
}

// runOnHost runs a command line as sshd does: by the login shell, in the home directory.
func (h *host) runOnHost(ctx context.Context, line string, env []string, tty *terminal, in io.Reader, out, errOut io.Writer) int {
	pl := place{h: h, files: h.files, name: h.name, tty: tty}
	return pl.runScript(ctx, line, []string{"bash"}, append(h.hostEnv(), env...), homeDir, in, out, errOut)
}

// runInContainer runs a command in a container's own little system.
func (h *host) runInContainer(ctx context.Context, c *container, spec execSpec, in io.Reader, out, errOut io.Writer) int {
	h.mu.Lock()
	pl := place{h: h, c: c, files: h.engine.rootOf(c), name: c.config.Hostname, tty: spec.tty}
	env := mergeEnv([]string{"HOSTNAME=" + c.config.Hostname, "HOME=/root"}, mergeEnv(c.config.Env, spec.env))
	dir := c.config.WorkingDir
	h.mu.Unlock()
	if spec.dir != "" {
		dir = spec.dir
	}
	if dir == "" {
		dir = "/"
	}
	return pl.runArgs(ctx, spec.argv, env, dir, in, out, errOut)
}

// Private

func (h *host) hostEnv() []string {
	return []string{"HOME=" + homeDir, "USER=root", "LOGNAME=root", "SHELL=/bin/bash", "LANG=C.UTF-8", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
}

// runScript parses and runs shell text; params are $0 and on.
func (pl place) runScript(ctx context.Context, text string, params, env []string, dir string, in io.Reader, out, errOut io.Writer) int {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), params[0])
	if err != nil {
		_, _ = fmt.Fprintf(errOut, "bash: -c: line 1: syntax error: %v\n", err)
		return 2
	}
	return pl.withRunner(ctx, env, dir, in, out, errOut, func(r *interp.Runner) error {
		r.Params = params[1:]
		return r.Run(ctx, file)
	})
}

// runArgs runs one command that is already split into words.
func (pl place) runArgs(ctx context.Context, argv, env []string, dir string, in io.Reader, out, errOut io.Writer) int {
	if len(argv) == 0 {
		return 0
	}
	p := &process{place: pl, ctx: ctx, args: argv, env: expand.ListEnviron(env...), dir: dir, in: in, out: out, errOut: errOut}
	return p.exec(argv)
}

// withRunner sets a shell up. Its standard input is a pipe of its own, so that a command that waits for input
// ends when ctx does.
func (pl place) withRunner(ctx context.Context, env []string, dir string, in io.Reader, out, errOut io.Writer, run func(*interp.Runner) error) int {
	stdin, release, err := inputPipe(pl.h.fleet, in)
	if err != nil {
		_, _ = fmt.Fprintf(errOut, "bash: %v\n", err)
		return 1
	}
	defer release()
	r, err := interp.New(
		interp.Env(expand.ListEnviron(env...)),
		interp.StdIO(stdin, out, errOut),
		interp.CallHandler(pl.call),
		interp.ExecHandlers(func(interp.ExecHandlerFunc) interp.ExecHandlerFunc { return pl.execHandler }),
		interp.OpenHandler(pl.openHandler),
		interp.ReadDirHandler2(pl.readDirHandler),
		interp.StatHandler(func(_ context.Context, name string, _ bool) (fs.FileInfo, error) { return pl.statPath(name) }),
		interp.AccessHandler(func(_ context.Context, name string, _ interp.AccessMode) error {
			_, err := pl.statPath(name)
			return err
		}),
	)
	if err != nil {
		_, _ = fmt.Fprintf(errOut, "bash: %v\n", err)
		return 1
	}
	r.Dir = dir
	return exitCode(ctx, run(r), errOut)
}

// call lets `command -v` and `type` ask the simulated system.
func (pl place) call(_ context.Context, args []string) ([]string, error) {
	if len(args) == 3 && args[0] == "command" && args[1] == "-v" {
		return []string{"which", args[2]}, nil
	}
	if len(args) == 2 && args[0] == "umask" && strings.Trim(args[1], "01234567") == "" {
		return []string{"eval", "export " + umaskVar + "=" + args[1]}, nil
	}
	if len(args) == 5 && args[0] == "trap" && args[2] == "HUP" { // no signal reaches the interpreter
		return []string{"true"}, nil
	}
	if args[0] == "kill" { // no process of the simulated host has a number that could be killed
		return []string{"true"}, nil
	}
	if len(args) > 1 && args[0] == "command" && !strings.HasPrefix(args[1], "-") {
		return args[1:], nil
	}
	return args, nil
}

func (pl place) execHandler(ctx context.Context, args []string) error {
	hc := interp.HandlerCtx(ctx)
	if f, ok := hc.Stdin.(*os.File); ok && f != nil {
		stop := context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) })
		defer stop()
	}
	in := hc.Stdin
	if f, ok := in.(*os.File); ok && f == nil || in == nil {
		in = strings.NewReader("")
	}
	p := &process{place: pl, ctx: ctx, args: args, env: hc.Env, dir: hc.Dir, in: in, out: hc.Stdout, errOut: hc.Stderr}
	code := p.exec(args)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if code != 0 {
		return interp.ExitStatus(uint8(code))
	}
	return nil
}

func (pl place) openHandler(ctx context.Context, name string, flag int, perm os.FileMode) (io.ReadWriteCloser, error) {
	if name == "/dev/null" {
		return devNull{}, nil
	}
	if !path.IsAbs(name) {
		name = path.Join(interp.HandlerCtx(ctx).Dir, name)
	}
	write := flag&(os.O_WRONLY|os.O_RDWR) != 0
	if pipe := pl.files.fifoAt(name); pipe != nil {
		return pipe.open(ctx, write)
	}
	if mask, ok := pl.umask(interp.HandlerCtx(ctx).Env); ok {
		perm &^= mask
	} else {
		perm = 0o644
	}
	f, err := pl.files.open(name, !write, write, flag&os.O_APPEND != 0, flag&os.O_CREATE != 0, perm)
	if err != nil {
		return nil, &os.PathError{Op: "bash: line 1", Path: name, Err: err}
	}
	return f, nil
}

// umask reads the mask that the umask command left in the environment.
func (pl place) umask(env expand.Environ) (fs.FileMode, bool) {
	v := env.Get(umaskVar)
	if !v.IsSet() {
		return 0, false
	}
	var mask uint32
	if _, err := fmt.Sscanf(v.Str, "%o", &mask); err != nil {
		return 0, false
	}
	return fs.FileMode(mask), true
}

func (pl place) readDirHandler(_ context.Context, name string) ([]fs.DirEntry, error) {
	list, err := pl.files.readDir(name)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	out := make([]fs.DirEntry, len(list))
	for i, info := range list {
		out[i] = info
	}
	return out, nil
}

func (pl place) statPath(name string) (fs.FileInfo, error) {
	info, err := pl.files.stat(name)
	if err != nil {
		return nil, &os.PathError{Op: "stat", Path: name, Err: err}
	}
	return info, nil
}

// exec finds a command and runs it.
func (p *process) exec(args []string) int {
	name := path.Base(args[0])
	run := findTool(name)
	if run == nil || p.c != nil && name == "docker" {
		if p.c != nil {
			return p.execInImage(name, args)
		}
		_, _ = fmt.Fprintf(p.errOut, "bash: line 1: %s: command not found\n", args[0])
		return 127
	}
	next := *p
	next.args = args
	return run(&next)
}

// execInImage runs what only an app's image holds.
func (p *process) execInImage(name string, args []string) int {
	if run := databaseTool(p.c.image.Runs, name); run != nil {
		next := *p
		next.args = args
		return run(&next)
	}
	if task, ok := railsTask(args); ok {
		return p.rails(task)
	}
	switch {
	case name == "kamal-proxy" && p.c.image.Runs == Proxies:
		return p.h.proxy.command(p.ctx, args[1:], p.out, p.errOut)
	case name == "rails" && len(args) > 1 && args[1] == "runner", name == "rake", name == "bundle":
		_, _ = fmt.Fprintf(p.errOut, "%s: the demo's app has no Ruby to run this with\n", args[0])
		return 1
	case name == "ruby" && len(args) > 1 && args[1] == "-v":
		_, _ = fmt.Fprintln(p.out, "ruby 3.4.4 (2025-05-14 revision a38531fd3f) +YJIT +PRISM [x86_64-linux]")
		return 0
	}
	_, _ = fmt.Fprintf(p.errOut, "OCI runtime exec failed: exec failed: unable to start container process: exec: %q: executable file not found in $PATH: unknown\n", args[0])
	return 127
}

// path makes a name absolute.
func (p *process) path(name string) string {
	if strings.HasPrefix(name, "/") {
		return name
	}
	return strings.TrimSuffix(p.dir, "/") + "/" + name
}

// fail prints a complaint in the tool's name.
func (p *process) fail(code int, format string, args ...any) int {
	_, _ = fmt.Fprintf(p.errOut, path.Base(p.args[0])+": "+format+"\n", args...)
	return code
}

func (p *process) print(text string) { _, _ = io.WriteString(p.out, text) }

func (p *process) environ() []string {
	var out []string
	p.env.Each(func(name string, v expand.Variable) bool {
		if v.Exported && v.Kind == expand.String && name != umaskVar {
			out = append(out, name+"="+v.Str)
		}
		return true
	})
	return out
}

// Helpers

const umaskVar = "SIM_UMASK"

// devNull swallows and gives nothing.
type devNull struct{}

// Read is always at the end.
func (devNull) Read([]byte) (int, error) { return 0, io.EOF }

// Write takes everything.
func (devNull) Write(p []byte) (int, error) { return len(p), nil }

// Close does nothing.
func (devNull) Close() error { return nil }

// inputPipe gives the shell an operating system pipe fed from in. release must be called when the shell is
// done; it does not wait for in, whose owner closes it.
func inputPipe(f *Fleet, in io.Reader) (*os.File, func(), error) {
	if file, ok := in.(*os.File); ok {
		return file, func() {}, nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	if in == nil {
		_ = w.Close()
		return r, func() { _ = r.Close() }, nil
	}
	f.spawn(func() {
		_, _ = io.Copy(w, in)
		_ = w.Close()
	})
	return r, func() { _ = r.Close() }, nil
}

func exitCode(ctx context.Context, err error, errOut io.Writer) int {
	var status interp.ExitStatus
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	case ctx.Err() != nil:
		return 130
	}
	_, _ = fmt.Fprintf(errOut, "bash: %v\n", err)
	return 1
}

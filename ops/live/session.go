package live

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"binnacle/config"
	"binnacle/config/secret"
	"binnacle/ops"
	"binnacle/ops/command"
	"binnacle/ops/outlog"
	"binnacle/ops/remote"
	"binnacle/ops/watch"
)

// Options say which project to open and how.
type Options struct {
	Dir         string // project folder; the working folder when empty
	File        string // deploy.yml; config/deploy.yml when empty
	Destination string
	Version     string // --version
	Filter      config.Filter
	Strict      bool
	StateDir    string // where journals go; none when empty
	DataDir     string // where backups go whose store names no path; none when empty
	// Prebuilt is the version to deploy when none is named, where images are in
	// the registry already and cannot be built here, as on the demo fleet: every
	// deploy skips build and push.
	Prebuilt string
	LockWait ops.LockWait // how a lock that is held is waited for
	// Stdin is what the person's standard input is, and Streams that commands may
	// have it and the output as they are. A console has its screen to lend.
	Stdin      ops.Stdin
	Streams    bool
	Ask        Asker // nil: nobody is there, unless OnScreen
	OnScreen   bool  // questions go into the State, for a console
	Log        *slog.Logger
	KnownHosts []string // in place of ssh_config's; for fleets that bring their own
}

// Session is one open project: its configuration, the hosts behind it, what is
// known of them, and the engine that changes them.
type Session struct {
	Config    *config.Config
	Selection *config.Selection
	Warnings  []config.Warning
	Redactor  *secret.Redactor
	World     *World
	Store     *ops.Store
	Engine    *ops.Engine
	App       ops.AppID
	Questions *Questions       // set when they go OnScreen
	Logs      *outlog.Recorder // of changes, where deploy.yml wants them logged

	options Options
	pool    *remote.Pool
	outside *remote.Pool // machines that deploy.yml's ssh section does not speak of
	who     func() identity
}

// Load reads a project's configuration, with this machine's git, shell and
// environment behind it.
func Load(ctx context.Context, o Options) (*config.Config, []config.Warning, *secret.Redactor, error) {
	redactor := new(secret.Redactor)
	cfg, warnings, err := config.Load(ctx, ConfigOptions(ctx, o, redactor))
	return cfg, warnings, redactor, err
}

// ConfigOptions are what config.Load and config.Fix need for a project here.
func ConfigOptions(ctx context.Context, o Options, redactor *secret.Redactor) config.Options {
	env := &templateEnv{destination: o.Destination}
	return config.Options{
		File: o.File, Dir: o.Dir, Destination: o.Destination, Version: cmp.Or(o.Version, o.Prebuilt), Strict: o.Strict,
		Run: func(ctx context.Context, command string) (string, error) {
			return shell(ctx, o.Dir, command, env.list()...)
		},
		Setenv:    env.set,
		Ruby:      rubyEvaluator(),
		Git:       func() (config.Git, error) { return git(ctx, o.Dir) },
		Redactor:  redactor,
		Inline:    vaults(o, redactor, env).Inline,
		BackupDir: backupDir(o.DataDir),
	}
}

// Open loads a project and prepares everything; nothing is dialled yet.
func Open(ctx context.Context, o Options) (*Session, error) {
	if o.Dir == "" {
		dir, err := os.Getwd()
		if err != nil {
			return nil, fmt.Errorf("finding the working folder: %w", err)
		}
		o.Dir = dir
	}
	cfg, warnings, redactor, err := Load(ctx, o)
	if err != nil {
		return nil, err
	}
	selection, err := cfg.Select(o.Filter)
	if err != nil {
		return nil, err
	}
	settings, err := sshSettings(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s := &Session{
		Config: cfg, Selection: selection, Warnings: warnings, Redactor: redactor, options: o,
		App: ops.NewAppID(cfg.Service(), cfg.Destination()),
	}
	s.Store = ops.NewStore(ctx)
	if o.OnScreen {
		s.options.Stdin, s.options.Streams = ops.StdinTerminal, false
		s.Questions = &Questions{store: s.Store}
		o.Ask = s.Questions
	}
	s.pool = remote.NewPool(ctx, settings, remote.Local{Dir: o.Dir, KnownHosts: o.KnownHosts}, o.Ask, o.Log)
	s.outside = remote.NewPool(ctx, remote.Settings{}, remote.Local{Dir: o.Dir, KnownHosts: o.KnownHosts}, o.Ask, o.Log)
	home, _ := os.UserHomeDir() // without one, ~ stays as it is
	s.World = NewWorld(s.pool, s.outside, NewLocal(o.Dir), Backups{Config: cfg, Home: home, Data: backupDir(o.DataDir)})
	s.World.asker = o.Ask
	everything, err := cfg.Select(config.Filter{})
	if err != nil {
		return nil, err
	}
	s.Store.Emit(ops.AppOpened{App: describe(cfg), Hosts: everything.Hosts()})
	s.who = sync.OnceValue(func() identity { return whoAmI(ctx, o.Dir) })
	s.Logs = outlog.Start(ctx, s.Store.Tail, outlog.Options{
		Config: cfg, Performer: func() string { return s.who().performer }, Report: s.tellOnScreen,
	})
	s.Engine = ops.NewEngine(s.World, s.Store, s.journals(), redactor, ops.Identity{
		User: loginName(), Host: machine(), PID: os.Getpid(),
	})
	return s, nil
}

// Journals are where this session's tasks are recorded.
func (s *Session) Journals() ops.Journals { return s.journals() }

// Close waits for tasks, then ends all connections.
func (s *Session) Close() {
	s.Engine.Close()
	s.World.Close()
	_ = s.pool.Close()
	_ = s.outside.Close()
	s.Store.Close()
	s.Logs.Wait()
}

// Prewarm starts to connect to the selected hosts, so that planning and
// connecting go side by side. Failures show where the hosts are used.
func (s *Session) Prewarm(ctx context.Context) (wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.pool.Prewarm(ctx, s.Selection.Hosts())
	}()
	return func() { <-done }
}

// Observe looks once at the selected hosts and at the app's lock. A host that
// does not answer is in the state as lost.
func (s *Session) Observe(ctx context.Context) {
	facts, _ := watch.Observe(ctx, s.connect, s.Selection.Hosts(), s.lockWatch(), s.watchOptions())
	for _, e := range facts {
		s.Store.Emit(e)
	}
	s.Store.Settle()
}

// Watch follows all hosts until it is closed.
func (s *Session) Watch(ctx context.Context) *watch.Watcher {
	w := watch.New(s.connect, s.Store.Emit, s.watchOptions())
	w.Start(ctx, s.Config.AllHosts()...)
	w.Follow(s.lockWatch()...)
	return w
}

// Request is what somebody asks for, before it is planned.
type Request struct {
	Operation ops.Operation
	Params    ops.Params
	Filter    *config.Filter // narrows the session's own selection when set
	Version   string         // --version for this request alone
	SkipHooks bool
	Connected bool     // the pre-connect hook has been run for it
	Agreed    bool     // all its questions are answered with yes
	Roles     string   // as typed, for hooks
	Flags     []string // see ops.Input
}

// Plan plans a request against what is known now. The task's identifier is
// part of the plan: it stands in the lock's message.
func (s *Session) Plan(req Request) (ops.TaskID, ops.Plan, error) {
	in, err := s.input(req)
	if err != nil {
		return "", ops.Plan{}, err
	}
	plan, err := req.Operation.Plan(in)
	return in.Holder.Task, plan, err
}

// Private

// tellOnScreen makes a notice of where a log went.
func (s *Session) tellOnScreen(r outlog.Report) {
	if s.options.OnScreen {
		s.Store.Emit(ops.Noticed{At: s.World.Now(), Text: r.Text, Err: r.Failed})
	}
}

func (s *Session) input(req Request) (ops.Input, error) {
	selection, cfg := s.Selection, s.Config
	if req.Version != "" {
		cfg = cfg.WithVersion(req.Version)
	}
	if req.Filter != nil || req.Version != "" {
		filter := s.options.Filter
		if req.Filter != nil {
			filter = *req.Filter
		}
		narrowed, err := cfg.Select(filter)
		if err != nil {
			return ops.Input{}, err
		}
		selection = narrowed
	}
	asked := req.Version
	if asked == "" {
		asked = s.options.Version
	}
	if asked == "" {
		asked = os.Getenv("VERSION")
	}
	version, err := cfg.Version()
	if err != nil {
		version = "" // an operation that needs one says so
	}
	id := s.Engine.NewTaskID()
	me := s.who()
	params := ops.Params{}
	for k, v := range req.Params {
		params[k] = v
	}
	params["roles"] = req.Roles
	if s.options.Prebuilt != "" {
		params["skip-push"] = "true"
	}
	return ops.Input{
		Config: cfg, Selection: selection, App: s.App, Version: version, AskedVersion: asked,
		Fleet: s.Store.State().Fleet, Params: params, SkipHooks: req.SkipHooks, Connected: req.Connected, Now: s.World.Now(), Hex: randomHex,
		UserName: me.name, Performer: me.performer, Alive: Alive,
		Holder:   ops.Holder{Host: machine(), PID: os.Getpid(), Task: id},
		LockHeld: os.Getenv("KAMAL_LOCK") == "true", LockWait: s.options.LockWait, Hooks: s.hooks(),
		Stdin: s.options.Stdin, Streams: s.options.Streams,
		Program: s.program(), StateDir: s.options.StateDir, Agreed: req.Agreed, Flags: req.Flags, Past: s.past, Own: s.own,
	}, nil
}

// program is the path under which this program is found again, the one that was
// typed if it can be: a link outlives the version that it points at. A demo fleet
// ends with the program, so that nothing is to be started later.
func (s *Session) program() string {
	self, err := os.Executable()
	if err != nil || s.options.Prebuilt != "" {
		return ""
	}
	typed, err := exec.LookPath(os.Args[0])
	if err != nil {
		return self
	}
	typed, err = filepath.Abs(typed)
	if err != nil || !sameFile(typed, self) {
		return self
	}
	return typed
}

func (s *Session) connect(host string) watch.Connection { return s.World.Host(host) }

func (s *Session) watchOptions() watch.Options {
	return watch.Options{Machine: machine(), Alive: Alive, Reason: reason}
}

// lockWatch is where the app's lock is: the configured primary host, or with
// accessories alone the first of theirs.
func (s *Session) lockWatch() []watch.Lock {
	host := s.Selection.PrimaryHost()
	if host == "" {
		host = first(s.Config.AccessoryHosts())
	}
	if host == "" {
		return nil
	}
	return []watch.Lock{{App: s.App, Host: host, Probe: ops.LockProbe(command.NewLock(s.Config))}}
}

func (s *Session) hooks() []string {
	dir := s.Config.HooksPath()
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(s.options.Dir, dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if !e.IsDir() {
			out = append(out, e.Name())
		}
	}
	return out
}

func (s *Session) journals() ops.Journals {
	if s.options.StateDir == "" {
		return ops.Journals{}
	}
	return ops.Journals{Dir: filepath.Join(s.options.StateDir, "tasks")}
}

// identity is who runs things, as the lock and the audit log name them.
type identity struct {
	name      string // git user.name
	performer string // git user.email, else the login name
}

// Helpers

func whoAmI(ctx context.Context, dir string) identity {
	if _, err := exec.LookPath("git"); err != nil {
		return identity{name: "Unknown", performer: loginName()}
	}
	name, _ := shell(ctx, dir, "git config user.name")
	email, _ := shell(ctx, dir, "git config user.email")
	me := identity{name: strings.TrimSpace(name), performer: strings.TrimSpace(email)}
	if me.performer == "" {
		me.performer = loginName()
	}
	return me
}

func sameFile(a, b string) bool {
	first, err := filepath.EvalSymlinks(a)
	if err != nil {
		return false
	}
	second, err := filepath.EvalSymlinks(b)
	return err == nil && first == second
}

func loginName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return os.Getenv("USER")
}

func machine() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return strings.ReplaceAll(name, " ", "-")
}

func first(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return names[0]
}

// reason is why a host was lost, in a word or two.
func reason(err error) string {
	var conn *remote.ConnError
	if !errors.As(err, &conn) {
		return ""
	}
	return string(conn.Kind)
}

func randomHex(n int) string {
	buf := make([]byte, (n+1)/2)
	_, _ = rand.Read(buf) // never fails
	return hex.EncodeToString(buf)[:n]
}

// templateEnv is the environment of commands in templates and secrets files:
// the destination, and what templates put into ENV.
type templateEnv struct {
	destination string

	mu  sync.Mutex
	own []string
}

func (e *templateEnv) set(name, value string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.own = append(e.own, name+"="+value)
}

func (e *templateEnv) list() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := slices.Clone(e.own)
	if e.destination != "" {
		out = append(out, "KAMAL_DESTINATION="+e.destination)
	}
	return out
}

func shell(ctx context.Context, dir, command string, env ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	cmd.WaitDelay = time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if text := strings.TrimSpace(errs.String()); err != nil && text != "" {
		err = fmt.Errorf("%w: %s", err, text)
	}
	return out.String(), err
}

func git(ctx context.Context, dir string) (config.Git, error) {
	head, err := shell(ctx, dir, "git rev-parse HEAD")
	if err != nil {
		return config.Git{}, err
	}
	root, err := shell(ctx, dir, "git rev-parse --show-toplevel")
	if err != nil {
		return config.Git{}, err
	}
	status, err := shell(ctx, dir, "git status --porcelain")
	if err != nil {
		return config.Git{}, err
	}
	return config.Git{
		Revision: strings.TrimSpace(head), Root: strings.TrimSpace(root), Dirty: strings.TrimSpace(status) != "",
	}, nil
}

// rubyEvaluator renders templates that only Ruby understands; nil without ruby.
func rubyEvaluator() func(context.Context, config.Template) (string, error) {
	ruby, err := exec.LookPath("ruby")
	if err != nil {
		return nil
	}
	return func(ctx context.Context, t config.Template) (string, error) {
		cmd := exec.CommandContext(ctx, ruby, "-rerb", "-e", `print ERB.new(STDIN.read, trim_mode: "-").result`)
		cmd.Dir = t.Dir
		cmd.Env = os.Environ()
		for k, v := range t.Env {
			cmd.Env = append(cmd.Env, k+"="+v)
		}
		cmd.Stdin = strings.NewReader(t.Text)
		cmd.WaitDelay = time.Second
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil {
			return "", fmt.Errorf("%w: %s", err, strings.TrimSpace(errs.String()))
		}
		return out.String(), nil
	}
}

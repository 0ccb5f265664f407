// Package cli is the headless front end: it walks the catalog into a command
// tree, runs plans through the same engine as the console, and prints events as
// text or JSON lines. It may import config, ops and what is below live; it knows
// nothing of the console, which is handed in.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/live"
)

// Program is everything the command tree needs from outside.
type Program struct {
	Catalog  ops.Catalog
	Version  string // of Binnacle
	Dir      string // the project's folder; the working folder when empty
	StateDir string // where journals go
	DataDir  string // where backups go whose store names no path
	Prebuilt string // the version to deploy when none is named, on a fleet whose images are there already
	Stdin    io.Reader
	Stdout   io.Writer
	Stderr   io.Writer
	Terminal bool // a person sits in front of it
	Width    int  // columns of the terminal, 0 when unknown
	// PreConnect makes the operation that runs the hook which comes before
	// connecting; nil for none.
	PreConnect func(command string) ops.Operation
	// Console opens the console on a project; nil where there is none.
	Console func(ctx context.Context, o live.Options) error
	// Demo runs the demo fleet: the console, a command, or a server.
	Demo func(ctx context.Context, d DemoRequest) error
}

// DemoRequest says what to do with a fresh demo fleet.
type DemoRequest struct {
	Hosts int      // web hosts; 0 for the usual ones
	Serve string   // write a project here and serve until interrupted
	Args  []string // run this command on it
}

// flags are the options that every command takes.
type flags struct {
	file, destination, version string
	hosts, roles               string
	primary, skipHooks         bool
	verbose, quiet             bool
	json, dryRun, yes, strict  bool
	lockWait                   bool
	lockTimeout, lockInterval  float64 // seconds
}

// ErrFailed ends a command whose failure has been printed already.
var ErrFailed = errors.New("failed")

// Run executes a command line and returns the exit code.
func (p Program) Run(ctx context.Context, args []string) int {
	root := p.command()
	line, err := p.spelled(ctx, root, args)
	if err == nil {
		root.SetArgs(append([]string{}, line...)) // without any it would take the process's own
		err = root.ExecuteContext(ctx)
	}
	var code ExitCode
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	case !errors.Is(err, ErrFailed):
		p.printError(err)
	}
	return 1
}

// Private

func (p Program) command() *cobra.Command {
	f := &flags{}
	root := &cobra.Command{
		Use:   "binnacle",
		Short: "A console for apps deployed with Kamal",
		Long: "A console for apps deployed with Kamal.\n\n" +
			"Without a command, binnacle opens the console on config/deploy.yml. The flags below\n" +
			"come before or after the command. -h is --hosts, as with Kamal; help is --help.\n" +
			"Commands can be shortened as long as one is meant, and the aliases of deploy.yml work.",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          noSuchCommand,
		Annotations:   map[string]string{groupAnnotation: "true"},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if p.Console == nil || !p.Terminal {
				return cmd.Help()
			}
			return p.Console(cmd.Context(), p.options(f))
		},
	}
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	root.SetIn(p.Stdin)
	root.SetFlagErrorFunc(explained)
	f.bind(root)
	kamal := kamalCommands()
	for _, op := range p.Catalog {
		p.add(root, op, f, kamal)
	}
	root.AddCommand(p.configCommand(f), p.docsCommand(), p.initCommand(), p.statusCommand(f), p.versionCommand(), p.tasksCommand(f), p.demoCommand(f))
	p.addSecrets(root, f)
	root.AddCommand(p.logsCommand(f), p.monitorCommand(f))
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	kamal.mark(root)
	return root
}

func (f *flags) bind(root *cobra.Command) {
	fs := root.PersistentFlags()
	fs.SortFlags = false
	fs.StringVarP(&f.destination, "destination", "d", "", "destination: staging → config/deploy.staging.yml")
	fs.StringVarP(&f.file, "config-file", "c", "config/deploy.yml", "path of the configuration")
	fs.StringVarP(&f.hosts, "hosts", "h", "", "run on these hosts only (comma separated, wildcards)")
	fs.StringVarP(&f.roles, "roles", "r", "", "run for these roles only (comma separated, wildcards)")
	fs.BoolVarP(&f.primary, "primary", "p", false, "run on the primary host only")
	fs.StringVar(&f.version, "version", "", "app version; the git revision when not given")
	fs.BoolVarP(&f.skipHooks, "skip-hooks", "H", false, "do not run hooks")
	fs.BoolVarP(&f.verbose, "verbose", "v", false, "print every command and its output")
	fs.BoolVarP(&f.quiet, "quiet", "q", false, "print failures only")
	fs.BoolVar(&f.lockWait, "lock-wait", false, "wait for the deploy lock while another deploy holds it")
	fs.Float64Var(&f.lockTimeout, "lock-wait-timeout", 900, "with --lock-wait: give up after so many seconds")
	fs.Float64Var(&f.lockInterval, "lock-wait-interval", 15, "with --lock-wait: try again every so many seconds")
	fs.BoolVar(&f.json, "json", false, "print JSON: one document for reads, a record per line for tasks")
	fs.BoolVar(&f.dryRun, "dry-run", false, "print the plan and change nothing")
	fs.BoolVarP(&f.yes, "confirmed", "y", false, "do not ask")
	fs.BoolVar(&f.strict, "strict", false, "refuse what the kamal gem refuses")
	fs.Bool("help", false, "show help") // -h is --hosts, as with Kamal
	for _, own := range []string{"json", "dry-run", "confirmed", "strict", "help"} {
		_ = fs.SetAnnotation(own, ownAnnotation, nil) // they were defined just now
	}
}

func (p Program) options(f *flags) live.Options {
	o := live.Options{
		Dir: p.Dir, File: f.file, Destination: f.destination, Version: f.version, Strict: f.strict, StateDir: p.StateDir, DataDir: p.DataDir,
		Filter: f.filter(), Prebuilt: p.Prebuilt, Stdin: stdinOf(p.Stdin), Streams: !f.json, LockWait: f.wait(),
	}
	if p.Terminal && !f.json {
		o.Ask = &prompt{program: p}
	}
	return o
}

// wait is how long to wait for a lock that is held: not at all without --lock-wait.
func (f *flags) wait() ops.LockWait {
	if !f.lockWait {
		return ops.LockWait{}
	}
	return ops.LockWait{Timeout: fromSeconds(f.lockTimeout), Interval: fromSeconds(f.lockInterval)}
}

// manner are the flags about reading and printing that were given, as typed.
func (f *flags) manner() []string {
	var out []string
	for name, on := range map[string]bool{"verbose": f.verbose, "quiet": f.quiet, "json": f.json, "strict": f.strict} {
		if on {
			out = append(out, "--"+name)
		}
	}
	slices.Sort(out)
	return out
}

func (f *flags) filter() config.Filter {
	return config.Filter{Hosts: list(f.hosts), Roles: list(f.roles), Primary: f.primary}
}

// open loads the project and prints what was read leniently.
func (p Program) open(ctx context.Context, f *flags) (*live.Session, error) {
	s, err := live.Open(ctx, p.options(f))
	if err != nil {
		return nil, err
	}
	if !f.quiet && !f.json {
		for _, w := range s.Warnings {
			_, _ = fmt.Fprintln(p.Stderr, "warning: "+w.String())
		}
	}
	return s, nil
}

// add puts an operation into the tree under its words: `app boot` below `app`.
func (p Program) add(root *cobra.Command, op ops.Operation, f *flags, kamal reference) {
	words := op.Words()
	parent := root
	for _, w := range words[:len(words)-1] {
		parent = group(parent, w)
	}
	cmd := &cobra.Command{Short: op.Summary, Hidden: op.Hidden}
	given := bindParams(cmd, op, kamal)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return p.run(cmd.Context(), f, op, given(args))
	}
	parent.AddCommand(cmd)
}

func (p Program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Show the versions of Binnacle and of the Kamal it works like", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(p.Stdout, "binnacle %s (Kamal %s)\n", p.Version, config.KamalVersion)
			return err
		},
	}
}

func (p Program) demoCommand(f *flags) *cobra.Command {
	run := func(serve string) func(*cobra.Command, []string) error {
		return func(cmd *cobra.Command, args []string) error {
			d := DemoRequest{Args: args}
			if serve != "" {
				d = DemoRequest{Serve: args[0]}
			}
			if f.hosts != "" {
				n, err := strconv.Atoi(f.hosts)
				if err != nil || n < 1 || n > 200 {
					return fmt.Errorf("demo --hosts %s: give a number of web hosts from 1 to 200", f.hosts)
				}
				d.Hosts = n
			}
			return p.Demo(cmd.Context(), d)
		}
	}
	cmd := &cobra.Command{
		Use: "demo [-- COMMAND…]", Short: "Try everything on a simulated fleet: no servers needed",
		Long: "Opens the console on a fresh fleet of simulated hosts on this machine, or runs a command on one.\n" +
			"--hosts N gives it N web hosts, up to 200.",
		Example: "  binnacle demo\n  binnacle demo -- deploy -P --version v3\n  binnacle demo serve DIR",
		RunE:    run(""),
	}
	cmd.AddCommand(&cobra.Command{
		Use: "serve DIR", Short: "Write a project for the fleet into DIR, and serve until interrupted", Args: cobra.ExactArgs(1),
		RunE: run("serve"),
	})
	return cmd
}

func (p Program) printError(err error) {
	var problems config.Errors
	if errors.As(err, &problems) {
		for _, e := range problems {
			_, _ = fmt.Fprintln(p.Stderr, "error: "+e.Error())
		}
		return
	}
	var failed *ops.Error
	if errors.As(err, &failed) {
		p.printFailures(ops.Describe(err))
		return
	}
	_, _ = fmt.Fprintln(p.Stderr, "error: "+err.Error())
}

// Helpers

func group(parent *cobra.Command, word string) *cobra.Command {
	for _, c := range parent.Commands() {
		if c.Name() == word {
			return c
		}
	}
	g := &cobra.Command{
		Use: word, Short: groupHelp(word), Args: noSuchCommand, Annotations: map[string]string{groupAnnotation: "true"},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	g.AddCommand(&cobra.Command{Use: "help [COMMAND]", Short: "Show help for a command", Hidden: true, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Parent().Help() }})
	parent.AddCommand(g)
	return g
}

// noSuchCommand refuses a word that is no command, and offers those that are
// spelt alike.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath())
	cmd.SuggestionsMinimumDistance = 2
	if alike := cmd.SuggestionsFor(args[0]); len(alike) > 0 {
		return fmt.Errorf("%w; did you mean %s?", err, strings.Join(alike, " or "))
	}
	return fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())
}

func atMost(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) <= n {
			return nil
		}
		return fmt.Errorf("%s does not take %q; see %s --help", cmd.CommandPath(), args[n], cmd.CommandPath())
	}
}

func groupHelp(word string) string {
	switch word {
	case "accessory":
		return "Databases and other services beside the app"
	case "app":
		return "The app's containers"
	case "backup":
		return "Backups of databases and folders"
	case "build":
		return "The app's image"
	case "lock":
		return "The deploy lock"
	case "proxy":
		return "kamal-proxy on the hosts"
	case "prune":
		return "Old images and containers"
	case "registry":
		return "Sessions with the image registry"
	case "secrets":
		return "The project's secrets"
	case "server":
		return "The hosts themselves"
	}
	return word
}

func fromSeconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

func list(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

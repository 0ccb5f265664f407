package config

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"binnacle/config/secret"
)

// Options says which configuration to load and gives it the world it may see.
// Every function may be nil.
type Options struct {
	// File is the base file, config/deploy.yml by default, relative to Dir.
	File string
	// Dir is the folder that relative paths start from; the working folder by default.
	Dir string
	// Destination selects config/deploy.DEST.yml, which is merged over the base.
	Destination string
	// Version is the version asked for; it beats $VERSION and git.
	Version string
	// Strict refuses what the kamal gem refuses. Otherwise older and mistaken
	// spellings are read with their evident meaning, each with a Warning.
	Strict bool
	// Env looks up a variable of the environment; the process's own by default.
	Env func(name string) (string, bool)
	// Run runs a local shell command for templates and secrets.
	Run secret.Runner
	// Inline answers `kamal secrets …` in secrets files; see secret.Options.
	Inline func(ctx context.Context, words []string) (string, error)
	// Ruby evaluates a template that is beyond what is understood here. Nil means
	// that ruby is not installed.
	Ruby func(ctx context.Context, template Template) (string, error)
	// Git tells about the repository of Dir. Nil, or an error, means there is none.
	Git func() (Git, error)
	// Setenv is told what templates put into ENV (Dotenv.load, ENV["X"] = …), so that
	// Run can pass it on to commands. Run is also expected to set KAMAL_DESTINATION.
	Setenv func(name, value string)
	// Random is the source of suffixes; the system's by default.
	Random io.Reader
	// Arch is this machine's architecture (amd64, arm64), for a builder that names
	// none; the one this program was built for by default.
	Arch string
	// BackupDir is where backups go when no store is configured.
	BackupDir string
	// Redactor is told every secret that is resolved.
	Redactor *secret.Redactor

	// texts are read in place of files.
	texts map[string]string
}

// Template is a file with ERB for a Ruby evaluator: trim mode "-", KAMAL_DESTINATION
// and the rest of Env set in ENV, Dir as the working folder.
type Template struct {
	Path string
	Dir  string
	Text string
	// Env are variables to set on top of the process's environment; an empty value
	// for KAMAL_DESTINATION means unset.
	Env map[string]string
}

// Git is the state of the project's repository.
type Git struct {
	// Revision is the full id of HEAD.
	Revision string
	// Dirty tells whether there are uncommitted or untracked files.
	Dirty bool
	// Root is the top folder of the work tree.
	Root string
}

// Load reads, merges and checks the configuration. The error is an Errors with all
// problems when the configuration itself is at fault.
func Load(ctx context.Context, options Options) (*Config, []Warning, error) {
	options, err := options.complete()
	if err != nil {
		return nil, nil, err
	}
	d, err := read(ctx, options)
	if err != nil {
		return nil, nil, asErrors(err)
	}
	examples, err := loadSchema()
	if err != nil {
		return nil, nil, err
	}
	problems := validate(d.root, options, examples)
	c := d.config(examples)
	problems = problems.with(c.check())
	if len(problems) > 0 {
		return nil, d.warnings, problems
	}
	return c, d.warnings, nil
}

// Private

// document is the merged tree before it is checked.
type document struct {
	options   Options
	env       *environment
	sources   []*source
	root      Value
	warnings  []Warning
	decisions []Decision
}

func (o Options) complete() (Options, error) {
	if o.File == "" {
		o.File = filepath.Join("config", "deploy.yml")
	}
	if o.Dir == "" {
		dir, err := os.Getwd()
		if err != nil {
			return o, fmt.Errorf("finding the working folder: %w", err)
		}
		o.Dir = dir
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return o, fmt.Errorf("finding the folder %s: %w", o.Dir, err)
	}
	o.Dir = dir
	if o.Env == nil {
		o.Env = os.LookupEnv
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Arch == "" {
		o.Arch = runtime.GOARCH
	}
	if o.Redactor == nil {
		o.Redactor = &secret.Redactor{}
	}
	return o, nil
}

// path makes a name of the configuration absolute.
func (o Options) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(o.Dir, name)
}

// readFile reads a file of the configuration, or what stands in for it.
func (o Options) readFile(path string) ([]byte, error) {
	if text, ok := o.texts[path]; ok {
		return []byte(text), nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &Error{Problem: "Configuration file not found in " + path, Hint: "run in the project's folder, or name the file with --config-file"}
	}
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return text, nil
}

// files names the base file and, with a destination, its own file.
func (o Options) files() []string {
	base := o.path(o.File)
	if o.Destination == "" {
		return []string{base}
	}
	return []string{base, strings.TrimSuffix(base, filepath.Ext(base)) + "." + o.Destination + ".yml"}
}

func read(ctx context.Context, options Options) (*document, error) {
	d := &document{options: options, env: newEnvironment(options)}
	for _, path := range options.files() {
		s, err := readSource(ctx, path, options, d.env)
		if err != nil {
			return nil, err
		}
		d.sources = append(d.sources, s)
		tree := s.tree
		if !options.Strict {
			n := modernize(tree)
			tree = n.root
			d.warnings = append(d.warnings, n.warnings()...)
		}
		d.root = deepMerge(d.root, tree)
	}
	if !options.Strict {
		n := completeTree(d.root, options)
		d.root, d.decisions = n.tree, n.decisions
		d.warnings = append(d.warnings, n.warnings()...)
	}
	return d, nil
}

func readSource(ctx context.Context, path string, options Options, env *environment) (*source, error) {
	text, err := options.readFile(path)
	if err != nil {
		return nil, err
	}
	s := &source{path: path, text: string(text)}
	s.rendered, s.lines, err = render(ctx, path, s.text, options, env)
	if err != nil {
		return nil, err
	}
	return s, s.parse()
}

// config builds the questions over a tree that passed validation.
func (d *document) config(examples schema) *Config {
	c := &Config{schema: examples, options: d.options, environment: d.env, root: d.root, warnings: d.warnings}
	for _, s := range d.sources {
		c.files = append(c.files, s.path)
	}
	r := c.root
	c.secrets = secret.Open(secret.Options{
		Path: c.SecretsPath(), Destination: d.options.Destination,
		ReadFile: func(name string) ([]byte, error) { return os.ReadFile(d.options.path(name)) },
		Env:      d.env.get, Run: d.options.Run, Inline: d.options.Inline, Redactor: d.options.Redactor,
	})
	c.registry = newRegistry(r.sub("registry"))
	if password := c.registry.Password; password.Secret == "" {
		d.options.Redactor.Add(password.literal)
	}
	c.builder = newBuilder(r.sub("builder"), c.Image(), c.registry.Server, d.options.Arch)
	c.env, c.tags = newEnv(r.sub("env")), newEnvTags(r.sub("env"))
	c.logging = newLogging(r.sub("logging"))
	for _, key := range r.sub("ssh", "key_data").texts() {
		if strings.Contains(key, "PRIVATE KEY") {
			d.options.Redactor.Add(secret.New(key))
		}
	}
	c.ssh, c.sshkit = newSSH(r.sub("ssh")), newSSHKit(r.sub("sshkit"))
	c.output = newOutput(r.sub("output"))
	c.roles = c.newRoles()
	for _, e := range r.sub("accessories").entries {
		a := newAccessory(c, e.key.String(), e.value)
		if a.registry != nil && a.registry.Password.Secret == "" {
			d.options.Redactor.Add(a.registry.Password.literal)
		}
		c.accessories = append(c.accessories, a)
	}
	c.boot = newBoot(r.sub("boot"), len(c.AllHosts()))
	c.version = sync.OnceValues(c.findVersion)
	c.extension = newExtension(c)
	return c
}

func (c *Config) newRoles() []*Role {
	var roles []*Role
	for _, named := range sortedRoles(c.root.sub("servers")) {
		roles = append(roles, newRole(c, named.Name, named.Value))
	}
	for _, role := range roles {
		own := role.section.sub("proxy")
		if own.IsFalse() || own.IsNil() && !role.Primary() {
			continue
		}
		role.proxy = newProxy(c, role.name, mergedProxy(c.root.sub("proxy"), own))
	}
	return roles
}

func (c *Config) findVersion() (string, error) {
	if strings.TrimSpace(c.options.Version) != "" {
		return c.options.Version, nil
	}
	if version, set := c.environment.get("VERSION"); set {
		return version, nil
	}
	if c.options.Git == nil {
		return "", c.noVersion(nil)
	}
	git, err := c.options.Git()
	if err != nil {
		return "", c.noVersion(err)
	}
	if !git.Dirty || !c.builder.ContextSet {
		return git.Revision, nil
	}
	var suffix [8]byte
	if _, err := io.ReadFull(c.options.Random, suffix[:]); err != nil {
		return "", fmt.Errorf("making a version for uncommitted changes: %w", err)
	}
	return git.Revision + "_uncommitted_" + hex.EncodeToString(suffix[:]), nil
}

func (c *Config) noVersion(cause error) error {
	text := "Can't use commit hash as version, no git repository found in " + c.options.Dir
	if cause == nil {
		return fmt.Errorf("%s: give --version, or set VERSION", text)
	}
	return fmt.Errorf("%s: give --version, or set VERSION: %w", text, cause)
}

// Helpers

// mergedProxy lays a role's proxy section over the root's.
func mergedProxy(root, own Value) Value {
	if own.kind != Map {
		own = Value{kind: Map}
	}
	if root.kind != Map {
		return own
	}
	merged := deepMerge(root, own)
	return merged
}

// with adds the problems that concern several sections, except where the section
// itself was found wrong already.
func (e Errors) with(cross Errors) Errors {
	blamed := map[string]bool{}
	for _, problem := range e {
		parts := strings.Split(problem.Path, "/")
		if parts[0] != "servers" || len(parts) <= 2 {
			blamed[parts[0]] = true
		}
		if slices.Contains(parts, "proxy") {
			blamed["proxy"] = true
		}
	}
	for _, problem := range cross {
		if !blamed[problem.section] {
			e = append(e, problem)
		}
	}
	return e
}

func asErrors(err error) error {
	var problem *Error
	if errors.As(err, &problem) {
		return Errors{problem}
	}
	return err
}

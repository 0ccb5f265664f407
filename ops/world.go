package ops

import (
	"context"
	"io"
	"io/fs"
	"time"

	"binnacle/config"
	"binnacle/config/secret"
	"binnacle/ops/command"
)

// World is all that a running step can touch: hosts, the local machine and
// time. live and the demo fleet differ below SSH only; opstest records.
type World interface {
	// Remote is the server with that name in deploy.yml. An ssh:// URL is a
	// machine that its ssh section does not speak of: it is reached as ssh does.
	Remote(host string) Remote
	// Local is the machine that Binnacle runs on.
	Local() Local
	Now() time.Time
	// Sleep waits, or returns the context's error.
	Sleep(ctx context.Context, d time.Duration) error
	// Ask puts a question to the person in front and waits for the answer. Where
	// nobody is there it is ErrNobody.
	Ask(ctx context.Context, q Question) (Answer, error)
	// Store opens the place where backups are kept, with its credentials.
	Store(ctx context.Context, at config.Store) (Objects, error)
}

// Sink receives a command's output as it comes, in whole or partial lines.
// Write must not block.
type Sink interface {
	Write(stream Stream, text []byte)
}

// Stream tells standard output from standard error.
type Stream string

// The streams of a transcript.
const (
	Stdout Stream = "out"
	Stderr Stream = "err"
	// Ran marks a line of the transcript that is a command, not output.
	Ran Stream = "ran"
)

// Remote is one server.
type Remote interface {
	// Run runs a Line and streams its output; a nil sink drops it. A non-zero
	// exit is an *ExitError, a lost connection is not.
	Run(ctx context.Context, line command.Line, sink Sink) error
	// Stream runs a Line with bytes going in (after the Line's own standard input;
	// nil: none) and out, unchanged and no faster than both ends take them. The
	// end of standard error is in the *ExitError. A reader or writer that fails
	// ends the command with its error.
	Stream(ctx context.Context, line command.Line, stdin io.Reader, stdout io.Writer) error
	// Upload writes a file below the login home, 0600 unless said otherwise,
	// complete or not at all; the content never appears in an argument.
	Upload(ctx context.Context, file File) error
	// Forward has the server listen on an address of its own and hands what
	// connects to an address of this machine, until it is closed. The context
	// bounds the setting up alone. Close tells why connections could not be
	// handed on, if that happened.
	Forward(ctx context.Context, listen, to string) (io.Closer, error)
	// Docker is the server's engine through its API.
	Docker() Docker
}

// File is a file to be written on a server.
type File struct {
	Path    string // relative to the login home unless absolute
	Mode    fs.FileMode
	Content secret.Value
}

// Docker is what operations need of an engine. ops/docker implements it; every
// change leaves the state that the docker command line would leave.
type Docker interface {
	Images
	Containers
}

// Images is the part of Docker about images and the networks they run on.
type Images interface {
	// Pull fetches an image and reports progress in bytes over all layers.
	Pull(ctx context.Context, ref string, auth RegistryAuth, progress func(Progress)) error
	// InspectImage returns an image by reference; ErrNotFound when absent.
	InspectImage(ctx context.Context, ref string) (Image, error)
	ListImages(ctx context.Context, labels ...string) ([]Image, error)
	Tag(ctx context.Context, ref, target string) error
	// RemoveImage removes one reference; absence is not an error.
	RemoveImage(ctx context.Context, ref string, force bool) error
}

// Containers is the part of Docker about containers.
type Containers interface {
	// ListContainers returns all containers, stopped ones too, that carry
	// every label given as `key=value`.
	ListContainers(ctx context.Context, labels ...string) ([]Container, error)
	// InspectContainer returns one container by name or id with its exit code,
	// health and the answers of its last health checks; ErrNotFound when absent.
	InspectContainer(ctx context.Context, name string) (Inspection, error)
	Rename(ctx context.Context, name, to string) error
	// Stop sends the stop signal and waits; a nil timeout is the container's own.
	Stop(ctx context.Context, name string, timeout *time.Duration) error
	// Tail returns the last n lines that a container logged, both streams.
	Tail(ctx context.Context, name string, n int) ([]string, error)
}

// Inspection is a container with what only an inspect tells.
type Inspection struct {
	Container
	Error      string // why the engine could not start it
	HealthLog  []HealthProbe
	HasHealth  bool // the image or the run options define a HEALTHCHECK
	StopSignal string
}

// HealthProbe is one run of a container's HEALTHCHECK.
type HealthProbe struct {
	At       time.Time
	ExitCode int
	Output   string
}

// RegistryAuth are the credentials of a registry; empty for none.
type RegistryAuth struct {
	Server   string
	Username string
	Password secret.Value
}

// Progress is how far a step is, in a unit that was counted, never guessed.
type Progress struct {
	Done  int64
	Total int64  // 0: unknown
	Unit  string // bytes, images, steps
	Text  string // what is being done now
	Usual int64  // what it came to the last time, an estimate where Total is not known; 0: unknown
}

// Rate is how much was done per second, on average; 0 while that says nothing yet.
func (p Progress) Rate(elapsed time.Duration) int64 {
	if elapsed < time.Second || p.Done <= 0 {
		return 0
	}
	return int64(float64(p.Done) / elapsed.Seconds())
}

// Left estimates the time that is left from the Total, or from what is usual;
// false where neither tells, and once it takes more than is usual.
func (p Progress) Left(elapsed time.Duration) (time.Duration, bool) {
	goal, rate := p.Total, p.Rate(elapsed)
	if goal == 0 {
		goal = p.Usual
	}
	if rate == 0 || goal <= p.Done {
		return 0, false
	}
	return time.Duration(float64(goal-p.Done) / float64(rate) * float64(time.Second)), true
}

// Local is the machine that Binnacle runs on.
type Local interface {
	// Run runs a Line in a directory ("" for the project) with extra
	// environment, whose values stay out of every record.
	Run(ctx context.Context, line command.Line, dir string, env map[string]secret.Value, sink Sink) error
	// Exists reports a file, relative to the project.
	Exists(path string) bool
	// ReadFile reads a file, relative to the project.
	ReadFile(path string) ([]byte, error)
	// Glob lists the files that match a pattern, relative to the project.
	Glob(pattern string) ([]string, error)
	// TempDir is where clones are kept.
	TempDir() string
}

// ExitError is a command that ran and failed.
type ExitError struct {
	Host   string // "" for the local machine
	Code   int
	Signal string
	Output string // last lines it printed, standard error preferred, redacted
}

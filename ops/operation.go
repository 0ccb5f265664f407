package ops

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"binnacle/config"
)

// Risk says how much an operation can hurt; it decides how it is confirmed.
type Risk int

// The risks, least first.
const (
	Read     Risk = iota // looks only
	Change               // changes hosts; the app goes on serving
	Disrupt              // users can notice
	DataLoss             // something is gone afterwards
)

// String is the word shown beside the operation.
func (r Risk) String() string {
	return [...]string{"read", "change", "disrupt", "data loss"}[r]
}

// Scope is what an operation is aimed at in the console.
type Scope string

// The scopes.
const (
	ScopeApp       Scope = "app"
	ScopeRole      Scope = "role"
	ScopeHost      Scope = "host"
	ScopeContainer Scope = "container"
	ScopeAccessory Scope = "accessory"
)

// Operation is one verb: how it is called, what it needs, and how it is planned.
type Operation struct {
	Name    string // as typed: "deploy", "app boot"
	Group   string // heading in help and palette
	Summary string // one line
	Key     string // key in the console, "" for none
	Scope   Scope
	Risk    Risk
	Params  []Param
	// Question is asked before it runs, unless -y is given; "" for none.
	Question string
	// Hidden keeps it out of help and palette: a part of something else that
	// Kamal lets people type.
	Hidden bool
	// Observe asks for fleet facts before planning: the hosts' containers,
	// images and the lock.
	Observe bool
	// Stores asks for what the stores hold of what its parameter NAME names, before
	// planning; of all backups when it names none.
	Stores bool
	// Plan decides what to do. It is pure: everything it may use is in Input.
	Plan func(Input) (Plan, error)
}

// ParamKind is the type of a parameter.
type ParamKind string

// The kinds of parameters.
const (
	Text    ParamKind = "text"
	Toggle  ParamKind = "toggle"
	Number  ParamKind = "number"
	Words   ParamKind = "words" // the rest of the command line, joined by spaces
	List    ParamKind = "list"  // a flag that may be repeated, see Params.List
	Version ParamKind = "version"
)

// Param is one argument or flag of an operation.
type Param struct {
	Name       string
	Letter     string // one-letter flag, "" for none
	Kind       ParamKind
	Usage      string
	Default    string
	Positional bool
	Required   bool
}

// Params are the values given, by parameter name.
type Params map[string]string

// With is a copy in which the others' values stand in place of its own.
func (p Params) With(others Params) Params {
	out := make(Params, len(p)+len(others))
	maps.Copy(out, p)
	maps.Copy(out, others)
	return out
}

// Text is a parameter's value, "" when it was not given.
func (p Params) Text(name string) string { return p[name] }

// List is the values of a List parameter, in order.
func (p Params) List(name string) []string {
	if p[name] == "" {
		return nil
	}
	return strings.Split(p[name], listSeparator)
}

// SetList sets a List parameter.
func (p Params) SetList(name string, values []string) { p[name] = strings.Join(values, listSeparator) }

// listSeparator is in no value that a person can type as an argument.
const listSeparator = "\x00"

// On reports a toggle that is set.
func (p Params) On(name string) bool { return p[name] == "true" }

// Int is a number, or def when absent or not a number.
func (p Params) Int(name string, def int) int {
	if n, err := strconv.Atoi(p[name]); err == nil {
		return n
	}
	return def
}

// Input is everything a plan may depend on.
type Input struct {
	Config    *config.Config
	Selection *config.Selection
	App       AppID
	Version   string // resolved version of the configuration; "" when unknown
	// AskedVersion is the version that was given by hand: --version or $VERSION.
	AskedVersion string
	Fleet        Fleet // what is known of the hosts now
	Params       Params
	SkipHooks    bool
	Now          time.Time
	// Hex returns n random lowercase hexadecimal digits.
	Hex func(n int) string
	// Who runs it: git user name for the lock, performer for the audit log.
	UserName  string
	Performer string
	// Holder identifies this run in the lock's message.
	Holder Holder
	// LockHeld is set when an outer command holds the lock (KAMAL_LOCK=true).
	LockHeld bool
	// Alive tells whether a process of this machine runs, to judge a lock's holder.
	Alive func(pid int) bool
	// Hooks are the hook files that exist, by name.
	Hooks []string
	// Connected says that the pre-connect hook has been run for this plan.
	Connected bool
	// LockWait is how a lock that somebody else holds is waited for.
	LockWait LockWait
	// Stdin is what the person's standard input is.
	Stdin Stdin
	// Streams says that a command can have the person's standard streams as they
	// are, bytes in and bytes out. A console has none to give, but a terminal.
	Streams bool
	// Program is the path of this program, for what starts it later, and StateDir
	// the folder for what it writes then; "" where nothing can be started later.
	Program  string
	StateDir string
	// Agreed says that the person agreed to all questions beforehand: -y.
	Agreed bool
	// Flags are the other global flags that were given, as typed, for a command that
	// goes on where this one stopped.
	Flags []string
	// Past tells the newest tasks of one operation on this app, oldest first, as far
	// as their journals are here; nil: none are kept.
	Past func(operation string) []Task
	// Own tells whether a task of this app has its journal here: another machine may
	// have this one's name. nil: every task with this machine's name is from here.
	Own func(TaskID) bool
}

// LockWait is --lock-wait with its limits; the zero value does not wait.
type LockWait struct {
	Timeout  time.Duration // 0: do not wait
	Interval time.Duration // between two tries
}

// Stdin is the kind of a standard input.
type Stdin string

// The kinds of standard input.
const (
	NoStdin       Stdin = ""         // nothing to read: closed or /dev/null
	StdinTerminal Stdin = "terminal" // a person types; a console lends its screen
	StdinData     Stdin = "data"     // a pipe
	StdinFile     Stdin = "file"     // a regular file
)

// HasData reports an input that was made before anybody reads it.
func (s Stdin) HasData() bool { return s == StdinData || s == StdinFile }

// Holder is who will hold the lock: machine, process and task.
type Holder struct {
	Host string
	PID  int
	Task TaskID
}

// Message is the lock message: Kamal's words first, so that its --lock-wait
// recognises an automatic lock.
func (h Holder) Message() string {
	return fmt.Sprintf("Automatic deploy lock (binnacle %s pid %d task %s)", h.Host, h.PID, h.Task)
}

// Catalog is the list of all operations.
type Catalog []Operation

// Find returns an operation by name.
func (c Catalog) Find(name string) (Operation, bool) {
	i := slices.IndexFunc(c, func(o Operation) bool { return o.Name == name })
	if i < 0 {
		return Operation{}, false
	}
	return c[i], true
}

// Words is the operation's name split for a command tree.
func (o Operation) Words() []string { return strings.Fields(o.Name) }

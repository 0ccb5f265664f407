package ops

import (
	"context"
	"time"

	"binnacle/ops/command"
)

// Plan is what an operation is going to do, as data: the confirm dialog, the
// dry run, the progress tree, the CLI and the golden tests read the same value.
type Plan struct {
	Operation string // "deploy"
	Title     string // "deploy v3 → production"
	App       AppID
	Version   string // the version it is about, if any
	Risk      Risk
	Effects   []Effect // the blast radius, for the confirm dialog
	Root      *Group
	// Confirm is the word that a person types before it runs; "" for none.
	Confirm string
	// Locks says that the plan takes the app's deploy lock itself.
	Locks bool
	// Stream says that results are lines without an end, to be shown as they
	// come; stopping it is how it ends well.
	Stream bool
	// Heading says what wrote the results when it was no part of ours: "App" puts
	// them under "App Host: vm1". Progress leaves standard output to them then.
	Heading string
	// Raw results are printed byte for byte, and nothing beside them.
	Raw bool
	// Attach is a command that the person is connected to once all steps are
	// done; nil for none. A step may complete its Line.
	Attach *Attach
}

// Attach is a command on a host whose standard streams are the person's own:
// bytes go both ways unchanged, and its exit code becomes ours.
type Attach struct {
	Host string
	Line command.Line
	// TTY asks for a terminal, with size and signals.
	TTY bool
	// Stdin says that it reads the person's standard input; always with TTY.
	Stdin bool
}

// Effect is one line of the blast radius.
type Effect struct {
	Label string // hosts, stops, keeps, loses, proxy …
	Text  string
	Warn  bool
}

// Node is a Step or a Group.
type Node interface{ node() }

// Mode says how a group's members run.
type Mode string

// The ways a group runs.
const (
	Serial   Mode = "serial"   // one after another; a failure skips the rest
	Parallel Mode = "parallel" // side by side; all finish before a failure counts
)

// Group is a set of nodes that run in one mode.
type Group struct {
	ID    string // path segment, unique among siblings; empty: only orders its members, and is not shown
	Title string
	Host  string // when all of it concerns one host
	Mode  Mode
	Limit int // Parallel: how many at once, 0 for all
	Nodes []Node
}

// Step is the smallest unit that runs, is shown and can be cancelled between.
type Step struct {
	ID    string // path segment, unique among siblings
	Title string
	Host  string // "" for the local machine
	// Lines are the commands it runs. Without Run, they run in order on Host.
	// With Run they document it: what a person could paste.
	Lines []command.Line
	// Run does what a plain list of commands cannot: loops, decisions.
	Run func(ctx context.Context, r *Run) error
	// Timeout bounds the step; 0 is the engine's default.
	Timeout time.Duration
	// Atomic steps are not interrupted by a cancel: it waits for them, bounded
	// by the Timeout, because stopping half-way would hurt.
	Atomic bool
	// Always steps run even after a failure or a cancel, on a context that
	// survives both. They must know by themselves whether there is work.
	Always bool
	// Soft steps may fail without failing the task; the failure is shown.
	Soft bool
	// Aloud steps print what somebody waits for: front ends show their output as it
	// comes, asked or not.
	Aloud bool
	// Check is a command that tells what the step left, for one that can go on
	// without us; "" for none.
	Check string
}

func (*Group) node() {}
func (*Step) node()  {}

// InSequence groups nodes that run one after another.
func InSequence(id, title string, nodes ...Node) *Group {
	return &Group{ID: id, Title: title, Mode: Serial, Nodes: nodes}
}

// SideBySide groups nodes that run at once.
func SideBySide(id, title string, nodes ...Node) *Group {
	return &Group{ID: id, Title: title, Mode: Parallel, Nodes: nodes}
}

// StepID is the path of a step from the plan's root: `boot/web/vm1/health`.
type StepID string

// StepInfo is a node of the plan as front ends and journals see it.
type StepInfo struct {
	ID       StepID   `json:"id"`
	Parent   StepID   `json:"parent,omitempty"`
	Title    string   `json:"title"`
	Host     string   `json:"host,omitempty"`
	Group    bool     `json:"group,omitempty"`
	Mode     Mode     `json:"mode,omitempty"`
	Depth    int      `json:"depth"`
	Commands []string `json:"commands,omitempty"` // redacted
	Always   bool     `json:"always,omitempty"`
	Aloud    bool     `json:"aloud,omitempty"` // its output is worth showing as it comes
	Check    string   `json:"check,omitempty"` // tells what it left, if nobody waited for its end
}

// Outline flattens the plan's tree in the order it is shown; the root itself
// is left out.
func (p Plan) Outline() []StepInfo {
	var out []StepInfo
	p.Walk(func(info StepInfo, _ Node) { out = append(out, info) })
	return out
}

// Walk visits every node below the root in order.
func (p Plan) Walk(visit func(StepInfo, Node)) {
	if p.Root == nil {
		return
	}
	walkGroup(p.Root, "", 0, visit)
}

// Steps lists the steps in the order they are shown.
func (p Plan) Steps() []*Step {
	var out []*Step
	p.Walk(func(_ StepInfo, n Node) {
		if s, ok := n.(*Step); ok {
			out = append(out, s)
		}
	})
	return out
}

// Hosts lists the hosts that the plan touches, in first-use order.
func (p Plan) Hosts() []string {
	var out []string
	seen := map[string]bool{}
	for _, s := range p.Steps() {
		if s.Host != "" && !seen[s.Host] {
			seen[s.Host] = true
			out = append(out, s.Host)
		}
	}
	return out
}

// Helpers

func walkGroup(g *Group, prefix StepID, depth int, visit func(StepInfo, Node)) {
	for _, n := range g.Nodes {
		if sub, ok := n.(*Group); ok && sub.ID == "" {
			walkGroup(sub, prefix, depth, visit)
			continue
		}
		info := infoOf(n, prefix, depth)
		visit(info, n)
		if sub, ok := n.(*Group); ok {
			walkGroup(sub, info.ID, depth+1, visit)
		}
	}
}

func infoOf(n Node, prefix StepID, depth int) StepInfo {
	switch n := n.(type) {
	case *Group:
		return StepInfo{ID: join(prefix, n.ID), Parent: prefix, Title: n.Title, Host: n.Host, Group: true, Mode: n.Mode, Depth: depth}
	case *Step:
		info := StepInfo{ID: join(prefix, n.ID), Parent: prefix, Title: n.Title, Host: n.Host, Depth: depth, Always: n.Always, Aloud: n.Aloud, Check: n.Check}
		for _, l := range n.Lines {
			info.Commands = append(info.Commands, l.String())
		}
		return info
	}
	return StepInfo{}
}

func join(prefix StepID, id string) StepID {
	switch {
	case prefix == "":
		return StepID(id)
	case id == "":
		return prefix
	}
	return prefix + "/" + StepID(id)
}

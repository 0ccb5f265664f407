package widget

import (
	"slices"
	"strings"

	"binnacle/ops"
	"binnacle/ui/kit"
)

// crowd is the number of members from which a group shows what failed and what
// runs, and counts the rest.
const crowd = 16

// stepNode is a step's place in the tree.
type stepNode struct {
	kids   []int
	counts stepCounts // over the direct members
	host   bool       // a group on one host whose members are all steps
}

// stepRow is one row of the tree.
type stepRow struct {
	id    ops.StepID // of the step; of a rest its group's with restSuffix
	node  int
	depth int
	host  bool // drawn in one row with its steps side by side
	opens bool
	open  bool
	rest  bool
	of    []int // what a rest stands for
}

// stepCounts are the members of a group by status.
type stepCounts struct {
	total, done, failed, running, waiting, cancelled, skipped int
}

func (c *stepCounts) add(s ops.Status) {
	c.total++
	switch s {
	case ops.Done:
		c.done++
	case ops.Failed:
		c.failed++
	case ops.Running:
		c.running++
	case ops.Cancelled:
		c.cancelled++
	case ops.Skipped:
		c.skipped++
	default:
		c.waiting++
	}
}

// restSuffix makes the identity of a rest; no step's path ends with it.
const restSuffix = "/…"

// buildSteps finds the tree in the outline.
func buildSteps(steps []ops.StepState) ([]stepNode, []int) {
	nodes := make([]stepNode, len(steps))
	index := make(map[ops.StepID]int, len(steps))
	var roots []int
	for i := range steps {
		index[steps[i].ID] = i
		parent, ok := index[steps[i].Parent]
		if !ok || steps[i].Parent == "" || parent == i {
			roots = append(roots, i)
			continue
		}
		nodes[parent].kids = append(nodes[parent].kids, i)
		nodes[parent].counts.add(steps[i].Status)
	}
	for i := range nodes {
		nodes[i].host = steps[i].Group && steps[i].Host != "" && len(nodes[i].kids) > 0 &&
			!slices.ContainsFunc(nodes[i].kids, func(k int) bool { return steps[k].Group })
	}
	return nodes, roots
}

// layout decides which rows there are.
func (t *StepTree) layout() {
	t.rows = t.rows[:0]
	t.members(t.roots, "", 0)
	t.at = make(map[ops.StepID]int, len(t.rows))
	keys := make([]ops.StepID, len(t.rows))
	t.label, t.hosts = 0, 0
	for i, r := range t.rows {
		t.at[r.id], keys[i] = i, r.id
		w := 2*r.depth + kit.Width(t.title(r.node))
		if r.host {
			t.hosts = max(t.hosts, w)
		} else if !r.rest {
			t.label = max(t.label, w)
		}
	}
	t.label = min(t.label, max(12, t.frame.Width*2/5))
	t.hosts = min(t.hosts, max(12, t.frame.Width/3))
	t.list.Sync(keys, t.frame.Height)
}

// members adds the rows of a group's members, or of the task's own.
func (t *StepTree) members(kids []int, group ops.StepID, depth int) {
	rest := group + restSuffix
	if len(kids) <= crowd || group == "" {
		for _, k := range kids {
			t.add(k, depth)
		}
		return
	}
	shown, others := t.sift(kids)
	for _, k := range shown {
		t.add(k, depth)
	}
	if len(others) == 0 {
		return
	}
	open := t.turned[rest]
	t.rows = append(t.rows, stepRow{id: rest, node: others[0], depth: depth, rest: true, of: others, opens: true, open: open})
	if open {
		for _, k := range others {
			t.add(k, depth)
		}
	}
}

// sift splits a crowd: failures first, then what runs, as far as there is
// room; the others in their order.
func (t *StepTree) sift(kids []int) (shown, others []int) {
	room := max(4, t.frame.Height-8)
	for _, status := range []ops.Status{ops.Failed, ops.Cancelled, ops.Running} {
		for _, k := range kids {
			if t.frame.Task.Steps[k].Status == status && len(shown) < room {
				shown = append(shown, k)
			}
		}
	}
	for _, k := range kids {
		if !slices.Contains(shown, k) {
			others = append(others, k)
		}
	}
	return shown, others
}

func (t *StepTree) add(i, depth int) {
	s, n := &t.frame.Task.Steps[i], t.nodes[i]
	row := stepRow{id: s.ID, node: i, depth: depth, host: n.host, opens: len(n.kids) > 0}
	if open, said := t.turned[s.ID]; said {
		row.open = open
	} else {
		row.open = !n.host && (s.Status == ops.Running || s.Status == ops.Failed || s.Status == ops.Cancelled || n.counts.failed > 0)
	}
	t.rows = append(t.rows, row)
	if row.opens && row.open {
		t.members(n.kids, s.ID, depth+1)
	}
}

// title is a step's name among its siblings: on several hosts, the host.
func (t *StepTree) title(i int) string {
	s := &t.frame.Task.Steps[i]
	if !s.Group && s.Host != "" && (s.ID == ops.StepID(s.Host) || strings.HasSuffix(string(s.ID), "/"+s.Host)) {
		return kit.Clean(s.Host)
	}
	return kit.Clean(s.Title)
}

package ops

import (
	"slices"
	"time"
)

// keptNotices and keptTasks bound what State remembers; journals keep it all.
const (
	keptNotices = 100
	keptTasks   = 200
)

// Fold applies one event to a state. It is pure: the old state stays valid.
func Fold(s State, e Event) State {
	s.Version++
	switch e := e.(type) {
	case TaskStarted:
		s.Tasks = keepLast(append(slices.Clone(s.Tasks), newTask(e)), keptTasks)
	case StepStarted:
		s.Tasks = withStep(s.Tasks, e.Task, e.Step, func(st *StepState) { st.Status, st.Started = Running, e.At })
	case StepProgressed:
		s.Tasks = withStep(s.Tasks, e.Task, e.Step, func(st *StepState) { st.Progress = e.Progress })
	case StepNoted:
		s.Tasks = withStep(s.Tasks, e.Task, e.Step, func(st *StepState) { st.Note = e.Note })
	case LineWritten:
		s.Tasks = withLines(s.Tasks, e.Task, e.Step, 1)
	case ResultWritten:
		s.Tasks = withLines(s.Tasks, e.Task, e.Step, 1)
	case linesAdvanced:
		s.Tasks = withLines(s.Tasks, e.task, e.step, e.lines)
	case StepFinished:
		s.Tasks = withStep(s.Tasks, e.Task, e.Step, func(st *StepState) {
			st.Status, st.Finished, st.Errors = e.Status, e.At, e.Errors
		})
	case TaskCancelling:
		s.Tasks = withTask(s.Tasks, e.Task, func(t *Task) { t.Cancelling = true })
	case TaskFinished:
		s.Tasks = withTask(s.Tasks, e.Task, func(t *Task) { finishTask(t, e) })
	case Noticed:
		s.Notices = keepLast(append(slices.Clone(s.Notices), Notice(e)), keptNotices)
	case QuestionAsked:
		s.Questions = append(slices.Clone(s.Questions), e.Question)
	case QuestionClosed:
		s.Questions = slices.DeleteFunc(slices.Clone(s.Questions), func(q Question) bool { return q.ID == e.ID })
	default:
		s.Fleet = foldFleet(s.Fleet, e)
	}
	return s
}

// Private

// linesAdvanced stands for many lines at once, so that a flood of output costs
// one fold.
type linesAdvanced struct {
	task  TaskID
	step  StepID
	lines uint64
}

func (linesAdvanced) event() {}

func foldFleet(f Fleet, e Event) Fleet {
	switch e := e.(type) {
	case AppOpened:
		f = f.WithApp(e.App)
		for _, name := range e.Hosts {
			if _, ok := f.Host(name); !ok {
				f = f.WithHost(Host{Name: name})
			}
		}
		return f
	case LockSeen:
		if a, ok := f.App(e.App); ok {
			a.Lock = e.Lock
			return f.WithApp(a)
		}
		return f
	case BackupsSeen:
		return f.withBackups(e.Backed)
	case HostConnecting:
		return f.onHost(e.Host, func(h *Host) {
			if h.Link != LinkLost { // a retry does not hide since when it is lost
				h.link(LinkConnecting, e.At, "")
			}
		})
	case HostSeen:
		return f.onHost(e.Host, func(h *Host) { h.Docker = e.Docker; h.link(LinkLive, e.At, ""); h.SeenAt = e.At })
	case HostLost:
		return f.onHost(e.Host, func(h *Host) { h.link(LinkLost, e.At, e.Reason) })
	case ContainersSeen:
		return f.onHost(e.Host, func(h *Host) { h.SeenAt = e.At; h.Containers = f.identified(h.Containers, e.Containers) })
	case ImagesSeen:
		return f.onHost(e.Host, func(h *Host) { h.SeenAt = e.At; h.Images = e.Images })
	case SystemSeen:
		return f.onHost(e.Host, func(h *Host) { h.System = e.System })
	case RoutesSeen:
		return f.onHost(e.Host, func(h *Host) { h.Routes = e.Routes })
	case UsageSeen:
		return f.onHost(e.Host, func(h *Host) { h.Containers = withUsage(h.Containers, e) })
	}
	return f
}

func (f Fleet) withBackups(b Backed) Fleet {
	a, ok := f.App(b.App)
	if !ok {
		return f
	}
	a.Backups = slices.Clone(a.Backups)
	i := slices.IndexFunc(a.Backups, func(known Backed) bool { return known.Name == b.Name })
	switch {
	case i < 0:
		a.Backups = append(a.Backups, b)
	case b.Problem != "":
		known := &a.Backups[i] // what was seen before stays, with its age
		known.Problem = b.Problem
	default:
		a.Backups[i] = b
	}
	return f.WithApp(a)
}

func (f Fleet) onHost(name string, change func(*Host)) Fleet {
	h, ok := f.Host(name)
	if !ok {
		return f
	}
	change(&h)
	return f.WithHost(h)
}

func (h *Host) link(to LinkState, at time.Time, reason string) {
	if h.Link != to {
		h.LinkSince = at
	}
	h.Link, h.LinkReason = to, reason
}

// identified keeps the usage figures that a listing does not carry.
func (f Fleet) identified(before, now []Container) []Container {
	usage := make(map[string]Container, len(before))
	for _, c := range before {
		usage[c.ID] = c
	}
	out := make([]Container, 0, len(now))
	for _, c := range now {
		c = f.Identify(c)
		if old, ok := usage[c.ID]; ok && c.Running() {
			c.CPU, c.Memory, c.StatsAt = old.CPU, old.Memory, old.StatsAt
		}
		out = append(out, c)
	}
	slices.SortFunc(out, byName)
	return out
}

// Helpers

func newTask(e TaskStarted) Task {
	t := Task{
		ID: e.Task, App: e.App, Operation: e.Operation, Title: e.Title, Version: e.Version, Risk: e.Risk,
		User: e.User, Host: e.Host, PID: e.PID, Status: Running, Started: e.At,
	}
	for _, info := range e.Steps {
		t.Steps = append(t.Steps, StepState{StepInfo: info, Status: Pending})
	}
	return t
}

func finishTask(t *Task, e TaskFinished) {
	t.Status, t.Finished, t.Errors, t.Serving, t.Lock = e.Status, e.At, e.Errors, e.Serving, e.Lock
	steps := slices.Clone(t.Steps)
	for i := range steps {
		if !steps[i].Status.Ended() {
			steps[i].Status = Skipped
		}
	}
	t.Steps = steps
}

func withTask(tasks []Task, id TaskID, change func(*Task)) []Task {
	i := slices.IndexFunc(tasks, func(t Task) bool { return t.ID == id })
	if i < 0 {
		return tasks
	}
	tasks = slices.Clone(tasks)
	change(&tasks[i])
	return tasks
}

func withStep(tasks []Task, id TaskID, step StepID, change func(*StepState)) []Task {
	return withTask(tasks, id, func(t *Task) {
		i := slices.IndexFunc(t.Steps, func(s StepState) bool { return s.ID == step })
		if i < 0 {
			return
		}
		t.Steps = slices.Clone(t.Steps)
		change(&t.Steps[i])
	})
}

func withLines(tasks []Task, id TaskID, step StepID, n uint64) []Task {
	tasks = withStep(tasks, id, step, func(s *StepState) { s.Lines += n })
	return withTask(tasks, id, func(t *Task) { t.Lines += n })
}

func withUsage(containers []Container, e UsageSeen) []Container {
	usage := make(map[string]Usage, len(e.Usage))
	for _, u := range e.Usage {
		usage[u.ID] = u
	}
	out := slices.Clone(containers)
	for i := range out {
		if u, ok := usage[out[i].ID]; ok {
			out[i].CPU, out[i].Memory, out[i].StatsAt = u.CPU, u.Memory, e.At
		}
	}
	return out
}

func byName(a, b Container) int {
	switch {
	case a.Name < b.Name:
		return -1
	case a.Name > b.Name:
		return 1
	}
	return 0
}

func keepLast[T any](all []T, n int) []T {
	if len(all) > n {
		return all[len(all)-n:]
	}
	return all
}

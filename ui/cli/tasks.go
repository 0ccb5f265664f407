package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"binnacle/ops"
	"binnacle/ops/live"
)

func (p Program) tasksCommand(f *flags) *cobra.Command {
	journals := ops.Journals{Dir: p.StateDir + "/tasks"}
	tasks := &cobra.Command{
		Use: "tasks", Short: "List the tasks that ran or run on this machine", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return p.listTasks(f, journals) },
	}
	show := &cobra.Command{
		Use: "show TASK", Short: "Show a task from its journal: steps, output and result", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return p.showTask(f, journals, args[0]) },
	}
	cancel := &cobra.Command{
		Use: "cancel TASK", Short: "Ask the process that runs a task to stop it at a safe point", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return p.cancelTask(journals, args[0]) },
	}
	tasks.AddCommand(show, cancel)
	return tasks
}

// Private

// listed is how many tasks are listed, newest last.
const listed = 30

func (p Program) listTasks(f *flags, journals ops.Journals) error {
	entries, err := journals.List("")
	if err != nil {
		return err
	}
	if len(entries) > listed {
		entries = entries[len(entries)-listed:]
	}
	docs := []taskJSON{}
	w := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	if !f.json {
		_, _ = fmt.Fprintln(w, "TASK\tAPP\tWHAT\tSTATUS\tSTARTED\tTOOK\tBY")
	}
	for _, e := range entries {
		task, ok := replay(journals, e)
		if !ok {
			continue
		}
		docs = append(docs, taskDocument(task))
		if !f.json {
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", task.ID, task.App, task.Title, statusOf(task),
				task.Started.Local().Format(time.DateTime), took(task), task.User)
		}
	}
	if f.json {
		return p.writeJSON(struct {
			V     int        `json:"v"`
			Tasks []taskJSON `json:"tasks"`
		}{1, docs})
	}
	return w.Flush()
}

func (p Program) showTask(f *flags, journals ops.Journals, id string) error {
	entry, err := findTask(journals, id)
	if err != nil {
		return err
	}
	events, err := journals.Read(entry.Path)
	if err != nil {
		return err
	}
	task, _ := replay(journals, entry)
	pr := &printer{
		out: p.Stdout, err: p.Stdout, json: f.json, verbose: true, plan: ops.Plan{Title: task.Title, Risk: ops.Change},
		titles: map[ops.StepID]ops.StepInfo{}, started: map[ops.StepID]time.Time{}, notes: map[ops.StepID]string{},
		trips: func() string { return "" },
	}
	for _, s := range task.Steps {
		pr.titles[s.ID] = s.StepInfo
	}
	for _, e := range events {
		if f.json {
			pr.printRecord(e)
		} else {
			pr.print(e)
		}
	}
	return nil
}

func (p Program) cancelTask(journals ops.Journals, id string) error {
	entry, err := findTask(journals, id)
	if err != nil {
		return err
	}
	task, ok := replay(journals, entry)
	if !ok || task.Status.Ended() {
		return fmt.Errorf("task %s has ended", id)
	}
	process, err := os.FindProcess(task.PID)
	if err == nil {
		err = process.Signal(cancelSignal())
	}
	if err != nil {
		lock := "binnacle lock status"
		if _, destination, ok := strings.Cut(string(entry.App), "@"); ok {
			lock = "binnacle -d " + destination + " lock status"
		}
		checks := append([]string{lock}, task.Unattended()...)
		return fmt.Errorf("task %s: its process %d is gone (%w); what it left: %s", id, task.PID, err, strings.Join(checks, ", "))
	}
	_, _ = fmt.Fprintf(p.Stdout, "asked process %d to stop %s\n", task.PID, task.Title)
	return nil
}

// Helpers

func replay(journals ops.Journals, e ops.Entry) (ops.Task, bool) {
	events, err := journals.Read(e.Path)
	if err != nil && len(events) == 0 {
		return ops.Task{}, false
	}
	var state ops.State
	for _, ev := range events {
		state = ops.Fold(state, ev)
	}
	return state.Task(e.Task)
}

func findTask(journals ops.Journals, id string) (ops.Entry, error) {
	entries, err := journals.List("")
	if err != nil {
		return ops.Entry{}, err
	}
	for _, e := range entries {
		if strings.EqualFold(string(e.Task), id) {
			return e, nil
		}
	}
	return ops.Entry{}, errors.New("no task " + id + " here; binnacle tasks lists them")
}

// statusOf is the task's status; one that never ended and whose process is gone
// was cut off.
func statusOf(t ops.Task) string {
	if t.Status.Ended() {
		return string(t.Status)
	}
	if !live.Alive(t.PID) {
		return "cut off"
	}
	return string(t.Status)
}

func took(t ops.Task) string {
	if t.Finished.IsZero() {
		return "-"
	}
	return t.Finished.Sub(t.Started).Round(100 * time.Millisecond).String()
}

package operation

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"binnacle/ops"
	"binnacle/ops/command"
)

// script runs a person's SQL on the throwaway copy.
func (t *trial) script() *ops.Step {
	return &ops.Step{
		ID: "sql", Title: "run " + t.Params.Text("sql"), Host: t.Host, Timeout: longest,
		Run: func(ctx context.Context, r *ops.Run) error {
			sql, err := t.readScript(r)
			if err != nil {
				return err
			}
			t.at.Tell = r.Line
			_, err = t.engine.SQL(ctx, t.at, bytes.NewReader(sql))
			return err
		},
	}
}

// leave gives the copy a name under which nothing removes it, and tells how to
// look into it and to be rid of it. A restore that did not come to its end leaves
// none.
func (t *trial) leave() *ops.Step {
	return &ops.Step{
		ID: "leave", Title: "leave it running", Host: t.Host, Always: true, Timeout: 5 * time.Minute,
		Run: func(ctx context.Context, r *ops.Run) error {
			if t.at.Container == "" || r.Failed() || r.Cancelled() {
				return t.remove(ctx, r)
			}
			name := t.scratchName(copyOf)
			rename := command.New("docker", "rename", t.at.Container, name)
			r.Ran(rename)
			if err := r.Docker().Rename(ctx, t.at.Container, name); err != nil {
				return &ops.Error{Host: t.Host, Command: rename.String(), Cause: err}
			}
			remove := command.New("docker", "rm", "--force", "--volumes", name)
			return r.Report(
				fmt.Sprintf("%s %s is in the container %s on %s\nto be rid of it: %s", t.Name, t.chosen.entry.ID, name, t.Host, remove.String()),
				scratchDocument{t.Name, t.chosen.entry.ID, t.Host, name},
			)
		},
	}
}

// scratchDocument is where a throwaway copy is, as JSON.
type scratchDocument struct {
	Name      string `json:"name"`
	ID        string `json:"id"`
	Host      string `json:"host"`
	Container string `json:"container"`
}

// readScript reads the SQL that a person has named; nil when none was.
func (p *protected) readScript(r *ops.Run) ([]byte, error) {
	file := p.Params.Text("sql")
	if file == "" {
		return nil, nil
	}
	sql, err := r.World.Local().ReadFile(file)
	if err != nil {
		return nil, &ops.Error{Summary: "reading " + file, Cause: err, Hint: "--sql FILE, from the project's folder"}
	}
	return sql, nil
}

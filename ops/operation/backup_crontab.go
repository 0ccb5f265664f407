package operation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"binnacle/config/secret"
	"binnacle/ops"
	"binnacle/ops/command"
)

// crontab is a person's whole table. Between a line `# binnacle: APP NAME` and its
// end stands what is ours; everything else stays as it is, byte by byte. It may hold
// other people's secrets, so that nothing of it is written to a transcript.
type crontab string

// cronBlock is one entry of ours.
type cronBlock struct {
	name     string
	line     string // what cron runs
	from, to int    // bytes of the table, both marks included
}

// errNoCrontab tells that this machine has no crontab program.
var errNoCrontab = errors.New("there is no crontab program on this machine")

// errUnended tells that an entry of ours has lost its end.
var errUnended = errors.New("it has no end")

// longestCron is the longest command that every cron takes.
const longestCron = 990

// Private

// intoCrontab installs entries. Those of the same name are replaced in their place.
func (s *schedule) intoCrontab(ctx context.Context, r *ops.Run, all []due) error {
	table, err := readCrontab(ctx, r)
	var known *ops.Error
	if errors.As(err, &known) && known.Hint == "" {
		told := *known
		told.Hint = "--systemd does without cron"
		return &told
	}
	if err != nil {
		return err
	}
	changed := table
	for _, d := range all {
		line, err := cronLine(d.cron.String(), s.shell(d))
		if err != nil {
			return &ops.Error{Summary: "scheduling " + d.Name, Cause: err, Hint: "--systemd has no such limit"}
		}
		if changed, err = changed.with(s.app, d.Name, line); err != nil {
			return err
		}
	}
	return changed.write(ctx, r, table)
}

// readCrontab reads the table. A failure other than that there is none is an error:
// what cannot be read must not be written.
func readCrontab(ctx context.Context, r *ops.Run) (crontab, error) {
	line := command.New("crontab", "-l")
	r.Ran(line)
	var out gathered
	err := r.World.Local().Run(ctx, line, "", nil, &out)
	var exit *ops.ExitError
	switch {
	case err == nil:
		return crontab(out.text.String()), nil
	case errors.As(err, &exit) && exit.Code == 127:
		return "", &ops.Error{Command: line.String(), Cause: errNoCrontab, Hint: "install cron, or use --systemd"}
	case errors.As(err, &exit) && strings.Contains(strings.ToLower(exit.Output), "no crontab"):
		return "", nil
	}
	return "", &ops.Error{Command: line.String(), Cause: err}
}

// write puts the table in the place of another, if it differs.
func (c crontab) write(ctx context.Context, r *ops.Run, before crontab) error {
	if c == before {
		return nil
	}
	line := command.New("crontab", "-").WithStdin(secret.New(string(c)))
	if c == "" {
		line = command.New("crontab", "-r")
	}
	r.Ran(line)
	if err := r.World.Local().Run(ctx, line, "", nil, nil); err != nil {
		return &ops.Error{Command: line.String(), Cause: err, Hint: "the crontab is as it was"}
	}
	return nil
}

// blocks are the entries of an app.
func (c crontab) blocks(app string) ([]cronBlock, error) {
	var found []cronBlock
	var open *cronBlock
	at := 0
	for line := range strings.Lines(string(c)) {
		text := strings.TrimSpace(line)
		at += len(line)
		switch {
		case open == nil && strings.HasPrefix(text, beginMark(app, "")):
			open = &cronBlock{name: strings.TrimPrefix(text, beginMark(app, "")), from: at - len(line)}
		case open == nil:
		case text == endMark(app, open.name):
			open.to = at
			found, open = append(found, *open), nil
		case strings.HasPrefix(text, cronMark):
			return nil, open.unended(app)
		case text != "" && open.line == "":
			open.line = text
		}
	}
	if open != nil {
		return nil, open.unended(app)
	}
	return found, nil
}

// with is the table with one entry in the place of those of the same name, or at
// its end.
func (c crontab) with(app, name, line string) (crontab, error) {
	blocks, err := c.blocks(app)
	if err != nil {
		return c, err
	}
	block := crontab(beginMark(app, name) + "\n" + line + "\n" + endMark(app, name) + "\n")
	i := slices.IndexFunc(blocks, func(b cronBlock) bool { return b.name == name })
	if i < 0 {
		if c != "" && !strings.HasSuffix(string(c), "\n") {
			c += "\n"
		}
		return c + block, nil
	}
	first := blocks[i]
	before, after := c[:first.from], c[first.to:]
	rest, err := after.without(app, []string{name})
	return before + block + rest, err
}

// without is the table without the entries of some names.
func (c crontab) without(app string, names []string) (crontab, error) {
	blocks, err := c.blocks(app)
	if err != nil {
		return c, err
	}
	for _, b := range slices.Backward(blocks) {
		if slices.Contains(names, b.name) {
			c = c[:b.from] + c[b.to:]
		}
	}
	return c, nil
}

// schedule are the five fields of an entry.
func (b cronBlock) schedule() string {
	fields := strings.Fields(b.line)
	return strings.Join(fields[:min(5, len(fields))], " ")
}

func (b cronBlock) unended(app string) error {
	return &ops.Error{Summary: "reading the crontab", Cause: fmt.Errorf("the entry %q: %w", beginMark(app, b.name), errUnended),
		Hint: fmt.Sprintf("crontab -e: put %q below it, or remove the entry", endMark(app, b.name))}
}

// gathered takes standard output whole, and nothing else.
type gathered struct{ text bytes.Buffer }

func (g *gathered) Write(stream ops.Stream, text []byte) {
	if stream == ops.Stdout {
		g.text.Write(text)
	}
}

// Helpers

const cronMark = "# binnacle: "

func beginMark(app, name string) string { return cronMark + app + " " + name }

func endMark(app, name string) string { return "# end of binnacle: " + app + " " + name }

// cronLine is a line of a crontab. Cron takes % for a line break unless it is told
// otherwise.
func cronLine(schedule, shell string) (string, error) {
	shell = strings.ReplaceAll(shell, "%", `\%`)
	if len(shell) > longestCron {
		return "", fmt.Errorf("the command is %d bytes long, and cron takes %d: PATH may be too long", len(shell), longestCron)
	}
	return schedule + " " + shell, nil
}

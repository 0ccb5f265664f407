package sim

import (
	"context"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/events"
)

// eachContainer is start, stop, restart, kill, rm, pause and unpause: one act for every name.
func (d dockerCommand) eachContainer() int {
	f, err := d.flags(flagSpec{short: "t=time f=force v=volumes s=signal a=attach i=interactive l=link", valued: "time timeout signal", plain: "force volumes attach interactive link"})
	if err != nil {
		return d.flagError(err)
	}
	if len(f.words) == 0 {
		return d.usage(1)
	}
	grace := time.Duration(-1)
	if text := f.last("time") + f.last("timeout"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return d.flagError(fmt.Errorf("invalid argument %q for \"-t, --timeout\" flag: strconv.ParseInt: parsing %q: invalid syntax", text, text))
		}
		grace = time.Duration(n) * time.Second
	}
	var failed []string
	for _, name := range f.words {
		var err error
		switch d.name {
		case "start":
			err = d.e.start(name)
		case "stop":
			err = d.e.stop(d.ctx, name, grace)
		case "restart":
			err = d.e.restart(d.ctx, name, grace)
		case "kill":
			err = d.e.kill(name, f.last("signal"))
		case "rm":
			err = d.e.remove(name, f.has("force"), f.has("volumes"))
			if err != nil && f.has("force") && strings.HasPrefix(err.Error(), "No such container") {
				_, _ = fmt.Fprintln(d.errOut, daemonText(err))
				continue
			}
		default:
			err = d.e.freeze(name, d.name == "pause")
		}
		if d.ctx.Err() != nil {
			return 130
		}
		if err != nil {
			_, _ = fmt.Fprintln(d.errOut, daemonText(err))
			failed = append(failed, name)
			continue
		}
		d.print(name + "\n")
	}
	if len(failed) == 0 {
		return 0
	}
	if d.name == "start" {
		return d.complain(1, "Error: failed to start containers: %s", strings.Join(failed, ", "))
	}
	return 1
}

func (d dockerCommand) rename() int {
	if len(d.args) != 2 {
		return d.complain(1, "\"docker rename\" requires exactly 2 arguments.\nSee 'docker rename --help'.")
	}
	if err := d.e.rename(d.args[0], d.args[1]); err != nil {
		return d.refuse(err)
	}
	return 0
}

func (d dockerCommand) prune() int {
	f, err := d.flags(flagSpec{short: "f=force", valued: "filter", plain: "force"})
	if err != nil {
		return d.flagError(err)
	}
	want := filters{}
	for _, pair := range f.values["filter"] {
		if err := want.add(pair); err != nil {
			return d.complain(125, "%v", err)
		}
	}
	match, err := d.e.containerMatcher(want)
	if err != nil {
		return d.refuse(err)
	}
	ids := d.e.prune(match)
	if len(ids) > 0 {
		d.print("Deleted Containers:\n" + strings.Join(ids, "\n") + "\n\n")
	}
	d.print("Total reclaimed space: " + units.HumanSizeWithPrecision(float64(len(ids)*1100), 4) + "\n")
	return 0
}

func (d dockerCommand) logs() int {
	f, err := d.flags(flagSpec{short: "f=follow n=tail t=timestamps", valued: "tail since until", plain: "follow timestamps details"})
	if err != nil {
		return d.flagError(err)
	}
	if len(f.words) != 1 {
		return d.complain(1, "\"docker logs\" requires exactly 1 argument.\nSee 'docker logs --help'.\n\nUsage:  docker logs [OPTIONS] CONTAINER\n\nFetch the logs of a container")
	}
	d.h.mu.Lock()
	c, err := d.e.findLocked(f.words[0])
	d.h.mu.Unlock()
	if err != nil {
		return d.refuse(err)
	}
	req := logRequest{follow: f.has("follow"), stamps: f.has("timestamps"), tail: -1}
	if n, err := strconv.Atoi(f.last("tail")); err == nil {
		req.tail = n
	}
	if req.since, err = timeFrom(f.last("since"), d.h.now()); err != nil {
		return d.complain(1, "invalid value for \"since\": %v", err)
	}
	if req.until, err = timeFrom(f.last("until"), d.h.now()); err != nil {
		return d.complain(1, "invalid value for \"until\": %v", err)
	}
	return d.follow(c, req)
}

func (d dockerCommand) exec() int {
	f, err := d.flags(flagSpec{short: "d=detach e=env i=interactive t=tty u=user w=workdir", valued: "env env-file user workdir", plain: "detach interactive tty privileged", stop: true})
	if err != nil {
		return d.flagError(err)
	}
	if len(f.words) < 2 {
		return d.usage(2)
	}
	if f.has("tty") && d.tty == nil && f.has("interactive") {
		return d.complain(1, "the input device is not a TTY")
	}
	env, err := d.envFrom(f)
	if err != nil {
		return d.complain(1, "%v", err)
	}
	c, err := d.e.runningForExec(f.words[0])
	if err != nil {
		return d.refuse(err)
	}
	spec := execSpec{argv: f.words[1:], env: env, dir: f.last("workdir")}
	if f.has("tty") {
		spec.tty = d.tty
	}
	in := d.in
	if !f.has("interactive") {
		in = strings.NewReader("")
	}
	if f.has("detach") {
		d.h.fleet.spawn(func() {
			d.h.runInContainer(d.h.fleet.ctx, c, spec, strings.NewReader(""), io.Discard, io.Discard)
		})
		return 0
	}
	return d.e.execNow(d.ctx, c, spec, in, d.out, d.errOut)
}

// cp copies between a container and the host.
func (d dockerCommand) cp() int {
	f, err := d.flags(flagSpec{short: "L=follow-link a=archive q=quiet", plain: "follow-link archive quiet"})
	if err != nil {
		return d.flagError(err)
	}
	if len(f.words) != 2 {
		return d.complain(1, "\"docker cp\" requires exactly 2 arguments.")
	}
	from, fromPath, err := d.cpSide(f.words[0])
	if err != nil {
		return d.refuse(err)
	}
	to, toPath, err := d.cpSide(f.words[1])
	if err != nil {
		return d.refuse(err)
	}
	info, err := from.stat(path.Clean(fromPath))
	if err != nil {
		name, _, _ := strings.Cut(f.words[0], ":")
		return d.complain(1, "Error response from daemon: Could not find the file %s in container %s", fromPath, name)
	}
	if have, err := to.stat(toPath); err == nil && have.dir && !strings.HasSuffix(fromPath, "/.") {
		toPath = path.Join(toPath, info.name)
	}
	if err := copyTree(from, path.Clean(fromPath), to, toPath, false); err != nil {
		return d.complain(1, "%v", err)
	}
	return 0
}

func (d dockerCommand) wait() int {
	for _, name := range d.args {
		d.h.mu.Lock()
		c, err := d.e.findLocked(name)
		d.h.mu.Unlock()
		if err != nil {
			return d.refuse(err)
		}
		code, err := d.e.wait(d.ctx, c, "not-running")
		if err != nil {
			return 130
		}
		d.print(fmt.Sprintln(code))
	}
	return 0
}

func (d dockerCommand) top() int {
	if len(d.args) == 0 {
		return d.usage(1)
	}
	titles, rows, err := d.e.top(d.args[0])
	if err != nil {
		return d.refuse(err)
	}
	d.table(titles, rows)
	return 0
}

func (d dockerCommand) port() int {
	if len(d.args) == 0 {
		return d.usage(1)
	}
	d.h.mu.Lock()
	c, err := d.e.findLocked(d.args[0])
	var text string
	if err == nil {
		for _, p := range publishedOf(c) {
			ip := p.ip
			if ip == "" {
				ip = "0.0.0.0"
			}
			text += fmt.Sprintf("%s -> %s:%s\n", p.port, ip, p.hostPort)
		}
	}
	d.h.mu.Unlock()
	if err != nil {
		return d.refuse(err)
	}
	d.print(text)
	return 0
}

// statsRow is a line of `docker stats`.
type statsRow struct{ BlockIO, CPUPerc, Container, ID, MemPerc, MemUsage, Name, NetIO, PIDs string }

func (d dockerCommand) stats() int {
	f, err := d.flags(flagSpec{short: "a=all", valued: "format", plain: "all no-stream no-trunc"})
	if err != nil {
		return d.flagError(err)
	}
	if !f.has("no-stream") {
		return d.complain(1, "docker stats without --no-stream needs a terminal; the API streams")
	}
	var rows []statsRow
	d.h.mu.Lock()
	for _, c := range d.e.listLocked() {
		if !c.alive() || len(f.words) > 0 && !named(c, f.words) {
			continue
		}
		cpu, mem := c.program.load(c, d.h.now())
		limit := memoryLimit(c)
		rows = append(rows, statsRow{
			BlockIO: "12.3MB / 4.1MB", CPUPerc: fmt.Sprintf("%.2f%%", cpu*100), Container: c.id[:12], ID: c.id[:12], MemPerc: fmt.Sprintf("%.2f%%", float64(mem)*100/float64(limit)),
			MemUsage: units.BytesSize(float64(mem)) + " / " + units.BytesSize(float64(limit)), Name: c.name, NetIO: "48.1MB / 91.7MB", PIDs: "12",
		})
	}
	d.h.mu.Unlock()
	if text := f.last("format"); text != "" && text != "table" {
		list := make([]any, len(rows))
		for i, r := range rows {
			list[i] = r
		}
		return d.format(text, nil, list)
	}
	var lines [][]string
	for _, r := range rows {
		lines = append(lines, []string{r.ID, r.Name, r.CPUPerc, r.MemUsage, r.MemPerc, r.NetIO, r.BlockIO, r.PIDs})
	}
	d.table([]string{"CONTAINER ID", "NAME", "CPU %", "MEM USAGE / LIMIT", "MEM %", "NET I/O", "BLOCK I/O", "PIDS"}, lines)
	return 0
}

// Private

// follow prints a container's log.
func (d dockerCommand) follow(c *container, req logRequest) int {
	err := d.e.readLog(d.ctx, c, req, func(l logLine) error {
		to := d.out
		if l.stderr {
			to = d.errOut
		}
		_, err := io.WriteString(to, l.render(req.stamps))
		return err
	})
	if err != nil && d.ctx.Err() != nil {
		return 130
	}
	return 0
}

func (d dockerCommand) cpSide(arg string) (*fileSystem, string, error) {
	name, inside, ok := strings.Cut(arg, ":")
	if !ok || strings.HasPrefix(arg, "/") || strings.HasPrefix(arg, ".") {
		return d.files, d.path(arg), nil
	}
	d.h.mu.Lock()
	defer d.h.mu.Unlock()
	c, err := d.e.findLocked(name)
	if err != nil {
		return nil, "", err
	}
	return d.e.rootOf(c), inside, nil
}

// runningForExec finds a container that commands can be run in.
func (e *engine) runningForExec(ref string) (*container, error) {
	e.h.mu.Lock()
	defer e.h.mu.Unlock()
	c, err := e.findLocked(ref)
	if err != nil {
		return nil, err
	}
	switch c.status {
	case "running":
		return c, nil
	case "restarting":
		return nil, &engineError{409, fmt.Sprintf("Container %s is restarting, wait until the container is running", c.id)}
	case "paused":
		return nil, &engineError{409, fmt.Sprintf("Container %s is paused, unpause the container before exec", ref)}
	}
	return nil, &engineError{409, fmt.Sprintf("container %s is not running", c.id)}
}

// execNow runs a command in a container, with its events.
func (e *engine) execNow(ctx context.Context, c *container, spec execSpec, in io.Reader, out, errOut io.Writer) int {
	line := strings.Join(spec.argv, " ")
	e.h.mu.Lock()
	e.serial++
	id := map[string]string{"execID": hash("exec", c.id, fmt.Sprint(e.serial))}
	e.emit(c, string(events.ActionExecCreate)+": "+line, id)
	e.emit(c, string(events.ActionExecStart)+": "+line, id)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	killed := false
	if c.execs == nil {
		c.execs = map[string]func(){}
	}
	c.execs[id["execID"]] = func() { killed = true; cancel() }
	e.h.mu.Unlock()
	code := e.h.runInContainer(ctx, c, spec, in, out, errOut)
	e.h.mu.Lock()
	defer e.h.mu.Unlock()
	delete(c.execs, id["execID"])
	if killed {
		code = 137
	}
	e.emit(c, string(events.ActionExecDie), map[string]string{"execID": id["execID"], "exitCode": fmt.Sprint(code)})
	return code
}

// freeze pauses or unpauses.
func (e *engine) freeze(ref string, on bool) error {
	e.h.mu.Lock()
	defer e.h.mu.Unlock()
	c, err := e.findLocked(ref)
	switch {
	case err != nil:
		return err
	case on && c.status == "running":
		e.h.advanceLocked(e.h.now())
		c.status = "paused"
		e.emit(c, "pause", nil)
	case !on && c.status == "paused":
		c.status = "running"
		e.emit(c, "unpause", nil)
	case on:
		return &engineError{409, fmt.Sprintf("container %s is not running", c.id)}
	default:
		return &engineError{500, fmt.Sprintf("Container %s is not paused", c.id)}
	}
	return nil
}

// top lists a container's processes.
func (e *engine) top(ref string) (titles []string, rows [][]string, err error) {
	e.h.mu.Lock()
	defer e.h.mu.Unlock()
	c, err := e.findLocked(ref)
	if err != nil {
		return nil, nil, err
	}
	if !c.alive() {
		return nil, nil, &engineError{409, fmt.Sprintf("container %s is not running", c.id)}
	}
	cmd := strings.Join(append(append([]string(nil), c.config.Entrypoint...), c.config.Cmd...), " ")
	row := []string{"root", fmt.Sprint(c.pid), fmt.Sprint(c.pid - 22), "0", c.started.Format("15:04"), "?", "00:00:03", cmd}
	return []string{"UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"}, [][]string{row}, nil
}

// Helpers

func named(c *container, names []string) bool {
	for _, n := range names {
		if c.name == n || strings.HasPrefix(c.id, n) {
			return true
		}
	}
	return false
}

// timeFrom reads a duration back from now, a Unix time or a date; empty is the zero time.
func timeFrom(text string, now time.Time) (time.Time, error) {
	if text == "" || text == "0" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil {
		return now.Add(-d), nil
	}
	if sec, nano, ok := strings.Cut(text, "."); ok || strings.Trim(text, "0123456789") == "" {
		s, err := strconv.ParseInt(sec, 10, 64)
		if err == nil {
			n, _ := strconv.ParseInt((nano + "000000000")[:9], 10, 64)
			return time.Unix(s, n).UTC(), nil
		}
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("failed to parse value as time or duration: %q", text)
}

package operation_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"binnacle/ops"
	"binnacle/ops/backup"
	"binnacle/ops/opstest"
)

// protectedConfig is demoConfig with a database on a host of its own.
const protectedConfig = demoConfig + `
accessories:
  db: { image: "postgres:16", host: vm4, env: { clear: { POSTGRES_DB: app } }, directories: [ "data:/var/lib/postgresql/data" ] }
  files: { image: "nginx:1", host: vm4, volumes: [ "uploads:/srv" ] }
x-binnacle:
  stores: { kept: { type: local, path: kept } }
  backups:
    "*": { store: kept, retain: { last: 2 } }
    files: { skip: true }
`

// protectedBench is a bench with a PostgreSQL server that answers what the engine
// asks it: databases are tables with numbers of rows.
type protectedBench struct {
	*bench
	kept *opstest.Objects

	pg      sync.Mutex
	servers map[string]map[string]*database // container → name → database
	clients int
	first   string            // the first column of what a script answers
	paused  map[string]string // host → state of its proxy's service
	events  []ops.Event
}

type database struct {
	of     string
	tables map[string]int64
}

func newProtectedBench(t *testing.T, yaml string) *protectedBench {
	t.Helper()
	return protect(newBench(t, yaml))
}

func protect(b *bench) *protectedBench {
	p := &protectedBench{bench: b, kept: b.world.Objects("kept"), servers: map[string]map[string]*database{}, paused: map[string]string{}}
	b.in.UserName, b.in.Performer = "Ana", "ana@example.com"
	b.world.Engine("vm4").Add(ops.Inspection{Container: ops.Container{ID: "db", Name: "shop-db", Image: "postgres:16", State: "running"}})
	p.servers["shop-db"] = map[string]*database{"app": {tables: map[string]int64{"users": 3, "orders": 5}}}
	b.world.On("vm4", "^docker exec -i ", opstest.Reply{Stream: p.exec})
	b.world.On("vm4", "^docker run -d --name binnacle_", opstest.Reply{Answer: p.runScratch})
	b.world.On("vm4", "^docker ps -a --filter label=binnacle.of=", opstest.Reply{Answer: p.scratches})
	b.world.On("vm4", "^docker rm -f -v ", opstest.Reply{Answer: p.removeScratch})
	for _, host := range b.cfg.AllHosts() {
		for word, state := range map[string]string{"stop": "stopped", "resume": "running"} {
			b.world.On(host, "kamal-proxy "+word+" ", opstest.Reply{Answer: func(context.Context, string) (string, error) {
				p.pg.Lock()
				defer p.pg.Unlock()
				p.paused[host] = state
				return "", nil
			}})
		}
	}
	return p
}

// do runs an operation to its end.
func (p *protectedBench) do(name string, params ...string) ops.Task {
	p.t.Helper()
	return p.follow(p.plan(name, params...), nil)
}

// must is do for what has to succeed.
func (p *protectedBench) must(name string, params ...string) {
	p.t.Helper()
	if task := p.do(name, params...); task.Status != ops.Done {
		p.t.Fatalf("%s: %s: %v", name, task.Status, texts(task.Errors))
	}
}

// follow is start that keeps what happened, some time after what was before.
func (p *protectedBench) follow(plan ops.Plan, while func(e *ops.Engine)) ops.Task {
	p.t.Helper()
	_ = p.world.Sleep(p.t.Context(), time.Hour)
	var tail *ops.Tail
	task := p.start(plan, func(e *ops.Engine, _ ops.TaskID) {
		tail = p.store.Tail()
		if while != nil {
			while(e)
		}
	})
	p.events = nil
	for {
		events, more := tail.Next(p.t.Context())
		p.events = append(p.events, events...)
		if !more {
			return task
		}
	}
}

// results are what the last task printed for the person.
func (p *protectedBench) results() (text, data string) {
	for _, e := range p.events {
		if r, ok := e.(ops.ResultWritten); ok {
			text += r.Text + "\n"
			data += string(r.Data) + "\n"
		}
	}
	return text, data
}

// seen is what the last task told of a thing's backups.
func (p *protectedBench) seen() ops.Backed {
	var last ops.Backed
	for _, e := range p.events {
		if b, ok := e.(ops.BackupsSeen); ok {
			last = b.Backed
		}
	}
	return last
}

// listed is what the store has, read as by anybody.
func (p *protectedBench) listed() []backup.Entry {
	p.t.Helper()
	entries, err := backup.NewShelf(p.kept, "shop", "db", backup.Keys{}).List(p.t.Context())
	if err != nil {
		p.t.Error(err)
	}
	return entries
}

// keys are the names of all objects, without the identifiers of backups.
func (p *protectedBench) keys() []string {
	p.t.Helper()
	objects, err := p.kept.List(p.t.Context(), "")
	if err != nil {
		p.t.Error(err)
	}
	var keys []string
	for _, o := range objects {
		keys = append(keys, o.Key)
	}
	return keys
}

// tables are the rows of a database of the server; nil when it is not there.
func (p *protectedBench) tables(name string) map[string]int64 {
	p.pg.Lock()
	defer p.pg.Unlock()
	if db := p.servers["shop-db"][name]; db != nil {
		return maps.Clone(db.tables)
	}
	return nil
}

// databases are the names on the server.
func (p *protectedBench) databases() []string {
	p.pg.Lock()
	defer p.pg.Unlock()
	return slices.Sorted(maps.Keys(p.servers["shop-db"]))
}

// write changes the data.
func (p *protectedBench) write(table string, rows int64) {
	p.pg.Lock()
	defer p.pg.Unlock()
	p.servers["shop-db"]["app"].tables[table] = rows
}

// containers are the names of throwaway containers and copies.
func (p *protectedBench) containers() []string {
	var out []string
	for _, c := range p.world.Engine("vm4").Containers() {
		if strings.HasPrefix(c.Name, "binnacle_") {
			out = append(out, c.Name)
		}
	}
	return out
}

// Private

// exec is a command in a container with a PostgreSQL client.
func (p *protectedBench) exec(ctx context.Context, what string, stdin io.Reader, stdout io.Writer) error {
	container := strings.Fields(what)[3]
	args := strings.Fields(strings.ReplaceAll(what[strings.LastIndex(what, "' sh ")+5:], "''", "-"))
	switch {
	case strings.Contains(what, "lifeline pg_dumpall"):
		return p.answer(stdout, "CREATE ROLE app;")
	case strings.Contains(what, "lifeline pg_dump "):
		return p.within(container, args[0], func(d *database) error { return json.NewEncoder(stdout).Encode(d.tables) })
	case strings.Contains(what, "pg_restore --list"):
		if _, err := io.Copy(io.Discard, stdin); err != nil {
			return err
		}
		return p.answer(stdout, ";     Archive created at 2026-01-02")
	case strings.Contains(what, "exec pg_restore "):
		var tables map[string]int64
		if err := json.NewDecoder(stdin).Decode(&tables); err != nil {
			return err
		}
		return p.within(container, args[0], func(d *database) error { d.tables = tables; return nil })
	case strings.Contains(what, "pg_isready"):
		return nil
	case strings.Contains(what, "exec psql -XAtqw -v ON_ERROR_STOP=1' sh "): // a snapshot, held until the counting was read
		facts, err := p.facts(container, args[0])
		if err == nil {
			err = p.answer(stdout, `{"snapshot":"1-1"}`+"\n"+facts+`{"counted":true}`)
		}
		if err == nil {
			_, err = io.Copy(io.Discard, stdin)
		}
		return err
	}
	text, err := io.ReadAll(stdin)
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return p.psql(what, container, args, string(text), stdout)
}

// psql is a script for psql.
func (p *protectedBench) psql(what, container string, args []string, script string, stdout io.Writer) error {
	switch {
	case strings.Contains(script, "'clients'"):
		facts, err := p.facts(container, args[0])
		if err != nil {
			return err
		}
		return p.answer(stdout, facts)
	case strings.Contains(script, "SHOW server_version"):
		return p.answer(stdout, "16.4")
	case strings.Contains(script, "pg_encoding_to_char"):
		return p.within(container, args[0], func(*database) error {
			return p.answer(stdout, `{"version":"16.4","database":"app","owner":"app","superuser":"postgres","roles":["app"],"create":"CREATE DATABASE :\"name\"","then":[]}`)
		})
	case strings.HasPrefix(script, "BEGIN;"):
		return p.answer(stdout, p.first)
	case !strings.Contains(what, "-v of="):
		return nil
	}
	p.pg.Lock()
	defer p.pg.Unlock()
	server, of, name, keep := p.servers[container], args[0], args[1], args[2]
	switch {
	case strings.Contains(script, "binnacle swap';\nSELECT set_config"):
		kept := "f"
		if old := server[of]; old != nil {
			old.of, server[keep], kept = of, old, "t"
		}
		server[of] = server[name]
		delete(server, name)
		return p.answer(stdout, kept)
	case strings.Contains(script, "'done kept'"):
		switch {
		case server[name] != nil:
			return p.answer(stdout, "not done")
		case server[keep] != nil:
			return p.answer(stdout, "done kept")
		}
		return p.answer(stdout, "done")
	case strings.Contains(script, "DROP DATABASE IF EXISTS"):
		if name != of {
			delete(server, name)
		}
	case strings.Contains(script, "to_json(datname"):
		for _, name := range slices.Sorted(maps.Keys(server)) {
			if server[name].of == of {
				if err := p.answer(stdout, fmt.Sprintf("%q", name)); err != nil {
					return err
				}
			}
		}
	case strings.Contains(script, "CREATE DATABASE"):
		server[name] = &database{of: of}
	default:
		p.t.Errorf("the server does not know %s", script)
	}
	return nil
}

func (p *protectedBench) facts(container, name string) (string, error) {
	var out strings.Builder
	err := p.within(container, name, func(d *database) error {
		fmt.Fprintf(&out, `{"version":"16.4","database":%q,"size":8192,"clients":%d}`+"\n", name, p.clients)
		for _, table := range slices.Sorted(maps.Keys(d.tables)) {
			fmt.Fprintf(&out, `{"table":%q,"rows":%d}`+"\n", table, d.tables[table])
		}
		return nil
	})
	return out.String(), err
}

func (p *protectedBench) within(container, name string, do func(*database) error) error {
	p.pg.Lock()
	defer p.pg.Unlock()
	d := p.servers[container][name]
	if d == nil {
		return &ops.ExitError{Host: "vm4", Code: 2, Output: fmt.Sprintf(`psql: error: connection to server failed: FATAL:  database "%s" does not exist`, name)}
	}
	return do(d)
}

func (p *protectedBench) answer(stdout io.Writer, text string) error {
	_, err := io.WriteString(stdout, strings.TrimSuffix(text, "\n")+"\n")
	return err
}

var labelled = regexp.MustCompile(`--label (\S+)`)

func (p *protectedBench) runScratch(_ context.Context, what string) (string, error) {
	c := ops.Container{Name: strings.Fields(what)[4], State: "running", Created: p.world.Now(), Labels: map[string]string{}}
	c.ID = c.Name
	for _, m := range labelled.FindAllStringSubmatch(what, -1) {
		key, value, _ := strings.Cut(m[1], "=")
		c.Labels[key] = value
	}
	p.world.Engine("vm4").Add(ops.Inspection{Container: c})
	p.pg.Lock()
	defer p.pg.Unlock()
	p.servers[c.Name] = map[string]*database{"postgres": {}}
	return c.ID, nil
}

func (p *protectedBench) scratches(_ context.Context, what string) (string, error) {
	var out strings.Builder
	of := strings.TrimPrefix(strings.Fields(what)[4], "label=binnacle.of=")
	for _, c := range p.world.Engine("vm4").Containers() {
		if c.Labels["binnacle.of"] == of {
			out.WriteString(c.Name + "\n")
		}
	}
	return out.String(), nil
}

func (p *protectedBench) removeScratch(_ context.Context, what string) (string, error) {
	name := strings.Fields(what)[4]
	p.world.Engine("vm4").Remove(func(c ops.Inspection) bool { return c.Name == name })
	return "", nil
}

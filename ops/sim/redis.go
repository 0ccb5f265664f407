package sim

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"strings"
	"sync"
)

const redisVersion = "7.4.3"

// keyServer is the Redis that runs in a container: what it has in memory, which a
// save puts on its disk.
type keyServer struct {
	c     *container
	run   int // of the container: another start is another server
	files *fileSystem

	mu       sync.Mutex
	data     keyspace
	settings map[string]string
	source   string // what it replicates: "HOST PORT"; "" for a server of its own
	link     bool   // the source's data has come
	unsaved  bool   // the last save failed
}

// keyServerOf is the server that runs in a container, nil when none does. It is
// made, from what is on its disk, when somebody first asks for it.
func (h *host) keyServerOf(c *container) *keyServer {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.status != "running" {
		return nil
	}
	if c.keys != nil && c.keys.run == c.run {
		return c.keys
	}
	if _, own := c.program.(*script); !own {
		return nil
	}
	settings := map[string]string{"dir": "/data"}
	for i, word := range c.config.Cmd {
		if name, ok := strings.CutPrefix(word, "--"); ok && i+1 < len(c.config.Cmd) {
			settings[name] = c.config.Cmd[i+1]
		}
	}
	s := newKeyServer(c, h.engine.rootOf(c), settings)
	if s.load() == nil {
		c.keys = s
	}
	return s
}

// keyServerAt is the server that a container reaches under a name or address.
func (h *host) keyServerAt(from *container, name, port string) *keyServer {
	h.mu.Lock()
	found := from
	if name != "127.0.0.1" && name != "localhost" {
		found = h.engine.reachedLocked(from, name)
	}
	h.mu.Unlock()
	if found == nil {
		return nil
	}
	s := h.keyServerOf(found)
	if s == nil || s.setting("port") != port {
		return nil
	}
	return s
}

// runRedisServer is a server that was started by hand, with its settings on
// stdin. It ends with its container.
func runRedisServer(p *process) int {
	if len(p.args) != 2 || p.args[1] != "-" {
		return p.fail(1, "the demo's server takes its configuration from its container's command, or from stdin: redis-server -")
	}
	settings := map[string]string{}
	for lines := bufio.NewScanner(p.in); lines.Scan(); {
		name, value, _ := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		settings[name] = strings.Trim(value, `"`)
	}
	s := newKeyServer(p.c, p.files, settings)
	if err := s.load(); err != nil {
		p.print("# Fatal error loading the DB, check server logs. Exiting.\n# " + err.Error() + "\n")
		return 1
	}
	p.h.mu.Lock()
	p.c.keys = s
	p.h.mu.Unlock()
	p.print("* Ready to accept connections tcp\n")
	<-p.ctx.Done()
	return 143
}

// Private

func newKeyServer(c *container, files *fileSystem, settings map[string]string) *keyServer {
	all := map[string]string{
		"databases": "16", "port": "6379", "dir": "/", "dbfilename": "dump.rdb", "save": "3600 1 300 100 60 10000", "appendonly": "no", "maxmemory": "0",
		"requirepass": "", "masterauth": "", "masteruser": "", "repl-diskless-load": "disabled",
	}
	maps.Copy(all, settings)
	return &keyServer{c: c, run: c.run, files: files, settings: all, data: keyspace{}}
}

func (s *keyServer) setting(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settings[name]
}

func (s *keyServer) file() string { return path.Join(s.settings["dir"], s.settings["dbfilename"]) }

// load reads what is on disk; no file is an empty server.
func (s *keyServer) load() error {
	dump, err := s.files.readFile(s.file())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil:
		s.data, err = readRDB(dump)
	}
	return err
}

// save puts what is in memory on disk.
func (s *keyServer) save() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.files.writeFile(s.file(), s.data.rdb(s.files.now()), 0o644)
	s.unsaved = err != nil
	return err
}

// snapshot is what a new replica gets.
func (s *keyServer) snapshot() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data.rdb(s.files.now())
}

// replicate drops what is in memory for what another server has. A server of its
// own comes of a nil source.
func (s *keyServer) replicate(name string, from *keyServer) {
	var data keyspace
	if from != nil {
		password := s.setting("masterauth")
		from.mu.Lock()
		if from.settings["requirepass"] == password {
			data = from.data.clone()
		}
		from.mu.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.source, s.link = name, data != nil
	if data != nil {
		s.data = data
	}
}

// reachedLocked is the container that another one reaches under a name or an
// address: on a network that both are in.
func (e *engine) reachedLocked(from *container, name string) *container {
	for _, c := range e.containers {
		if !c.alive() {
			continue
		}
		for on := range c.endpoints {
			n := e.networks[on]
			if n == nil || n.driver != "bridge" || from.endpoints[on] == nil {
				continue
			}
			if e.address(c, n).String() == name || on != "bridge" && (c.name == name || c.config.Hostname == name) {
				return c
			}
		}
	}
	return nil
}

// Helpers

// demoKeys is what the demo's app has in its Redis by now.
func demoKeys() keyspace {
	const seed = 0x4ed15
	k := keyspace{}
	for i := range int64(420) {
		patient := dice(seed, i)%1200 + 1
		k.set(0, fmt.Sprintf("fhirlinebot:cache:patients/%d-%d", patient, i), fmt.Sprintf(`{"id":"%s","observations":%d,"open_claims":%d}`, requestID(seed, i), dice(seed+1, i)%40, dice(seed+2, i)%6))
	}
	for i := range int64(64) {
		k.set(0, fmt.Sprintf("fhirlinebot:session:%016x", dice(seed+3, i)), fmt.Sprintf(`{"user_id":%d,"csrf":"%016x"}`, dice(seed+4, i)%14+1, dice(seed+5, i)))
	}
	k.set(1, "stat:processed", "184213")
	k.set(1, "stat:failed", "312")
	for i := range int64(30) {
		k.set(1, fmt.Sprintf("stat:processed:day-%02d", i+1), fmt.Sprint(3000+dice(seed+6, i)%4000))
		k.set(1, fmt.Sprintf("stat:failed:day-%02d", i+1), fmt.Sprint(dice(seed+7, i)%20))
	}
	for i := range int64(9) {
		k.set(2, fmt.Sprintf("rack::attack:%d:logins/ip:203.0.113.%d", 5801+i, dice(seed+8, i)%250+1), fmt.Sprint(dice(seed+9, i)%5+1))
	}
	return k
}

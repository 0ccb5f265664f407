package sim

import (
	"bufio"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// redisClient is one run of redis-cli: where it connects to, and as whom.
type redisClient struct {
	*process
	host, port, password string
	db                   int
}

// runRedisCLI knows the commands that backups and a curious person need, on
// strings; of all others it says that it does not know them.
func runRedisCLI(p *process) int {
	c := &redisClient{process: p, host: "127.0.0.1", port: "6379", password: p.env.Get("REDISCLI_AUTH").Str}
	words := p.args[1:]
	dump := ""
	for len(words) > 0 && strings.HasPrefix(words[0], "-") {
		flag := words[0]
		words = words[1:]
		switch flag {
		case "-v", "--version":
			p.print("redis-cli " + redisVersion + "\n")
			return 0
		case "-h", "-p", "-n", "-a", "--pass", "--rdb":
			if len(words) == 0 {
				return p.fail(1, "Unrecognized option or bad number of args for: '%s'", flag)
			}
			switch flag {
			case "-h":
				c.host = words[0]
			case "-p":
				c.port = words[0]
			case "-n":
				c.db, _ = strconv.Atoi(words[0])
			case "-a", "--pass":
				c.password = words[0]
			case "--rdb":
				dump = words[0]
			}
			words = words[1:]
		case "--raw", "--no-raw", "--no-auth-warning", "-2", "-3":
		default:
			return p.fail(1, "Unrecognized option or bad number of args for: '%s'", flag)
		}
	}
	s := p.h.keyServerAt(p.c, c.host, c.port)
	if s == nil {
		_, _ = fmt.Fprintf(p.errOut, "Could not connect to Redis at %s:%s: Connection refused\n", c.host, c.port)
		return 1
	}
	switch {
	case dump != "":
		return c.dump(s, dump)
	case len(words) > 0:
		p.print(c.ask(s, words) + "\n")
		return 0
	}
	for lines := bufio.NewScanner(p.in); lines.Scan(); {
		if words := commandWords(lines.Text()); len(words) > 0 {
			p.print(c.ask(s, words) + "\n")
		}
	}
	return 0
}

// Private

const noAuth = "NOAUTH Authentication required."

// dump writes what a new replica gets, to stdout for "-".
func (c *redisClient) dump(s *keyServer, to string) int {
	if s.setting("requirepass") != c.password {
		return c.fail(1, "%s", "SYNC with master failed: -"+noAuth)
	}
	text := s.snapshot()
	_, _ = fmt.Fprintf(c.errOut, "SYNC sent to master, writing %d bytes to '%s'\n", len(text), to)
	if to == "-" || to == "/dev/stdout" {
		if _, err := c.out.Write(text); err != nil {
			return 1
		}
	} else if err := c.files.writeFile(c.path(to), text, 0o644); err != nil {
		return c.fail(1, "Error opening '%s': %v", to, err)
	}
	_, _ = fmt.Fprintln(c.errOut, "Transfer finished with success.")
	return 0
}

// ask is the server's answer to one command, as a client prints it that has no
// terminal.
func (c *redisClient) ask(s *keyServer, words []string) string {
	name := strings.ToUpper(words[0])
	if need := s.setting("requirepass"); need != "" && need != c.password {
		return noAuth
	}
	switch name {
	case "REPLICAOF", "SLAVEOF":
		return c.replicaOf(s, words)
	case "SAVE", "BGSAVE":
		err := s.save()
		switch {
		case name == "BGSAVE":
			return "Background saving started"
		case err != nil:
			return "ERR"
		}
		return "OK"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.source != "" && slices.Contains([]string{"SET", "DEL", "FLUSHDB", "FLUSHALL"}, name) {
		return "READONLY You can't write against a read only replica."
	}
	if answer, ok := s.administer(name, words); ok {
		return answer
	}
	return s.read(name, c.db, words)
}

// replicaOf follows the server that the words name, as far as it is there.
func (c *redisClient) replicaOf(s *keyServer, words []string) string {
	switch {
	case len(words) != 3:
		return "ERR wrong number of arguments for 'replicaof' command"
	case strings.EqualFold(words[1], "no"):
		s.replicate("", nil)
	default:
		s.replicate(words[1]+" "+words[2], c.h.keyServerAt(s.c, words[1], words[2]))
	}
	return "OK"
}

// administer answers about the server itself; the lock is held.
func (s *keyServer) administer(name string, words []string) (string, bool) {
	switch {
	case name == "PING":
		return "PONG", true
	case name == "INFO":
		section := ""
		if len(words) > 1 {
			section = strings.ToLower(words[1])
		}
		return s.info(section), true
	case name == "MODULE" && len(words) == 2:
		return "", true
	case name == "CONFIG" && len(words) == 3 && strings.EqualFold(words[1], "get"):
		var lines []string
		for _, setting := range slices.Sorted(maps.Keys(s.settings)) {
			if ok, _ := path.Match(words[2], setting); ok {
				lines = append(lines, setting, s.settings[setting])
			}
		}
		return strings.Join(lines, "\n"), true
	case name == "CONFIG" && len(words) == 4 && strings.EqualFold(words[1], "set"):
		if _, known := s.settings[words[2]]; !known {
			return fmt.Sprintf("ERR Unknown option or number of arguments for CONFIG SET - '%s'", words[2]), true
		}
		s.settings[words[2]] = words[3]
		return "OK", true
	}
	return "", false
}

// read answers about keys, or changes them; the lock is held.
func (s *keyServer) read(name string, db int, words []string) string {
	keys := s.data[db]
	switch {
	case name == "DBSIZE":
		return strconv.Itoa(len(keys))
	case name == "KEYS" && len(words) == 2:
		var found []string
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			if ok, _ := path.Match(strings.ReplaceAll(words[1], "/", "\x00"), strings.ReplaceAll(key, "/", "\x00")); ok {
				found = append(found, key)
			}
		}
		return strings.Join(found, "\n")
	case name == "GET" && len(words) == 2:
		return keys[words[1]]
	case name == "SET" && len(words) == 3:
		s.data.set(db, words[1], words[2])
		return "OK"
	case name == "DEL" && len(words) > 1:
		gone := 0
		for _, key := range words[1:] {
			if _, there := keys[key]; there {
				delete(keys, key)
				gone++
			}
		}
		return strconv.Itoa(gone)
	case name == "FLUSHDB":
		delete(s.data, db)
		return "OK"
	case name == "FLUSHALL":
		s.data = keyspace{}
		return "OK"
	}
	return fmt.Sprintf("ERR unknown command '%s', with args beginning with: %s", words[0], strings.Join(words[1:], " "))
}

// info is what INFO answers; the lock is held.
func (s *keyServer) info(section string) string {
	var b strings.Builder
	part := func(title string, lines ...string) {
		if section == "" || section == "all" || section == "default" || section == strings.ToLower(title) {
			b.WriteString("# " + title + "\r\n" + strings.Join(append(lines, ""), "\r\n") + "\r\n")
		}
	}
	role := []string{"role:master", "connected_slaves:0"}
	if s.source != "" {
		master, port, _ := strings.Cut(s.source, " ")
		link := map[bool]string{true: "up", false: "down"}[s.link]
		role = []string{"role:slave", "master_host:" + master, "master_port:" + port, "master_link_status:" + link, "master_sync_in_progress:0", "slave_read_only:1"}
	}
	saved := map[bool]string{true: "err", false: "ok"}[s.unsaved]
	var spaces []string
	for _, db := range slices.Sorted(maps.Keys(s.data)) {
		if n := len(s.data[db]); n > 0 {
			spaces = append(spaces, fmt.Sprintf("db%d:keys=%d,expires=0,avg_ttl=0,subexpiry=0", db, n))
		}
	}
	part("Server", "redis_version:"+redisVersion, "redis_mode:standalone", "os:Linux 6.1.0 x86_64", "tcp_port:"+s.settings["port"])
	part("Clients", "connected_clients:1")
	part("Memory", fmt.Sprintf("used_memory:%d", s.data.size()), fmt.Sprintf("total_system_memory:%d", int64(memTotal)), "maxmemory:"+s.settings["maxmemory"])
	part("Persistence", "loading:0", "rdb_bgsave_in_progress:0", "rdb_last_bgsave_status:"+saved, "aof_enabled:0", "aof_rewrite_in_progress:0")
	part("Replication", role...)
	part("Cluster", "cluster_enabled:0")
	part("Keyspace", spaces...)
	return strings.TrimSuffix(b.String(), "\r\n")
}

// Helpers

// commandWords splits a line as redis-cli does: at blanks, with quotes and
// backslashes in them.
func commandWords(line string) []string {
	var out []string
	var word strings.Builder
	open, quoted := false, false
	for i := 0; i < len(line); i++ {
		switch ch := line[i]; {
		case quoted && ch == '\\' && i+1 < len(line):
			i++
			word.WriteByte(line[i])
		case ch == '"':
			quoted, open = !quoted, true
		case ch == ' ' && !quoted:
			if open {
				out = append(out, word.String())
				word.Reset()
			}
			open = false
		default:
			word.WriteByte(ch)
			open = true
		}
	}
	if open {
		out = append(out, word.String())
	}
	return out
}

package sim

import (
	"bufio"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// psql is one session: where it is connected, and its variables.
type psql struct {
	*process
	server   sqlServer
	database string
	vars     map[string]string
	flags    string              // the letters of those that take no value
	between  string              // fields
	changed  map[string]sqlTable // by a transaction that has begun, by name; nil outside of one
}

// runPsql knows what backups and a curious person ask: whatever else is asked, it
// says that it does not know it.
func runPsql(p *process) int {
	s := &psql{process: p, server: p.sqlServer(), vars: map[string]string{}, between: "|"}
	user, command, asked := orWord(p.env.Get("PGUSER").Str, "root"), "", false
	s.database = p.env.Get("PGDATABASE").Str
	words := p.args[1:]
	for len(words) > 0 {
		word := words[0]
		words = words[1:]
		switch {
		case word == "--version":
			p.print("psql (PostgreSQL) " + sqlVersion + "\n")
			return 0
		case len(word) > 1 && word[0] == '-' && word[1] != '-' && strings.Contains("vcdUFhp", word[len(word)-1:]) && len(words) > 0:
			s.flags += word[1 : len(word)-1]
			value := words[0]
			words = words[1:]
			switch word[len(word)-1] {
			case 'v':
				name, text, _ := strings.Cut(value, "=")
				s.vars[name] = text
			case 'c':
				command, asked = value, true
			case 'd':
				s.database = value
			case 'U':
				user = value
			case 'F':
				s.between = value
			}
		case strings.HasPrefix(word, "-"):
			s.flags += strings.TrimLeft(word, "-")
		default:
			s.database = word
		}
	}
	s.database = orWord(s.database, user)
	if refused := s.server.refuses(user, s.database); refused != "" {
		return p.fail(2, "%s", refused)
	}
	if !asked {
		return s.read()
	}
	for _, statement := range sqlStatements(command) {
		if s.answer(statement) != 0 {
			return 1
		}
	}
	return 0
}

// Private

// read answers statement by statement as they come, so that a session can be held.
func (s *psql) read() int {
	lines := bufio.NewScanner(s.in)
	lines.Buffer(nil, 16<<20)
	var statement strings.Builder
	for lines.Scan() {
		statement.WriteString(lines.Text() + "\n")
		if !complete(statement.String()) {
			continue
		}
		if code := s.answer(statement.String()); code != 0 && s.vars["ON_ERROR_STOP"] != "" {
			return code
		}
		statement.Reset()
	}
	if strings.TrimSpace(statement.String()) != "" {
		return s.answer(statement.String())
	}
	return 0
}

// answer carries out one statement.
func (s *psql) answer(text string) int {
	has := func(part string) bool { return strings.Contains(text, part) }
	switch {
	case has("pg_export_snapshot"):
		s.row(map[string]any{"snapshot": "00000003-0000001B-1"})
	case has("'clients'"):
		s.row(map[string]any{"version": sqlVersion, "database": s.database, "size": s.server.size(s.database), "clients": s.clients(s.database)})
	case has("to_regclass('schema_migrations')"):
		if versions, _ := s.server.table(s.database, schemaTable); len(versions.rows) > 0 {
			s.row(map[string]any{"schema": slices.MaxFunc(versions.rows, slices.Compare)[0]})
		}
	case has("FROM pg_class c JOIN"):
		for _, table := range s.server.tables(s.database) {
			s.row(map[string]any{"table": table, "rows": s.server.rows(s.database, table)})
		}
	case has("'counted'"):
		s.row(map[string]any{"counted": true})
	case has("'preload'"):
		s.row(map[string]any{
			"version": sqlVersion, "database": s.database, "superuser": orWord(s.env.Get("PGUSER").Str, "postgres"), "preload": "", "roles": []string{},
			"create": `CREATE DATABASE :"name" TEMPLATE template0`, "tablespace": "pg_default", "then": []string{},
		})
	case has("SELECT rolsuper FROM pg_roles"):
		s.print("t\n")
	case has("SHOW data_directory"):
		s.print(path.Dir(s.server.dir) + "\n")
	case has("SHOW server_version"):
		s.print(sqlVersion + "\n")
	case has("to_json(datname::text)"):
		for _, name := range s.server.databases() {
			if s.server.of(name) == s.vars["of"] && s.vars["of"] != "" {
				s.row(name)
			}
		}
	default:
		return s.change(text)
	}
	return 0
}

// change carries out what alters databases.
func (s *psql) change(text string) int {
	has := func(part string) bool { return strings.Contains(text, part) }
	name, of, keep := s.vars["name"], s.vars["of"], s.vars["keep"]
	at := path.Join(s.server.dir, name)
	var err error
	switch {
	case name == "": // nothing of a backup's
		return s.query(text)
	case has("CREATE DATABASE"):
		if s.server.has(name) {
			return s.complain(3, "ERROR:  database %q already exists", name)
		}
		err = s.server.files.mkdirAll(at, 0o700)
	case has("RENAME TO"):
		err = s.server.swap(of, name, keep)
	case has("COMMENT ON DATABASE") && has("binnacle.of="):
		err = s.server.files.writeFile(path.Join(at, ownerFile), []byte(of), 0o600)
	case has("DROP DATABASE"):
		if name != of && s.server.has(name) {
			err = s.server.files.remove(at, true)
		}
	case has("'done kept'"):
		s.print(map[bool]string{true: "done kept\n", false: "not done\n"}[s.server.has(keep) && !s.server.has(name)])
	case has("SELECT EXISTS (SELECT FROM pg_database"):
		s.print(map[bool]string{true: "t\n", false: "f\n"}[s.server.has(keep)])
	default:
		return s.query(text)
	}
	if err != nil {
		return s.complain(3, "ERROR:  could not create directory \"base/%d\": %v", oid(name), err)
	}
	return 0
}

// silent are statements of backups that change nothing here.
var silent = regexp.MustCompile(`(?is)^\s*(SET|RESET|ANALYZE|DO|COMMENT|GRANT|REVOKE|ALTER DATABASE|ALTER ROLE|SELECT format\('(?:CREATE ROLE|ALTER DATABASE)|SELECT set_config|SELECT count\(set_config|SELECT '(?:mine|others)'|SELECT count\(pg_terminate_backend|SELECT json_build_object\('table', '\(large|;)`)

// query carries out what people ask, statement by statement.
func (s *psql) query(text string) int {
	for _, statement := range sqlStatements(text) {
		if silent.MatchString(statement) {
			continue
		}
		words := append(sqlWords(statement), "")
		var result sqlResult
		var err error
		switch word := strings.ToUpper(words[0]); word {
		case "BEGIN":
			s.changed, result.tag = map[string]sqlTable{}, word
		case "COMMIT":
			result.tag, err = word, s.commit()
		case "ROLLBACK":
			s.changed, result.tag = nil, word
		default:
			result, err = s.run(statement)
		}
		if err != nil {
			s.changed = nil
			return s.complain(3, "%v", err)
		}
		s.show(result)
	}
	return 0
}

// table is what is in a table for this session.
func (s *psql) table(name string) (sqlTable, bool) {
	if table, ok := s.changed[name]; ok {
		return table, true
	}
	return s.server.table(s.database, name)
}

// put writes a table, within a transaction when that ends.
func (s *psql) put(name string, table sqlTable) error {
	if s.changed != nil {
		s.changed[name] = table
		return nil
	}
	return s.server.put(s.database, name, table)
}

func (s *psql) commit() error {
	for name, table := range s.changed {
		if err := s.server.put(s.database, name, table); err != nil {
			return err
		}
	}
	s.changed = nil
	return nil
}

// clients are the containers of the app that are connected to a database.
func (s *psql) clients(database string) int {
	count := 0
	if database != s.server.own {
		return 0
	}
	for _, h := range s.h.fleet.hosts {
		h.mu.Lock()
		for _, c := range h.engine.containers {
			if c.alive() && c.envValue("DB_HOST") == s.c.name {
				count++
			}
		}
		h.mu.Unlock()
	}
	return count
}

// show prints a result as psql does: as aligned columns with a title unless -A and
// -t say otherwise.
func (s *psql) show(result sqlResult) {
	plain, bare := strings.Contains(s.flags, "A"), strings.Contains(s.flags, "t")
	if result.tag != "" {
		if !strings.Contains(s.flags, "q") {
			s.print(result.tag + "\n")
		}
		return
	}
	width := make([]int, len(result.columns))
	for _, row := range append([][]string{result.columns}, result.rows...) {
		for i, field := range row {
			width[i] = max(width[i], len(field))
		}
	}
	line := func(row []string, pad func(text string, width int) string) {
		if plain {
			s.print(strings.Join(row, s.between) + "\n")
			return
		}
		fields := make([]string, len(row))
		for i, field := range row {
			fields[i] = " " + pad(field, width[i]) + " "
		}
		s.print(strings.TrimRight(strings.Join(fields, "|"), " ") + "\n")
	}
	if !bare {
		line(result.columns, func(text string, width int) string {
			left := (width - len(text)) / 2
			return fmt.Sprintf("%*s%-*s", left, "", width-left, text)
		})
	}
	if !bare && !plain {
		rules := make([]string, len(width))
		for i, w := range width {
			rules[i] = strings.Repeat("-", w+2)
		}
		s.print(strings.Join(rules, "+") + "\n")
	}
	for _, row := range result.rows {
		line(row, func(text string, width int) string {
			if _, err := strconv.ParseFloat(text, 64); err == nil {
				return fmt.Sprintf("%*s", width, text)
			}
			return fmt.Sprintf("%-*s", width, text)
		})
	}
	if !bare {
		s.print(fmt.Sprintf("(%d row%s)\n\n", len(result.rows), map[bool]string{true: "", false: "s"}[len(result.rows) == 1]))
	}
}

func (s *psql) row(value any) {
	text, _ := json.Marshal(value)
	s.print(string(text) + "\n")
}

// Helpers

// complete reports a statement that ends here: not within a body between $$.
func complete(text string) bool {
	text = strings.TrimSpace(text)
	if strings.Count(text, "$$")%2 != 0 {
		return false
	}
	last := text[strings.LastIndexByte(text, '\n')+1:]
	return text == "" || strings.HasSuffix(text, ";") || strings.Contains(last, `\gexec`) || strings.Contains(last, `\gset`)
}

// runPgIsReady answers for a server that always is.
func runPgIsReady(p *process) int {
	if !slices.Contains(p.args, "-q") {
		p.print(fmt.Sprintf("/var/run/postgresql:%d - accepting connections\n", 5432))
	}
	return 0
}

package sim

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// The archive of the simulated pg_dump: a head, each table with its size and its
// bytes, and an end.
const (
	archiveHead = "PGDMP simulated\n"
	archiveEnd  = "END\n"
)

// runPgDump writes a database's tables as an archive.
func runPgDump(p *process) int {
	s := p.sqlServer()
	flags, words := cutFlags(p.args[1:], "U", "d", "snapshot", "lock-wait-timeout")
	user := orWord(flags["U"], orWord(p.env.Get("PGUSER").Str, "root"))
	database := orWord(orWord(flags["d"], strings.Join(words, " ")), orWord(p.env.Get("PGDATABASE").Str, user))
	if refused := s.refuses(user, database); refused != "" {
		return p.fail(1, "%s", refused)
	}
	if !slices.Contains(p.args, "-Fc") {
		return p.fail(1, "error: the demo's database is dumped in the custom format alone: -Fc")
	}
	p.print(archiveHead)
	for _, table := range s.tables(database) {
		text, err := s.files.readFile(path.Join(s.dir, database, table))
		if err != nil {
			return p.fail(1, "error: reading table %s: %v", table, err)
		}
		p.print(fmt.Sprintf("TABLE %d %s\n", len(text), table))
		if _, err := p.out.Write(text); err != nil {
			return p.fail(1, "error: could not write: %v", err)
		}
	}
	p.print(archiveEnd)
	return 0
}

// runPgDumpAll writes the roles.
func runPgDumpAll(p *process) int {
	p.print("--\n-- PostgreSQL database cluster dump\n--\n\nCREATE ROLE " + orWord(p.env.Get("PGUSER").Str, "postgres") + ";\n")
	return 0
}

// runPgRestore lists an archive, or puts its tables into a database.
func runPgRestore(p *process) int {
	into := ""
	if i := slices.Index(p.args, "-d"); i > 0 && i+1 < len(p.args) {
		into = p.args[i+1]
	}
	s := p.sqlServer()
	if into != "" && !s.has(into) {
		return p.fail(1, "error: connection to server failed: FATAL:  database %q does not exist", into)
	}
	if into == "" {
		p.print(";\n; Archive created at 2026-01-01 00:00:00 UTC\n;     Format: CUSTOM\n;\n")
	}
	err := readArchive(p.in, func(table string, content []byte) error {
		if into == "" {
			p.print("TABLE DATA public " + table + "\n")
			return nil
		}
		if err := s.write(into, table, content); err != nil {
			return fmt.Errorf("COPY failed for table %q: %w\nCONTEXT:  COPY %s, line 1", table, err, table)
		}
		return nil
	})
	if err != nil {
		return p.fail(1, "error: %v", err)
	}
	return 0
}

// Helpers

var errNoArchive = errors.New("input file does not appear to be a valid archive")

// readArchive hands on each table of an archive, which has to be whole.
func readArchive(from io.Reader, each func(table string, content []byte) error) error {
	in := bufio.NewReader(from)
	if head, err := in.ReadString('\n'); err != nil || head != archiveHead {
		return errNoArchive
	}
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return errors.New("could not read from input file: end of file")
		}
		if line == archiveEnd {
			return nil
		}
		var size int64
		if _, err := fmt.Sscanf(line, "TABLE %d ", &size); err != nil || size < 0 {
			return errNoArchive
		}
		table := strings.TrimSpace(strings.SplitN(line, " ", 3)[2])
		content, err := io.ReadAll(io.LimitReader(in, size))
		if err != nil || int64(len(content)) != size {
			return errors.New("could not read from input file: end of file")
		}
		if err := each(table, content); err != nil {
			return err
		}
	}
}

package backup

import (
	"bytes"
	"strings"
)

// Private

// rowCounter counts the rows in a dump as it passes: those of statements at the
// beginning of a line, INSERT INTO `table` … VALUES (row),(row);
type rowCounter struct {
	rows      map[string]int64
	completed bool
	line      []byte // its beginning, up to what tells what it is
	state     dumpState
	quote     byte // the quote that is open in a statement
	escaped   bool
	depth     int
	table     string
}

type dumpState int

const (
	lineStart   dumpState = iota // not known yet what the line is
	lineOther                    // nothing to count
	insertNames                  // between the table's name and VALUES
	insertRows
)

func (c *rowCounter) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		switch c.state {
		case lineStart:
			rest = c.begin(rest)
		case lineOther:
			end := bytes.IndexByte(rest, '\n')
			if end < 0 {
				return len(b), nil
			}
			rest, c.state = rest[end+1:], lineStart
		default:
			rest = c.insert(rest)
		}
	}
	return len(b), nil
}

// tables are the counts, of tables without rows too.
func (c *rowCounter) tables() []Table {
	var all []Table
	for name, rows := range c.rows {
		all = append(all, Table{Name: name, Rows: rows})
	}
	sortTables(all)
	return all
}

// begin takes bytes until the line tells what it is.
func (c *rowCounter) begin(rest []byte) []byte {
	for i, char := range rest {
		if char == '\n' {
			c.completed = bytes.HasPrefix(c.line, []byte(dumpCompleted)) || c.completed && len(c.line) == 0
			c.line = c.line[:0]
			continue
		}
		c.line = append(c.line, char)
		name, inserts := dumpedName(c.line, insertInto)
		made := false
		if !inserts {
			name, made = dumpedName(c.line, createTable)
		}
		if inserts || made {
			c.statement(name, inserts)
			return rest[i+1:]
		}
		if !maybe(c.line, insertInto) && !maybe(c.line, createTable) && !maybe(c.line, dumpCompleted) {
			c.state, c.line, c.completed = lineOther, c.line[:0], false
			return rest[i+1:]
		}
		if string(c.line) == dumpCompleted {
			c.completed, c.state, c.line = true, lineOther, c.line[:0]
			return rest[i+1:]
		}
	}
	return nil
}

// statement begins one about a table.
func (c *rowCounter) statement(table string, inserts bool) {
	if c.rows == nil {
		c.rows = map[string]int64{}
	}
	c.rows[table] += 0
	c.table, c.line, c.completed = table, c.line[:0], false
	c.quote, c.escaped, c.depth, c.state = 0, false, 0, lineOther
	if inserts {
		c.state = insertNames
	}
}

// insert takes bytes to the end of the statement.
func (c *rowCounter) insert(rest []byte) []byte {
	for i := 0; i < len(rest); i++ {
		char := rest[i]
		switch {
		case c.escaped:
			c.escaped = false
		case c.quote != 0:
			switch char {
			case c.quote:
				c.quote = 0 // a doubled one opens the next at once
			case '\\':
				c.escaped = c.quote == '\''
			}
		case char == '\'' || char == '`':
			c.quote = char
		case char == '(':
			if c.depth == 0 && c.state == insertRows {
				c.rows[c.table]++
			}
			c.depth++
		case char == ')':
			c.depth--
		case char == 'V' && c.depth == 0:
			c.state = insertRows
		case char == ';' && c.depth == 0:
			c.state = lineOther
			return rest[i+1:]
		}
	}
	return nil
}

// Helpers

const (
	insertInto    = "INSERT INTO `"
	createTable   = "CREATE TABLE `"
	dumpCompleted = "-- Dump completed"
)

// maybe tells whether a line that has begun so can begin with the prefix.
func maybe(line []byte, prefix string) bool {
	return len(line) >= len(prefix) && string(line[:len(prefix)]) == prefix || strings.HasPrefix(prefix, string(line))
}

// dumpedName is the name in back quotes after a prefix, once the line has come to
// the byte after it.
func dumpedName(line []byte, prefix string) (string, bool) {
	if len(line) < len(prefix)+2 || string(line[:len(prefix)]) != prefix {
		return "", false
	}
	name := string(line[len(prefix) : len(line)-1])
	if !strings.HasSuffix(name, "`") || line[len(line)-1] == '`' || strings.Count(name, "`")%2 == 0 {
		return "", false
	}
	return strings.ReplaceAll(strings.TrimSuffix(name, "`"), "``", "`"), true
}

package sim

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// sqlTable is what is in a table.
type sqlTable struct {
	columns []string
	rows    [][]string
}

// sqlResult is what one statement answers: a table, or the tag of a command.
type sqlResult struct {
	sqlTable
	tag string
}

// sqlError is an error of the server, as psql prints it.
type sqlError string

// Error is the server's text.
func (e sqlError) Error() string { return "ERROR:  " + string(e) }

// run carries out a statement on a table: SELECT, DELETE, UPDATE, TRUNCATE and DROP,
// with comparisons, AND, concatenation, count(*), ORDER BY and LIMIT.
func (s *psql) run(text string) (sqlResult, error) {
	q := &sqlQuery{words: sqlWords(text), session: s}
	var result sqlResult
	var err error
	switch {
	case q.take("select"):
		result, err = q.selectFrom()
	case q.take("delete", "from"):
		result, err = q.change("DELETE", func([]string) ([]string, error) { return nil, nil })
	case q.take("truncate"):
		q.take("table")
		if result, err = q.change("TRUNCATE TABLE", func([]string) ([]string, error) { return nil, nil }); err == nil {
			result.tag = "TRUNCATE TABLE"
		}
	case q.take("update"):
		result, err = q.update()
	case q.take("drop", "table"):
		if err = q.from(); err == nil {
			result, err = sqlResult{tag: "DROP TABLE"}, s.server.drop(s.database, q.name)
		}
	case q.take("drop", "database"):
		result, err = s.dropDatabase(q)
	default:
		err = sqlError("the demo's database knows SELECT, UPDATE, DELETE, TRUNCATE and DROP of one table, and no more")
	}
	return result, err
}

// Private

// sqlQuery is a statement being read and carried out.
type sqlQuery struct {
	session *psql
	words   []string
	name    string
	table   sqlTable
}

// sqlValue works a value out for a row.
type sqlValue func(row []string) string

func (q *sqlQuery) peek() string {
	if len(q.words) == 0 {
		return ""
	}
	return q.words[0]
}

func (q *sqlQuery) next() string {
	word := q.peek()
	q.words = q.words[min(1, len(q.words)):]
	return word
}

// take skips words when they come next.
func (q *sqlQuery) take(words ...string) bool {
	if len(q.words) < len(words) {
		return false
	}
	for i, word := range words {
		if !strings.EqualFold(q.words[i], word) {
			return false
		}
	}
	q.words = q.words[len(words):]
	return true
}

func (q *sqlQuery) unexpected() error {
	if word := q.peek(); word != "" {
		return sqlError(fmt.Sprintf("syntax error at or near %q", word))
	}
	return sqlError("syntax error at end of input")
}

// from reads the name of a table, and what is in it.
func (q *sqlQuery) from() error {
	q.name = strings.Trim(strings.TrimPrefix(q.next(), "public."), `"`)
	table, ok := q.session.table(q.name)
	if !ok {
		return sqlError(fmt.Sprintf("relation %q does not exist", q.name))
	}
	q.table = table
	return nil
}

func (q *sqlQuery) selectFrom() (sqlResult, error) {
	list := q.words
	if i := slices.IndexFunc(list, func(word string) bool { return strings.EqualFold(word, "from") }); i >= 0 {
		q.words = list[i+1:]
		if err := q.from(); err != nil {
			return sqlResult{}, err
		}
		list = list[:i]
	} else {
		q.words, q.table.rows = nil, [][]string{{}}
	}
	keep, err := q.where()
	if err != nil {
		return sqlResult{}, err
	}
	rows := slices.DeleteFunc(slices.Clone(q.table.rows), func(row []string) bool { return !keep(row) })
	if rows, err = q.order(rows); err != nil {
		return sqlResult{}, err
	}
	items := &sqlQuery{session: q.session, words: list, table: q.table}
	return items.project(rows)
}

// project works the list of a SELECT out.
func (q *sqlQuery) project(rows [][]string) (sqlResult, error) {
	if len(q.words) == 1 && q.words[0] == "*" {
		return sqlResult{sqlTable: sqlTable{columns: q.table.columns, rows: rows}}, nil
	}
	if slices.ContainsFunc(q.words, func(word string) bool { return strings.EqualFold(word, "count") }) {
		// A count is a row of its own.
		count := strconv.Itoa(len(rows))
		rows = [][]string{{count}}
		q.table = sqlTable{columns: []string{"count"}, rows: rows}
		q.words = slices.DeleteFunc(q.words, func(word string) bool { return word == "(" || word == ")" || word == "*" })
	}
	out := sqlResult{sqlTable: sqlTable{rows: make([][]string, len(rows))}}
	for {
		name := strings.Trim(q.peek(), `"`)
		value, err := q.comparison()
		if err != nil {
			return sqlResult{}, err
		}
		if !slices.Contains(q.table.columns, name) {
			name = "?column?"
		}
		if q.take("as") {
			name = strings.Trim(q.next(), `"`)
		}
		out.columns = append(out.columns, name)
		for i, row := range rows {
			out.rows[i] = append(out.rows[i], value(row))
		}
		if !q.take(",") {
			break
		}
	}
	if len(q.words) > 0 {
		return sqlResult{}, q.unexpected()
	}
	return out, nil
}

func (q *sqlQuery) order(rows [][]string) ([][]string, error) {
	if q.take("order", "by") {
		value, err := q.value()
		if err != nil {
			return nil, err
		}
		sign := 1
		if q.take("desc") {
			sign = -1
		}
		q.take("asc")
		slices.SortStableFunc(rows, func(a, b []string) int { return sign * sqlCompare(value(a), value(b)) })
	}
	if q.take("limit") {
		n, err := strconv.Atoi(q.peek())
		if err != nil {
			return nil, q.unexpected()
		}
		q.next()
		rows = rows[:min(n, len(rows))]
	}
	if len(q.words) > 0 {
		return nil, q.unexpected()
	}
	return rows, nil
}

func (q *sqlQuery) update() (sqlResult, error) {
	name := q.next()
	if !q.take("set") {
		return sqlResult{}, q.unexpected()
	}
	q.words = append([]string{name}, q.words...)
	if err := q.from(); err != nil {
		return sqlResult{}, err
	}
	set := map[int]sqlValue{}
	for {
		column := strings.Trim(q.next(), `"`)
		at := slices.Index(q.table.columns, column)
		if at < 0 {
			return sqlResult{}, sqlError(fmt.Sprintf("column %q of relation %q does not exist", column, q.name))
		}
		if !q.take("=") {
			return sqlResult{}, q.unexpected()
		}
		value, err := q.value()
		if err != nil {
			return sqlResult{}, err
		}
		set[at] = value
		if !q.take(",") {
			break
		}
	}
	return q.edit("UPDATE", func(row []string) ([]string, error) {
		fresh := slices.Clone(row)
		for at, value := range set {
			fresh[at] = value(row)
		}
		return fresh, nil
	})
}

// dropDatabase drops one that nobody is connected to, or any WITH (FORCE).
func (s *psql) dropDatabase(q *sqlQuery) (sqlResult, error) {
	absent := q.take("if", "exists")
	name := strings.Trim(q.next(), `"`)
	clients := s.clients(name)
	switch {
	case name == s.database:
		return sqlResult{}, sqlError("cannot drop the currently open database")
	case !s.server.has(name) && !absent:
		return sqlResult{}, sqlError(fmt.Sprintf("database %q does not exist", name))
	case clients > 0 && !q.take("with", "(", "force", ")"):
		return sqlResult{}, sqlError(fmt.Sprintf("database %q is being accessed by other users\nDETAIL:  There are %d other sessions using the database.", name, clients))
	case s.server.has(name):
		return sqlResult{tag: "DROP DATABASE"}, s.server.drop(name, "")
	}
	return sqlResult{tag: "DROP DATABASE"}, nil
}

func (q *sqlQuery) change(tag string, how func(row []string) ([]string, error)) (sqlResult, error) {
	if err := q.from(); err != nil {
		return sqlResult{}, err
	}
	return q.edit(tag, how)
}

// edit replaces the rows that WHERE names; by nothing when how returns none.
func (q *sqlQuery) edit(tag string, how func(row []string) ([]string, error)) (sqlResult, error) {
	keep, err := q.where()
	switch {
	case err != nil:
		return sqlResult{}, err
	case len(q.words) > 0:
		return sqlResult{}, q.unexpected()
	}
	var rows [][]string
	count := 0
	for _, row := range q.table.rows {
		if !keep(row) {
			rows = append(rows, row)
			continue
		}
		count++
		fresh, err := how(row)
		if err != nil {
			return sqlResult{}, err
		}
		if fresh != nil {
			rows = append(rows, fresh)
		}
	}
	q.table.rows = rows
	return sqlResult{tag: fmt.Sprintf("%s %d", tag, count)}, q.session.put(q.name, q.table)
}

// where reads conditions that all have to hold; none is true of every row.
func (q *sqlQuery) where() (func(row []string) bool, error) {
	var all []sqlValue
	if q.take("where") {
		for {
			condition, err := q.comparison()
			if err != nil {
				return nil, err
			}
			all = append(all, condition)
			if !q.take("and") {
				break
			}
		}
	}
	return func(row []string) bool {
		return !slices.ContainsFunc(all, func(holds sqlValue) bool { return holds(row) != "t" })
	}, nil
}

// comparison is a value, or the comparison of two: t or f.
func (q *sqlQuery) comparison() (sqlValue, error) {
	left, err := q.value()
	if err != nil {
		return nil, err
	}
	op := strings.ToLower(q.peek())
	if !slices.Contains([]string{"=", "<>", "!=", "<", ">", "<=", ">=", "like"}, op) {
		return left, nil
	}
	q.next()
	right, err := q.value()
	if err != nil {
		return nil, err
	}
	return func(row []string) string {
		a, b := left(row), right(row)
		order := sqlCompare(a, b)
		holds := map[string]bool{"=": order == 0, "<>": order != 0, "!=": order != 0, "<": order < 0, ">": order > 0, "<=": order <= 0, ">=": order >= 0}[op]
		if op == "like" {
			pattern := strings.NewReplacer("%", ".*", "_", ".").Replace(regexp.QuoteMeta(b))
			holds, _ = regexp.MatchString("(?s)^"+pattern+"$", a)
		}
		return map[bool]string{true: "t", false: "f"}[holds]
	}, nil
}

// value is a column or a literal, or several with || between them.
func (q *sqlQuery) value() (sqlValue, error) {
	word := q.peek()
	var value sqlValue
	at := slices.Index(q.table.columns, strings.Trim(word, `"`))
	switch {
	case at >= 0:
		value = func(row []string) string { return row[at] }
	case strings.HasPrefix(word, "'"):
		text := strings.ReplaceAll(word[1:len(word)-1], "''", "'")
		value = func([]string) string { return text }
	case word != "" && word[0] >= '0' && word[0] <= '9':
		value = func([]string) string { return word }
	case strings.EqualFold(word, "true") || strings.EqualFold(word, "false"):
		value = func([]string) string { return strings.ToLower(word[:1]) }
	case strings.EqualFold(word, "null"):
		value = func([]string) string { return "" }
	case sqlName.MatchString(word):
		return nil, sqlError(fmt.Sprintf("column %q does not exist", word))
	default:
		return nil, q.unexpected()
	}
	q.next()
	if !q.take("||") {
		return value, nil
	}
	rest, err := q.value()
	if err != nil {
		return nil, err
	}
	return func(row []string) string { return value(row) + rest(row) }, nil
}

// Helpers

var (
	sqlWord = regexp.MustCompile(`(?s)\$\$.*?\$\$|--[^\n]*|'(?:[^']|'')*'|"[^"]+"|[A-Za-z_][\w.]*|\d+(?:\.\d+)?|\|\||<>|!=|<=|>=|\S`)
	sqlName = regexp.MustCompile(`^[A-Za-z_"]`)
)

// sqlWords are the words of a statement, without comments and the semicolon.
func sqlWords(text string) []string {
	return slices.DeleteFunc(sqlWord.FindAllString(text, -1), func(word string) bool { return word == ";" || strings.HasPrefix(word, "--") })
}

// sqlStatements cuts a script at semicolons outside of strings.
func sqlStatements(text string) []string {
	var out []string
	from := 0
	for _, at := range sqlWord.FindAllStringIndex(text, -1) {
		if text[at[0]:at[1]] == ";" {
			out = append(out, text[from:at[1]])
			from = at[1]
		}
	}
	if rest := text[from:]; len(sqlWords(rest)) > 0 {
		out = append(out, rest)
	}
	return out
}

// sqlCompare compares numbers by value, all else by letters.
func sqlCompare(a, b string) int {
	x, errA := strconv.ParseFloat(a, 64)
	y, errB := strconv.ParseFloat(b, 64)
	if errA == nil && errB == nil {
		return cmp.Compare(x, y)
	}
	return strings.Compare(a, b)
}

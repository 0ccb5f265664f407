package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"binnacle/ops"
	"binnacle/ops/command"
)

// MySQL dumps and restores one database of a MariaDB or MySQL server with the
// clients of its container. A backup has the parts settings.json, how the database
// was made; tables.sql, its tables with their rows; objects.sql, its routines,
// views and triggers; and events.sql.
type MySQL struct{}

// Look asks the server about the database. One that is not there is
// ops.ErrNotFound, and the version is told all the same.
func (MySQL) Look(ctx context.Context, at Place) (Facts, error) {
	return lookMySQL(ctx, at, mysqlAbout+mysqlCounts)
}

// Dump counts the rows in the stream that it dumps: no two sessions of the server
// can be given one snapshot without holding all writers up.
func (MySQL) Dump(ctx context.Context, at Place, put Put) (Facts, error) {
	facts, err := lookMySQL(ctx, at, mysqlAbout)
	if err != nil {
		return Facts{}, err
	}
	line, err := at.mysql(mysqlLacks)
	if err != nil {
		return Facts{}, err
	}
	lacks, err := at.answer(ctx, "asking what cannot be dumped", line, nil)
	if err != nil {
		return Facts{}, explainMySQL(err)
	}
	if lacks != "" {
		at.Tell(ops.Stderr, lacks)
	}
	count := &rowCounter{}
	for _, part := range []struct {
		name, what, script string
		count              *rowCounter
	}{
		{mysqlSettings, "reading how the database was made", mysqlMadeAs, nil},
		{mysqlTablesPart, "dumping the tables", mysqlTables, count},
		{mysqlObjectsPart, "dumping routines, views and triggers", mysqlObjects + `objects "$database"`, &rowCounter{}},
		{mysqlEventsPart, "dumping the events", mysqlObjects + `events "$database"`, &rowCounter{}},
	} {
		line, err := at.mysql(part.script)
		if err != nil {
			return Facts{}, err
		}
		err = put(part.name, func(w io.Writer) error {
			if part.count == nil {
				return explainMySQL(at.stream(ctx, part.what, line, nil, w))
			}
			if err := at.attached(ctx, part.what, line, io.MultiWriter(w, part.count)); err != nil {
				return explainMySQL(err)
			}
			if !part.count.completed {
				return &ops.Error{Host: at.Host, Summary: part.what, Command: brief(line), Cause: errors.New("the dump does not say that it is complete")}
			}
			return nil
		})
		if err != nil {
			return Facts{}, err
		}
	}
	facts.Tables = count.tables()
	return facts, nil
}

// Read goes through the dump and wants it complete. There is no tool to list one.
func (MySQL) Read(ctx context.Context, at Place, from Source) error {
	for _, part := range []string{mysqlTablesPart, mysqlObjectsPart, mysqlEventsPart} {
		count := &rowCounter{}
		if _, err := readPart(ctx, from, part, func(r io.Reader) (int64, error) { return io.Copy(count, r) }); err != nil {
			return err
		}
		if !count.completed {
			return &ops.Error{Host: at.Host, Summary: "reading " + part, Cause: fmt.Errorf("it is no complete dump: %w", ErrDamaged)}
		}
	}
	return nil
}

// SQL runs a script in one transaction, as far as its statements allow.
func (MySQL) SQL(ctx context.Context, at Place, script io.Reader) (string, error) {
	text, err := io.ReadAll(script)
	if err != nil {
		return "", err
	}
	line, err := at.mysql(`query --database="$database" --init-command='SET SESSION sql_mode = @@GLOBAL.sql_mode'`)
	if err != nil {
		return "", err
	}
	// The end is sent as well, so that a script which arrives in part changes nothing.
	said, err := at.answer(ctx, "running the script", line, strings.NewReader("START TRANSACTION;\n"+unended(string(text))+"\n;\nCOMMIT;\n"))
	if err != nil {
		return "", explainMySQL(err)
	}
	return firstCell(said, "\t\n"), nil
}

// Private

const (
	mysqlSettings    = "settings.json"
	mysqlTablesPart  = "tables.sql"
	mysqlObjectsPart = "objects.sql"
	mysqlEventsPart  = "events.sql"
)

// mysql is a script run in the place's container that has the functions query and
// dump for its server, and the place's database as $database. Its arguments are
// $2 and on.
func (p Place) mysql(script string, args ...string) (command.Line, error) {
	reach := mysqlHere
	if p.URL != "" {
		apart, err := p.address()
		if err != nil {
			return command.Line{}, err
		}
		reach = apart + mysqlElsewhere
	}
	return p.sh(reach+mysqlCommon+script, append([]string{p.Database}, args...)...), nil
}

func lookMySQL(ctx context.Context, at Place, questions string) (Facts, error) {
	line, err := at.mysql(mysqlLook)
	if err != nil {
		return Facts{}, err
	}
	said, err := at.answer(ctx, "asking the database", line, strings.NewReader(questions))
	if err != nil {
		return Facts{}, explainMySQL(err)
	}
	facts := Facts{Free: -1}
	for text := range strings.Lines(said) {
		if err := facts.learn([]byte(text)); err != nil {
			return facts, err
		}
	}
	sortTables(facts.Tables)
	if facts.Details == nil {
		return facts, &ops.Error{Host: at.Host, Summary: "looking at the database", Cause: fmt.Errorf("there is no such database: %w", ops.ErrNotFound)}
	}
	return facts, nil
}

// Helpers

// unended is a script without the end of its last statement, and what follows it:
// the client takes a lone end for a statement.
func unended(script string) string {
	for {
		script = strings.TrimRight(script, "; \t\r\n")
		last := script[strings.LastIndexByte(script, '\n')+1:]
		if comment := strings.TrimSpace(last); !strings.HasPrefix(comment, "--") && !strings.HasPrefix(comment, "#") {
			return cmp.Or(script, "DO 0")
		}
		script = strings.TrimSuffix(script, last)
	}
}

// explainMySQL gives failures that many have a hint.
func explainMySQL(err error) error {
	return explain(err, []failure{
		{"has no client", "add one to the image (Debian: mariadb-client), of the server's product and version"},
		{"names no database", "set database: for it under backups: of x-binnacle"},
		{"Access denied", "the user and password in the container's environment must be allowed that"},
		{"No space left on device", "free some space on the host first"},
		{"is full", "free some space on the host first"},
	})
}

package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"binnacle/config"
	"binnacle/ops"
)

// Scratch starts the image with a server that nothing can reach but this.
func (e MySQL) Scratch(ctx context.Context, at Place, name string, from Source) (Place, error) {
	as, err := readMySQLMade(ctx, from)
	if err != nil {
		return Place{}, err
	}
	image := at.Image
	if at.URL != "" { // the container is the app's, not the server's
		image = as.image()
	}
	server, err := mysqlServer(image)
	if err != nil {
		return Place{}, &ops.Error{Host: at.Host, Summary: "starting a throwaway container", Cause: err}
	}
	words := append([]string{"--env", "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD=1", "--env", "MYSQL_ALLOW_EMPTY_PASSWORD=1", "--env", "ALLOW_EMPTY_PASSWORD=yes", image}, server...)
	run := at.throwaway(name, append(words, "--skip-log-bin", "--event-scheduler=OFF", "--innodb-flush-log-at-trx-commit=0", "--lower-case-table-names="+strconv.Itoa(as.Case))...)
	if _, err := at.answer(ctx, "starting a throwaway container", run, nil); err != nil {
		return Place{}, err
	}
	scratch := at
	scratch.Container, scratch.Image, scratch.URL, scratch.Database = name, image, "", name
	line, err := scratch.mysql(mysqlAwait)
	if err != nil {
		return Place{}, err
	}
	if err := scratch.awaitScratch(ctx, line); err != nil {
		return Place{}, err
	}
	loaded, err := e.load(ctx, scratch, name, from, as)
	if err != nil {
		return Place{}, err
	}
	return loaded, e.feed(ctx, loaded, "restoring the events", `query --database="$database"`, from, mysqlEventsPart)
}

// Load restores into a new database. Its events wait for the swap: they would run.
func (e MySQL) Load(ctx context.Context, at Place, name string, from Source) (Place, error) {
	archived, err := readMySQLMade(ctx, from)
	if err != nil {
		return Place{}, err
	}
	line, err := at.mysql(mysqlMadeAs)
	if err != nil {
		return Place{}, err
	}
	said, err := at.answer(ctx, "reading how the database was made", line, nil)
	if err != nil {
		return Place{}, explainMySQL(err)
	}
	present, err := parseMySQLMade([]byte(said))
	if err != nil {
		return Place{}, err
	}
	if err := Compatible(config.MySQL, archived.Version, present.Version); err != nil {
		return Place{}, err
	}
	loaded, err := e.load(ctx, at, name, from, archived)
	if err != nil {
		return Place{}, err
	}
	for row, part := range map[string]string{"objects": mysqlObjectsPart, "events": mysqlEventsPart} {
		if err := e.feed(ctx, loaded, "keeping the "+row+" for the swap", mysqlMake+`save "$database" `+row, from, part); err != nil {
			return Place{}, err
		}
	}
	return loaded, nil
}

// Swap exchanges all tables in one statement, and then routines, views, triggers
// and events. It is not interrupted once it has begun.
func (MySQL) Swap(ctx context.Context, at, loaded Place, keep string) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*swapBound)
	defer cancel()
	line, err := at.mysql(mysqlObjects+mysqlMake+mysqlMoving+mysqlSwap, loaded.Database, keep)
	if err != nil {
		return false, err
	}
	var said bounded
	swapping := at.attached(ctx, "swapping the databases", line, &said)
	if swapping == nil {
		return strings.TrimSpace(said.kept.String()) == "kept", nil
	}
	// The answer may be lost, or the server still be at it.
	line, err = at.mysql(mysqlObjects+mysqlMake+mysqlMoving+mysqlRepair+mysqlOutcome, loaded.Database, keep)
	if err != nil {
		return false, err
	}
	asking, end := context.WithTimeout(context.WithoutCancel(ctx), 3*swapBound)
	defer end()
	outcome, err := at.answer(asking, "asking what the swap has done", line, nil)
	switch {
	case err != nil:
		return false, hint(errors.Join(swapping, err), "the next backup or restore of this database puts it right once the server answers; until then nothing of it is dropped")
	case outcome == "kept", outcome == "done":
		return outcome == "kept", nil
	}
	return false, hint(explainMySQL(swapping), "the data from before is in its place")
}

// Discard drops a database that was made here, or removes a throwaway container.
func (MySQL) Discard(ctx context.Context, at Place, name string) error {
	removed := at.removeScratch(ctx, name)
	line, err := at.mysql(mysqlMoving+mysqlDrop, name)
	if err == nil {
		_, err = at.answer(ctx, "dropping the database "+name, line, nil)
	}
	return errors.Join(removed, explainMySQL(err))
}

// Leftovers puts right what a swap has left that was killed, and lists the
// databases that were made beside the place's own, and the throwaway containers.
func (MySQL) Leftovers(ctx context.Context, at Place) ([]string, error) {
	names, err := at.scratches(ctx)
	if err != nil {
		return nil, err
	}
	line, err := at.mysql(mysqlObjects + mysqlMake + mysqlMoving + mysqlRepair + mysqlList)
	if err != nil {
		return nil, err
	}
	said, err := at.answer(ctx, "listing the databases", line, nil)
	if err != nil {
		return nil, explainMySQL(err)
	}
	return appendNames(names, said)
}

// Private

// mysqlMade tells how a database was made: settings.json.
type mysqlMade struct {
	Version   string `json:"version"`
	Database  string `json:"database"`
	Charset   string `json:"charset"`
	Collation string `json:"collation"`
	Case      int    `json:"case"` // lower_case_table_names
}

func (m mysqlMade) image() string {
	major, rest, _ := strings.Cut(m.Version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	if strings.Contains(m.Version, "MariaDB") {
		return "mariadb:" + major + "." + minor
	}
	return "mysql:" + major + "." + minor
}

// mysqlServer is what an image's command has before the options of its server.
func mysqlServer(image string) ([]string, error) {
	if !strings.Contains(image, "bitnami") {
		return nil, nil
	}
	name, _, _ := strings.Cut(image[strings.LastIndexByte(image, '/')+1:], "@")
	name, _, _ = strings.Cut(name, ":")
	if name != "mysql" && name != "mariadb" {
		return nil, fmt.Errorf("how the image %s is started with options is not known", image)
	}
	return []string{"/opt/bitnami/scripts/" + name + "/run.sh"}, nil
}

func (e MySQL) load(ctx context.Context, at Place, name string, from Source, as mysqlMade) (Place, error) {
	line, err := at.mysql(mysqlMake+`make "$2" "$database" "$3"`, name, "CHARACTER SET "+as.Charset+" COLLATE "+as.Collation)
	if err != nil {
		return Place{}, err
	}
	if err := ctx.Err(); err != nil {
		return Place{}, err
	}
	making, cancel := uncut(ctx)
	defer cancel()
	if _, err := at.answer(making, "making the database "+name, line, nil); err != nil {
		return Place{}, explainMySQL(err)
	}
	loaded := at
	loaded.Database = name
	for _, part := range []string{mysqlTablesPart, mysqlObjectsPart} {
		if err := e.feed(ctx, loaded, "restoring "+part, `query --database="$database"`, from, part); err != nil {
			return Place{}, err
		}
	}
	return loaded, nil
}

func (MySQL) feed(ctx context.Context, at Place, what, script string, from Source, part string) error {
	line, err := at.mysql(script)
	if err != nil {
		return err
	}
	return explainMySQL(at.feed(ctx, what, line, from, part, nil))
}

func readMySQLMade(ctx context.Context, from Source) (mysqlMade, error) {
	text, err := readPart(ctx, from, mysqlSettings, io.ReadAll)
	if err != nil {
		return mysqlMade{}, err
	}
	return parseMySQLMade(text)
}

func parseMySQLMade(text []byte) (mysqlMade, error) {
	var m mysqlMade
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("%s: %w", mysqlSettings, err)
	}
	m.Version = plainVersion(m.Version)
	for _, word := range []string{m.Charset, m.Collation} {
		if word != "" && !variable.MatchString(word) {
			return m, fmt.Errorf("%s: %q is no character set", mysqlSettings, word)
		}
	}
	return m, nil
}

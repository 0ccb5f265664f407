package backup

import (
	"context"
	"errors"
	"strings"
	"time"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/command"
)

// Scratch starts the image with a server that nothing can reach but this.
func (e Postgres) Scratch(ctx context.Context, at Place, name string, from Source) (Place, error) {
	made, err := readMade(ctx, from)
	if err != nil {
		return Place{}, err
	}
	image := at.Image
	if at.URL != "" { // the container is the app's, not the server's
		major, _, _ := strings.Cut(made.Version, ".")
		image = "postgres:" + major
		made.Preload = "" // which its provider's server has, and this does not
		if made.Timescale != "" {
			image = "timescale/timescaledb:" + made.Timescale + "-pg" + major
		}
	}
	if _, err := at.answer(ctx, "starting a throwaway container", at.throwaway(name, postgresScratch(image, made)...), nil); err != nil {
		return Place{}, err
	}
	scratch := at
	scratch.Container, scratch.Image, scratch.URL, scratch.Database = name, image, "", "postgres"
	// The image's first server, which only prepares the data, does not listen on TCP.
	ready := `pg_isready -q -h 127.0.0.1`
	if bitnami(image) { // that of Bitnami may
		ready = `grep -q postgres /proc/1/comm && ` + ready
	}
	line, err := scratch.postgres(`for i in $(seq 120); do ` + ready + ` && exit; sleep 1; done; pg_isready -h 127.0.0.1`)
	if err != nil {
		return Place{}, err
	}
	if err := scratch.awaitScratch(ctx, line); err != nil {
		return Place{}, err
	}
	return e.load(ctx, scratch, name, from, made, " --no-tablespaces")
}

// Load restores into a new database, which is made as the present one is, or as
// the dumped one was. Roles that the data needs and the server does not have are
// made without a login. All that is in it becomes the database's owner's where the
// present database has another owner than the dumped one had, and where the role
// that restores may not give things to those who had them.
func (e Postgres) Load(ctx context.Context, at Place, name string, from Source) (Place, error) {
	archived, err := readMade(ctx, from)
	if err != nil {
		return Place{}, err
	}
	as, err := presentMade(ctx, at)
	absent := errors.Is(err, ops.ErrNotFound)
	if err != nil && !absent {
		return Place{}, err
	}
	if err := Compatible(config.Postgres, archived.Version, as.Version); err != nil {
		return Place{}, err
	}
	if absent {
		as = archived
		as.absent = true
	}
	as.alone = as.Owner != archived.Owner // another destination's: all is to be its own
	as.Roles, as.Granted, as.Owners, as.Superuser, as.Timescale = archived.Roles, archived.Granted, archived.Owners, archived.Superuser, archived.Timescale
	return e.load(ctx, at, name, from, as, "")
}

// Swap renames both databases in one transaction, which holds new connections off.
// It is not interrupted once it has begun.
func (e Postgres) Swap(ctx context.Context, at, loaded Place, keep string) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), swapBound)
	defer cancel()
	line, err := at.postgresServer(loaded.Database, keep)
	if err != nil {
		return false, err
	}
	said, swapping := at.answer(ctx, "swapping the databases", line, strings.NewReader(postgresPatient+postgresSwap))
	if swapping == nil {
		return said == "t", nil
	}
	// The answer may be lost, or the server still be at it.
	said, err = at.answer(ctx, "asking what the swap has done", line, strings.NewReader(postgresPatient+postgresSwapped))
	switch {
	case err != nil:
		return false, hint(errors.Join(swapping, err), "psql -l tells whether "+keep+" is there: then the restored data is in place already")
	case said == "done kept":
		return true, nil
	case said == "done":
		return false, nil
	}
	err = explainPostgres(swapping)
	if told := new(ops.Error); errors.As(err, &told) {
		told.Hint = strings.TrimPrefix(told.Hint+"; the data from before is in its place", "; ")
	}
	return false, err
}

// Discard drops a database or removes a throwaway container. The place's own
// database stays, whatever the name.
func (Postgres) Discard(ctx context.Context, at Place, name string) error {
	removed := at.removeScratch(ctx, name)
	line, err := at.postgresServer(name, "")
	if err == nil {
		_, err = at.answer(ctx, "dropping the database "+name, line, strings.NewReader(postgresPatient+postgresDrop))
	}
	return errors.Join(removed, explainPostgres(err))
}

// Leftovers lists the databases that were made beside the place's own, and the
// throwaway containers.
func (Postgres) Leftovers(ctx context.Context, at Place) ([]string, error) {
	names, err := at.scratches(ctx)
	if err != nil {
		return nil, err
	}
	line, err := at.postgresServer("", "")
	if err != nil {
		return nil, err
	}
	said, err := at.answer(ctx, "listing the databases", line, strings.NewReader(postgresPatient+postgresLeft))
	if err != nil {
		return nil, explainPostgres(err)
	}
	return appendNames(names, said)
}

// Private

// swapBound is how long a swap may take: ten tries of five seconds, and asking
// what became of it.
const swapBound = 3 * time.Minute

// postgresServer is a psql that is connected beside the databases of a place: the
// variable of is the place's own, name and keep are as given.
func (p Place) postgresServer(name, keep string) (command.Line, error) {
	return p.postgres(`of=$PGDATABASE
export PGDATABASE=template1
exec psql -XAtqw -v ON_ERROR_STOP=1 -v of="$of" -v name="$2" -v keep="$3"`, name, keep)
}

// load makes a database and restores into it. Not every server lets its roles
// comment on the extensions that they make; such a comment comes before all data.
func (e Postgres) load(ctx context.Context, at Place, name string, from Source, as made, options string) (Place, error) {
	loaded, err := e.loadWith(ctx, at, name, from, as, options)
	if !strings.Contains(output(err), "must be owner of extension") {
		return loaded, explainPostgres(err)
	}
	at.Tell(ops.Stderr, "The role may not comment on an extension: restoring again, without any comments")
	if err := e.Discard(ctx, at, name); err != nil {
		return Place{}, err
	}
	loaded, err = e.loadWith(ctx, at, name, from, as, options+" --no-comments")
	return loaded, explainPostgres(err)
}

func (Postgres) loadWith(ctx context.Context, at Place, name string, from Source, as made, options string) (Place, error) {
	line, err := at.postgresServer(name, "")
	if err != nil {
		return Place{}, err
	}
	if err := ctx.Err(); err != nil {
		return Place{}, err
	}
	making, cancel := uncut(ctx)
	defer cancel()
	said, err := at.answer(making, "making the database "+name, line, strings.NewReader(postgresPatient+as.script()))
	if err != nil {
		return Place{}, err
	}
	loaded := at
	loaded.Database = name
	if err := loaded.prepare(ctx, "preparing the extensions", as.before()); err != nil {
		return Place{}, err
	}
	if as.alone || said != "" {
		options += ` --no-owner`
		if !strings.Contains(said, saidMine) {
			options += ` --role="$2"`
		}
	}
	if !as.alone && said != "" {
		at.Tell(ops.Stderr, "The role may not give things to their owners: all becomes the database's owner's")
	}
	line, err = loaded.postgres(`exec pg_restore -w --exit-on-error`+options+` -d "$PGDATABASE"`, as.Owner)
	if err != nil {
		return Place{}, err
	}
	if err := at.feed(ctx, "restoring the database", line, from, postgresArchive, nil); err != nil {
		return Place{}, err
	}
	return loaded, loaded.prepare(ctx, "completing the database", as.after(name))
}

// prepare runs a script in a database that is being loaded, and tells what it says.
func (p Place) prepare(ctx context.Context, what, script string) error {
	if script == "" {
		return nil
	}
	line, err := p.postgres(`exec psql -XAtqw -v ON_ERROR_STOP=1 -v name="$PGDATABASE"`)
	if err != nil {
		return err
	}
	said, err := p.answer(ctx, what, line, strings.NewReader(postgresPatient+script))
	if err == nil && said != "" {
		p.Tell(ops.Stderr, "Left as it is, because the role may not set it: "+said)
	}
	return err
}

// presentMade tells how the place's database was made; ops.ErrNotFound, with the
// version alone, when it is not there.
func presentMade(ctx context.Context, at Place) (made, error) {
	line, err := at.postgres(`psql -XAtqw -v ON_ERROR_STOP=1`)
	if err != nil {
		return made{}, err
	}
	said, err := at.answer(ctx, "reading how the database was made", line, strings.NewReader(postgresPatient+postgresMade))
	if noSuchDatabase(err) {
		facts, err := postgresVersion(ctx, at)
		return made{Version: facts.Version}, err
	}
	if err != nil {
		return made{}, explainPostgres(err)
	}
	return parseMade([]byte(said))
}

// Helpers

// postgresScratch are the words that start an image as a throwaway server.
func postgresScratch(image string, as made) []string {
	words := []string{
		"--shm-size", "256m", "--env", "POSTGRES_HOST_AUTH_METHOD=trust", "--env", "POSTGRES_USER=" + as.Superuser, "--env", "POSTGRES_DB=postgres",
		image, "postgres",
	}
	if bitnami(image) {
		words = []string{"--shm-size", "256m", "--env", "ALLOW_EMPTY_PASSWORD=yes", image, "/opt/bitnami/scripts/postgresql/run.sh"}
	}
	words = append(words, "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off")
	preload := as.Preload
	if preload == "" && as.Timescale != "" { // not every role is shown what the server has
		preload = "timescaledb"
	}
	if preload != "" {
		words = append(words, "-c", "shared_preload_libraries="+preload)
	}
	return words
}

// bitnami knows the images that have an environment and commands of their own.
func bitnami(image string) bool { return strings.Contains(image, "bitnami") }

func noSuchDatabase(err error) bool {
	said := output(err)
	return strings.Contains(said, "FATAL:  database") && strings.Contains(said, "does not exist")
}

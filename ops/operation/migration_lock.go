package operation

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"binnacle/config"
	"binnacle/ops"
)

// pgOptions is the variable by which clients of PostgreSQL take settings for their
// sessions. Those of MySQL have none, and others do not look at it.
const pgOptions = "PGOPTIONS"

var (
	lockWaited = regexp.MustCompile(`(?i)lock timeout|lock wait timeout|LockWaitTimeout|LockNotAvailable`)
	// guardRefused is what poolers say to a session that brings settings along.
	guardRefused = regexp.MustCompile(`(?i)unsupported startup parameter|support command-line options`)
	tellsWhy     = regexp.MustCompile(lockWaited.String() + "|" + guardRefused.String())
)

// Private

// guard is the variable that lets a migration wait for a lock no longer than it
// may; none where it would not help, or replace what is not ours.
func (m *migration) guard() config.Pairs {
	engine := m.engine()
	if m.how.LockTimeout == 0 || m.unguarded || engine == config.MySQL || engine == config.SQLite {
		return nil
	}
	own, secret := m.ownOptions()
	if secret || !m.how.LockTimeoutSet && strings.Contains(own, "lock_timeout") {
		return nil
	}
	value := fmt.Sprintf("%s -c lock_timeout=%d", own, min(m.how.LockTimeout.Milliseconds(), math.MaxInt32))
	return config.Pairs{{Name: pgOptions, Value: config.StringValue(strings.TrimSpace(value))}}
}

// ownOptions are those that the app has itself, which may be a secret.
func (m *migration) ownOptions() (text string, secret bool) {
	env := m.role.Env(m.host)
	for _, pair := range env.Clear {
		if pair.Name == pgOptions {
			text = pair.Value.String()
		}
	}
	return text, slices.ContainsFunc(env.Secrets, func(ref config.SecretRef) bool { return ref.Name == pgOptions })
}

// engine is the kind of database that is migrated; "" where that is not known.
func (m *migration) engine() config.Engine {
	var found []config.Engine
	for _, b := range m.cfg.Backups() {
		switch {
		case m.how.Backup == "" && b.Engine != config.Postgres && b.Engine != config.MySQL && b.Engine != config.SQLite:
		case m.how.Backup == "" || b.Name == m.how.Backup:
			found = append(found, b.Engine)
		}
	}
	if found = slices.Compact(found); len(found) == 1 {
		return found[0]
	}
	return ""
}

// waitEffect says how long it waits for a lock. Where nothing can be said to the
// database, that is told to those who asked for it.
func (m *migration) waitEffect() []ops.Effect {
	told := func(warn bool, format string, args ...any) []ops.Effect {
		return []ops.Effect{{Label: "locks", Text: fmt.Sprintf(format, args...), Warn: warn}}
	}
	bound, engine := m.how.LockTimeout, m.engine()
	_, secret := m.ownOptions()
	switch {
	case bound == 0:
		return nil
	case m.unguarded:
		return told(true, "lock_timeout is not given: the database, or a pooler before it, does not take it")
	case len(m.guard()) > 0 && engine == config.Postgres:
		return told(false, "fails when it waits longer than %s for a lock of the database", boundText(bound))
	case len(m.guard()) > 0:
		return told(false, "fails when it waits longer than %s for a lock, if the database is PostgreSQL", boundText(bound))
	case !m.how.LockTimeoutSet:
		return nil
	case engine == config.MySQL:
		return told(true, "lock_timeout is not given: this database takes none from the environment; set lock_wait_timeout in the app's own configuration")
	case secret:
		return told(true, "lock_timeout is not given: %s is a secret, which stays as it is; write -c lock_timeout there", pgOptions)
	}
	return told(true, "lock_timeout is not given: this database has none")
}

// waitHint is what to do about a migration that waited too long for a lock.
func (m *migration) waitHint() string {
	if len(m.guard()) == 0 {
		return "somebody holds a lock that it needs: try again when less goes on; how long it waits is set in the app's own configuration. " + m.advice
	}
	return fmt.Sprintf("somebody holds a lock that it needs, and it waited %s: see pg_stat_activity for who, try again when less goes on, "+
		"or let it wait longer: lock_timeout: under migrate: of x-binnacle. %s", boundText(m.how.LockTimeout), m.advice)
}

// withoutGuard has it do without the guard that nobody asked for and that the
// database refuses. It reports whether to ask again.
func (m *migration) withoutGuard(r *ops.Run, err error) bool {
	if m.how.LockTimeoutSet || !m.refused(err, m.seen.lines...) {
		return false
	}
	m.unguarded = true
	warn(r, "it may wait for a lock of the database at any length: a pooler such as pgbouncer does not take lock_timeout, which is given as "+pgOptions+
		"; set it for the database's user, and lock_timeout: 0 under migrate: of x-binnacle")
	return true
}

// refusedHint is what to do where the guard itself is in the way.
const refusedHint = "a pooler such as pgbouncer does not take lock_timeout, which is given as " + pgOptions + ": lock_timeout: 0 under migrate: of x-binnacle leaves it out"

// refused reports a command that could not connect because of the guard.
func (m *migration) refused(err error, lines ...string) bool {
	var exit *ops.ExitError
	return errors.As(err, &exit) && len(m.guard()) > 0 && slices.ContainsFunc(append(lines, exit.Output), guardRefused.MatchString)
}

package config

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Backups lists what is to be backed up: what was found, in the order of the
// accessories, then the app's own database, then what x-binnacle adds.
func (c *Config) Backups() []Backup { return slices.Clone(c.extension.backups) }

// Backup finds a backup by name.
func (c *Config) Backup(name string) (Backup, bool) {
	for _, b := range c.extension.backups {
		if b.Name == name {
			return b, true
		}
	}
	return Backup{}, false
}

// Stores lists where backups may be kept, in the order of the file. Without any
// it is the program's own folder: a local store named local whose Path is "".
func (c *Config) Stores() []Store { return slices.Clone(c.extension.stores) }

// Migrate is how the app's schema is migrated.
func (c *Config) Migrate() Migrate { return c.extension.migrate }

// Unprotected says, for people, which folders of data no backup covers: those of
// accessories first, then those of the app. What an entry with skip names is left out.
func (c *Config) Unprotected() []string { return slices.Clone(c.extension.unprotected) }

// ParseDuration reads a whole number with a unit: 90s, 45m, 26h, 30d, 2w.
func ParseDuration(text string) (time.Duration, error) {
	m := durationText.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("%q is no duration: write 90s, 45m, 26h, 30d or 2w", text)
	}
	unit := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}[m[2]]
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil || n > math.MaxInt64/int64(unit) {
		return 0, fmt.Errorf("%q is longer than can be counted", text)
	}
	return time.Duration(n) * unit, nil
}

// Private

// extension is the section x-binnacle, read, with what is found without it.
type extension struct {
	backups     []Backup
	unprotected []string
	stores      []Store
	migrate     Migrate
	problems    Errors
}

const extensionKey = "x-binnacle"

var durationText = regexp.MustCompile(`\A(\d+)([smhdw])\z`)

// newExtension reads the section over what it finds. It stands on a tree that may
// have been found wrong elsewhere.
func newExtension(c *Config) extension {
	section, written := c.root.get(extensionKey)
	r := &extensionReader{validator: validator{schema: c.schema}, config: c}
	example := c.schema.section(extensionKey)
	if written {
		r.against(section, Value{kind: Map, entries: looseMaps(example)}, extensionKey)
	}
	var e extension
	r.readStores(section.sub("stores"))
	e.stores = r.stores
	e.backups, e.unprotected = r.readBackups(section)
	e.migrate = r.readMigrate(section.sub("migrate"), e.backups)
	e.problems = r.once()
	return e
}

// extensionReader turns the section into typed values and collects what is wrong.
type extensionReader struct {
	validator
	config     *Config
	stores     []Store
	storeNames []string // those that were found wrong too
}

func (r *extensionReader) readMigrate(section Value, backups []Backup) Migrate {
	path := join(extensionKey, "migrate")
	r.unknownKeys(section, r.schema.section(extensionKey).sub("migrate"), path)
	_, limited := section.get("lock_timeout")
	m := Migrate{Command: r.text(section, "command", path), Status: r.text(section, "status", path), Rollback: r.text(section, "rollback", path),
		Role: r.text(section, "role", path), Backup: r.text(section, "backup", path),
		Timeout:     r.duration(section, "timeout", path, 30*time.Minute),
		LockTimeout: r.limit(section, "lock_timeout", path, 30*time.Second), LockTimeoutSet: limited,
		BackupWithin: r.duration(section, "backup_within", path, 0),
		Assumed:      section.IsNil()}
	if m.Command == "" {
		m.Command = "bin/rails db:migrate"
		m.Status, m.Rollback = orElse(m.Status, "bin/rails db:migrate:status"), orElse(m.Rollback, "bin/rails db:rollback STEP=%d")
	}
	switch role := r.config.Role(m.Role); {
	case m.Role == "" && r.config.PrimaryRole() != nil:
		m.Role = r.config.PrimaryRoleName()
	case m.Role != "" && role == nil:
		r.fail(section.sub("role").at, join(path, "role"), "there is no role "+m.Role, choices("the roles are", roleNames(r.config.roles)))
	}
	if m.Backup != "" && !slices.ContainsFunc(backups, func(b Backup) bool { return b.Name == m.Backup }) {
		r.fail(section.sub("backup").at, join(path, "backup"), "there is no backup "+m.Backup, choices("the backups are", backupNames(backups)))
	}
	return m
}

// text is the text below a key, "" when it is missing; an empty one is a problem.
func (r *extensionReader) text(section Value, key, path string) string {
	value, ok := section.get(key)
	if !ok {
		return ""
	}
	path = join(path, key)
	if r.typed(value, path, String) && strings.TrimSpace(value.String()) == "" {
		r.fail(value.at, path, "should not be empty", "fill it in or remove the line")
	}
	if !value.stringish() {
		return ""
	}
	return value.String()
}

func (r *extensionReader) duration(section Value, key, path string, fallback time.Duration) time.Duration {
	text := r.text(section, key, path)
	if text == "" {
		return fallback
	}
	d, err := ParseDuration(text)
	if err != nil {
		r.fail(section.sub(key).at, join(path, key), "should be a duration", "write a number with a unit: 90s, 45m, 26h, 30d, 2w")
		return fallback
	}
	if d == 0 {
		r.fail(section.sub(key).at, join(path, key), "should be longer than nothing", "remove the line for the default")
	}
	return d
}

// limit is a duration that 0 switches off.
func (r *extensionReader) limit(section Value, key, path string, fallback time.Duration) time.Duration {
	text := r.text(section, key, path)
	if d, err := ParseDuration(text); text == "0" || err == nil && d == 0 {
		return 0
	}
	return r.duration(section, key, path, fallback)
}

func (r *extensionReader) flag(section Value, key, path string) bool {
	value, ok := section.get(key)
	return ok && r.typed(value, join(path, key), Bool) && value.IsTrue()
}

// number is a whole number between two others, 0 when it is missing.
func (r *extensionReader) number(section Value, key, path string, from, to int) int {
	value, ok := section.get(key)
	if !ok || !r.typed(value, join(path, key), Int) {
		return 0
	}
	n, _ := value.Int()
	if n < from || n > to {
		r.fail(value.at, join(path, key), fmt.Sprintf("should be between %d and %d", from, to), "correct the number")
	}
	return n
}

// oneOf is a text that must be one of some.
func (r *extensionReader) oneOf(section Value, key, path string, options ...string) string {
	text := r.text(section, key, path)
	if text != "" && !slices.Contains(options, text) {
		r.fail(section.sub(key).at, join(path, key), "should be "+strings.Join(options, " or "), didYouMean(text, options))
		return ""
	}
	return text
}

// once drops what was found twice: entries share what "*" says.
func (r *extensionReader) once() Errors {
	var problems Errors
	for _, problem := range r.problems {
		if !slices.ContainsFunc(problems, func(p *Error) bool { return p.Position == problem.Position && p.Problem == problem.Problem }) {
			problem.section = extensionKey
			problems = append(problems, problem)
		}
	}
	return problems
}

// Helpers

// looseMaps are the keys of an example with any map as their value: what stands
// below them is looked at by itself.
func looseMaps(example Value) []entry {
	loose := slices.Clone(example.entries)
	for i := range loose {
		loose[i].value = StringValue("...")
	}
	return loose
}

func orElse(text, fallback string) string {
	if text == "" {
		return fallback
	}
	return text
}

// choices is a hint that lists names.
func choices(words string, names []string) string {
	if len(names) == 0 {
		return "there is none"
	}
	return words + " " + strings.Join(names, ", ")
}

func didYouMean(text string, options []string) string {
	example := Value{kind: Map}
	for _, option := range options {
		example.entries = append(example.entries, entry{key: StringValue(option)})
	}
	if near := nearest(text, example); near != "" {
		return "did you mean " + near + "?"
	}
	return "write " + strings.Join(options, " or ")
}

func backupNames(backups []Backup) []string {
	names := make([]string, len(backups))
	for i, b := range backups {
		names[i] = b.Name
	}
	return names
}

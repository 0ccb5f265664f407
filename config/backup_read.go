package config

import (
	"path"
	"slices"
	"strings"
)

// Private

// everyBackup is the entry whose settings hold for all backups.
const everyBackup = "*"

// backupEntry is one entry below backups: and what it comes to.
type backupEntry struct {
	name    string
	path    string
	section Value // over that of "*"
	own     Value
	at      Position // of the entry's key
	backups []Backup
	skip    bool
}

// readBackups lays the entries over what is found. The second result is what stays
// unprotected.
func (r *extensionReader) readBackups(section Value) (backups []Backup, unprotected []string) {
	all := join(extensionKey, "backups")
	every := section.sub("backups", everyBackup)
	r.settingsOf(every, join(all, everyBackup))
	found := r.config.findBackups()
	var entries []backupEntry
	for _, e := range section.sub("backups").entries {
		if e.key.String() != everyBackup {
			entries = append(entries, r.readEntry(e, every, found))
		}
	}
	backups = r.merge(entries, found, every, section.sub("stores").at)
	covered := slices.Clone(backups)
	for _, e := range entries {
		if e.skip {
			covered = append(covered, e.backups...)
		}
	}
	return backups, r.config.findUnprotected(covered)
}

// settingsOf checks the entry "*" by itself, so that its problems are told once and
// at its own path.
func (r *extensionReader) settingsOf(every Value, path string) {
	if every.IsNil() && every.at.Line == 0 || !r.typed(every, path, Map) {
		return
	}
	r.unknownKeys(every, r.schema.section(extensionKey).sub("backups", everyBackup), path)
	r.unknownKeys(every.sub("check"), r.schema.section(extensionKey).sub("backups", everyBackup, "check"), join(path, "check"))
	if every.has("store") {
		r.storeOf(every, path, every.at)
	}
	r.settings(every, path)
}

// merge puts the entries in the place of what they replace, and the others behind.
func (r *extensionReader) merge(entries []backupEntry, found []Backup, every Value, stores Position) []Backup {
	var merged []Backup
	placed := make([]bool, len(entries))
	place := func(i int) {
		if !placed[i] && !entries[i].skip {
			merged = append(merged, entries[i].backups...)
		}
		placed[i] = true
	}
	for _, f := range found {
		if i := slices.IndexFunc(entries, func(e backupEntry) bool { return e.replaces(f) }); i >= 0 {
			place(i)
			continue
		}
		where := join(extensionKey, "backups/"+f.Name)
		b := r.settings(every, where)
		b.Store = r.storeOf(every, where, stores)
		merged = append(merged, b.of(f))
	}
	for i := range entries {
		place(i)
	}
	for i, b := range merged {
		if slices.ContainsFunc(merged[:i], func(other Backup) bool { return other.Name == b.Name }) {
			at := stores
			for _, e := range entries {
				if e.name == b.Name || slices.ContainsFunc(e.backups, func(own Backup) bool { return own.Name == b.Name }) {
					at = e.at
				}
			}
			r.fail(at, join(extensionKey, "backups/"+b.Name), "two backups would have this name", "call the entry something else")
		}
	}
	return merged
}

// replaces tells whether an entry is about something that was found: by its name,
// or by being about the same data.
func (e backupEntry) replaces(f Backup) bool {
	return f.Name == e.name || slices.ContainsFunc(e.backups, func(b Backup) bool {
		if b.Host != f.Host || b.Accessory != f.Accessory || b.Role != f.Role {
			return false
		}
		sameData := b.Engine == f.Engine && b.URL == f.URL && (b.Database == "" || b.Database == f.Database || f.Database == "" && !e.skip)
		return sameData || f.Accessory != "" && f.Accessory == e.name
	})
}

func (r *extensionReader) readEntry(e entry, every Value, found []Backup) backupEntry {
	all := join(extensionKey, "backups")
	name := e.key.String()
	b := backupEntry{name: name, path: join(all, name), own: e.value, at: e.key.at, section: deepMerge(every, e.value)}
	r.named(e, all)
	if !r.typed(e.value, b.path, Map) {
		b.section, b.own, b.skip = Value{kind: Map}, Value{kind: Map}, true
		return b
	}
	example := r.schema.section(extensionKey).sub("backups", "db")
	r.unknownKeys(e.value, example, b.path)
	r.unknownKeys(e.value.sub("check"), example.sub("check"), join(b.path, "check"))
	b.skip = r.flag(b.own, "skip", b.path)
	b.backups = r.places(&b, found)
	if b.skip {
		if len(b.backups) > 0 && b.backups[0].Role != "" && b.backups[0].Database == "" && b.backups[0].URL == "" {
			r.fail(b.at, b.path, "skips nothing: nothing of that name is found", choices("there is", backupNames(found)))
		}
		return b
	}
	settings := r.settings(b.section, b.path)
	settings.Store = r.storeOf(b.section, b.path, b.at)
	for i := range b.backups {
		b.backups[i] = settings.of(b.backups[i])
		b.backups[i].Pause = r.flag(b.own, "pause", b.path)
	}
	if len(b.backups) > 0 {
		r.fits(&b, b.backups[0])
	}
	return b
}

// places are the things that an entry is about, one for each host.
func (r *extensionReader) places(e *backupEntry, found []Backup) []Backup {
	engine := Engine(r.oneOf(e.own, "engine", e.path, string(Postgres), string(MySQL), string(Redis), string(SQLite), string(Volume)))
	accessory, role := r.text(e.own, "accessory", e.path), r.text(e.own, "role", e.path)
	host, database, variable := r.text(e.own, "host", e.path), r.text(e.own, "database", e.path), r.text(e.own, "url", e.path)
	var places []Backup
	i := slices.IndexFunc(found, func(f Backup) bool { return f.Name == e.name })
	switch {
	case accessory != "" && role != "":
		r.fail(e.at, e.path, "is either an accessory's or a role's", "remove accessory: or role:")
		return nil
	case accessory == "" && role == "" && i >= 0 && (variable == "" || found[i].Accessory == ""):
		places = r.on(e, host, []string{found[i].Host}, found[i])
	case accessory != "" || role == "" && variable == "" && r.config.Accessory(e.name) != nil:
		places = r.onAccessory(e, orElse(accessory, e.name), host)
	default:
		places = r.onRole(e, role, host)
	}
	for i := range places {
		p := &places[i]
		if engine != "" && engine != p.Engine {
			p.Engine, p.Database, p.URL = engine, "", ""
		}
		p.Database, p.URL = orElse(database, p.Database), orElse(variable, p.URL)
	}
	return places
}

func (r *extensionReader) onAccessory(e *backupEntry, name, host string) []Backup {
	a := r.config.Accessory(name)
	if a == nil {
		names := make([]string, len(r.config.accessories))
		for i, other := range r.config.accessories {
			names[i] = other.name
		}
		r.fail(e.own.sub("accessory").at, join(e.path, "accessory"), "there is no accessory "+name, choices("the accessories are", names))
		return nil
	}
	return r.on(e, host, a.hosts, r.config.accessoryBackup(a, ""))
}

func (r *extensionReader) onRole(e *backupEntry, name, host string) []Backup {
	role := r.config.Role(orElse(name, r.config.PrimaryRoleName()))
	switch {
	case role == nil && name == "":
		r.fail(e.at, e.path, "is about no accessory and no role", "write accessory: with the name of one")
		return nil
	case role == nil:
		r.fail(e.own.sub("role").at, join(e.path, "role"), "there is no role "+name, choices("the roles are", roleNames(r.config.roles)))
		return nil
	case host == "":
		host = role.PrimaryHost()
	}
	return r.on(e, host, role.Hosts(), Backup{Role: role.name})
}

// on spreads what an entry is about over hosts, or puts it on the one asked for.
func (r *extensionReader) on(e *backupEntry, host string, hosts []string, b Backup) []Backup {
	if host != "" && !slices.Contains(hosts, host) {
		r.fail(e.own.sub("host").at, join(e.path, "host"), "it does not run on "+host, choices("its hosts are", hosts))
		return nil
	}
	if host != "" {
		hosts = []string{host}
	}
	b.Found = strings.TrimSuffix("x-binnacle, "+b.Found, ", ")
	places := make([]Backup, len(hosts))
	for i, host := range hosts {
		places[i] = b
		places[i].Host, places[i].Name = host, backupName(e.name, host, len(hosts))
	}
	return places
}

// fits checks that an entry says what its engine needs, and nothing that is lost on it.
func (r *extensionReader) fits(e *backupEntry, b Backup) {
	fail := func(key, problem, hint string) {
		at := e.own.sub(key).at
		if at.Line == 0 {
			at = e.at
		}
		r.fail(at, join(e.path, key), problem, hint)
	}
	file := b.Engine == SQLite || b.Engine == Volume
	switch {
	case b.Engine == "" && e.own.has("engine"):
		return
	case b.Engine == "":
		fail("engine", "is required", "write what it is: postgres, mysql, redis, sqlite, or volume for a folder")
	case file && !path.IsAbs(b.Database):
		fail("database", "should be the full path in the container", "write such as /rails/storage/production.sqlite3")
	case file && b.URL != "":
		fail("url", "is for servers", "remove the line: the path in the container is enough")
	case !file && b.Role != "" && b.URL == "":
		fail("url", "is required", "write the variable with the server's address, such as "+databaseURL+", or accessory: with the name of one")
	case b.Accessory != "" && b.URL != "":
		fail("url", "is for a server that a role reaches", "remove the line, or write role: instead of accessory:")
	case b.Engine == Redis && b.Database != "":
		fail("database", "is not for redis", "remove the line: all of its databases are saved")
	case b.URL != "" && !secretName.MatchString(b.URL):
		fail("url", "should be the name of a variable", "write "+databaseURL+": the address itself belongs into .kamal/secrets")
	}
	if b.Check.SQL != "" && (b.Engine == Redis || b.Engine == Volume) {
		fail("check", "sql is for databases that understand it", "remove sql:")
	}
	if b.Pause && b.Engine != Volume {
		fail("pause", "is for volumes", "remove the line: databases are consistent while they run")
	}
}

// of is a thing with the settings of another.
func (b Backup) of(thing Backup) Backup {
	thing.Store, thing.Schedule, thing.Retain, thing.Encrypt, thing.Check = b.Store, b.Schedule, b.Retain, b.Encrypt, b.Check
	return thing
}

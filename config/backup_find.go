package config

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// entryName is what stores and backups may be called.
var entryName = regexp.MustCompile(`\A[A-Za-z0-9_][A-Za-z0-9._-]*\z`)

var notInNames = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// Private

// findBackups tells what there is to back up without a word of x-binnacle.
func (c *Config) findBackups() []Backup {
	var found []Backup
	for _, a := range c.accessories {
		if engine := engineOfImage(a.section.sub("image").String()); engine != "" {
			for _, host := range a.hosts {
				b := c.accessoryBackup(a, host)
				b.Name = freeName(backupName(a.name, host, len(a.hosts)), found)
				found = append(found, b)
			}
		}
	}
	if b, ok := c.findDatabaseURL(); ok && !slices.ContainsFunc(found, func(b Backup) bool { return b.Engine == Postgres || b.Engine == MySQL }) {
		b.Name = freeName("database", found)
		found = append(found, b)
	}
	return found
}

// accessoryBackup is what an accessory tells of its data on a host; the engine is
// "" where its image is not known.
func (c *Config) accessoryBackup(a *Accessory, host string) Backup {
	image := a.section.sub("image").String()
	b := Backup{Accessory: a.name, Host: host, Engine: engineOfImage(image), Found: "image " + image}
	switch b.Engine {
	case Postgres:
		b.Database = a.env.firstClear("POSTGRES_DB", "POSTGRESQL_DATABASE", "POSTGRES_DATABASE")
		if b.Database == "" && !a.env.hasSecret("POSTGRES_DB", "POSTGRESQL_DATABASE", "POSTGRES_DATABASE") {
			b.Database = a.env.firstClear("POSTGRES_USER")
		}
	case MySQL:
		b.Database = a.env.firstClear("MYSQL_DATABASE", "MARIADB_DATABASE")
	}
	return b
}

// findDatabaseURL is the app's own database, as far as DATABASE_URL of the primary
// role tells of one that can be backed up.
func (c *Config) findDatabaseURL() (Backup, bool) {
	role := c.PrimaryRole()
	if role == nil || role.PrimaryHost() == "" {
		return Backup{}, false
	}
	env := role.Env(role.PrimaryHost())
	b := Backup{Role: role.name, Host: role.PrimaryHost(), URL: databaseURL, Engine: Postgres, Found: databaseURL + " of role " + role.name}
	if env.hasSecret(databaseURL) {
		return b, true
	}
	address := env.firstClear(databaseURL)
	scheme, rest, _ := strings.Cut(address, ":")
	switch scheme {
	case "postgres", "postgresql", "postgis":
	case "mysql", "mysql2", "trilogy", "mariadb":
		b.Engine = MySQL
	case "sqlite3", "sqlite":
		file, _, _ := strings.Cut(strings.TrimPrefix(rest, "//"), "?")
		b.Engine, b.URL, b.Database = SQLite, "", file
		return b, path.IsAbs(file)
	default:
		return Backup{}, false
	}
	return b, true
}

// unprotected lists the folders of data that none of the backups covers.
func (c *Config) findUnprotected(covered []Backup) []string {
	var list []string
	for _, a := range c.accessories {
		for _, host := range a.hosts {
			for _, folder := range a.dataFolders() {
				if !slices.ContainsFunc(covered, func(b Backup) bool { return b.coversAccessory(a.name, host, folder) }) {
					where := "accessory " + a.name
					if len(a.hosts) > 1 {
						where += " on " + host
					}
					list = append(list, where+": "+folder)
				}
			}
		}
	}
	for _, role := range c.roles {
		for _, folder := range role.dataFolders() {
			line := "app: " + folder
			ofFolder := func(b Backup) bool { return b.Role != "" && within(folder, b.Database) && b.Engine == Volume }
			inFolder := func(b Backup) bool { return b.Role != "" && within(b.Database, folder) && b.Engine == SQLite }
			if i := slices.IndexFunc(covered, inFolder); i >= 0 {
				line += ", but for " + covered[i].Database
			}
			if !slices.ContainsFunc(covered, ofFolder) && !slices.Contains(list, line) {
				list = append(list, line)
			}
		}
	}
	return list
}

func (b Backup) coversAccessory(name, host, folder string) bool {
	if b.Accessory != name || b.Host != host {
		return false
	}
	return b.Engine != Volume || b.Database == "" || within(folder, b.Database)
}

// dataFolders are the paths in the container of what outlives it and can be written.
func (a *Accessory) dataFolders() []string {
	folders := mountedFolders(a.Volumes(), a.Options())
	for _, mount := range a.Directories() {
		if !readOnly(mount.Options) {
			folders = append(folders, mount.ContainerPath)
		}
	}
	return folders
}

func (r *Role) dataFolders() []string { return mountedFolders(r.config.Volumes(), r.Options()) }

func (e EnvSpec) firstClear(names ...string) string {
	for _, name := range names {
		if value, ok := e.Clear.Get(name); ok && !e.hasSecret(name) {
			return value.String()
		}
	}
	return ""
}

func (e EnvSpec) hasSecret(names ...string) bool {
	return slices.ContainsFunc(e.Secrets, func(s SecretRef) bool { return slices.Contains(names, s.Name) })
}

// Helpers

const databaseURL = "DATABASE_URL"

// engineOfImage knows the images of databases by the last part of their repository.
func engineOfImage(image string) Engine {
	image, _, _ = strings.Cut(image, "@")
	repository, _, _ := strings.Cut(path.Base(image), ":")
	switch repository {
	case "postgres", "postgresql", "postgis", "pgvector", "timescaledb", "timescaledb-ha":
		return Postgres
	case "mysql", "mysql-server", "mariadb", "percona", "percona-server":
		return MySQL
	case "redis", "redis-stack", "redis-stack-server", "valkey", "keydb":
		return Redis
	}
	return ""
}

// backupName is an accessory's name, with the host where there are several.
func backupName(name, host string, hosts int) string {
	if hosts > 1 {
		name += "-" + host
	}
	return strings.TrimLeft(notInNames.ReplaceAllString(name, "-"), ".-")
}

// freeName keeps two things that were found apart.
func freeName(name string, taken []Backup) string {
	free := orElse(name, "backup")
	for n := 2; slices.ContainsFunc(taken, func(b Backup) bool { return b.Name == free }); n++ {
		free = orElse(name, "backup") + "-" + strconv.Itoa(n)
	}
	return free
}

// mountedFolders are the targets of --volume arguments that hold data: what is
// read-only or a socket does not.
func mountedFolders(volumes []string, options Pairs) []string {
	for _, name := range []string{"volume", "v"} {
		if value, ok := options.Get(name); ok {
			volumes = append(volumes, value.texts()...)
		}
	}
	var folders []string
	for _, volume := range volumes {
		parts := strings.Split(volume, ":")
		target, mode := parts[0], ""
		if len(parts) > 1 {
			target, mode = parts[1], strings.Join(parts[2:], ",")
		}
		if path.IsAbs(target) && !strings.HasSuffix(target, ".sock") && !readOnly(mode) && !slices.Contains(folders, target) {
			folders = append(folders, target)
		}
	}
	return folders
}

func readOnly(options string) bool { return slices.Contains(strings.Split(options, ","), "ro") }

// within tells whether a path is a folder or below it.
func within(name, folder string) bool {
	name, folder = path.Clean(name), path.Clean(folder)
	return name == folder || strings.HasPrefix(name, strings.TrimSuffix(folder, "/")+"/")
}

package lab

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// What the project of BackupProject is protected by. The passwords hold what
// shells, URLs and SQL treat in a way of their own.
const (
	BackupDatabase   = "fhirlinebot_production"
	BackupPassword   = `s3cret "quoted" $HOME & #1 %`
	BackupSQLite     = "/data/app.sqlite3"
	BackupFolder     = "/srv/files"
	BackupSSHStore   = "/srv/backups" // on vm3
	BackupLocalStore = "backups"      // in the project
)

// BackupOptions say how a project keeps its backups.
type BackupOptions struct {
	S3    *S3    // the service of the store s3; nil for one that does not answer
	Store string // where backups go: local, the default, s3 or ssh
}

// BackupProject writes a project with something to back up of every kind, and
// puts its images into the registry: the service fhirlinebot on vm1 and vm2, made
// of ToolsImage, with an SQLite database in its volume; the accessories db
// (PostgreSQL) on vm1, mysql (MariaDB) on vm2, cache (Redis) on vm1, and files, a
// folder, on vm2. What is backed up is called db, mysql, cache, ledger and files.
// Backups are kept in a local folder, an S3 service or a folder on vm3. The image
// of the only commit is v1.
func (f *Fleet) BackupProject(ctx context.Context, options BackupOptions) (string, error) {
	if err := f.Databases(ctx); err != nil {
		return "", err
	}
	address, err := docker(ctx, "inspect", "--format", fmt.Sprintf("{{(index .NetworkSettings.Networks %q).IPAddress}}", f.name("net")), f.Host("vm1").container())
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(f.dir, "backup-")
	if err != nil {
		return "", err
	}
	if options.Store == "" {
		options.Store = "local"
	}
	if options.S3 == nil {
		options.S3 = &S3{Endpoint: "http://127.0.0.1:1", Bucket: "none", AccessKey: "none", SecretKey: "none"}
	}
	values := map[string]string{
		"REGISTRY": f.Registry(), "POSTGRES_IMAGE": f.Database(PostgresImage), "MARIADB_IMAGE": f.Database(MariaDBImage), "REDIS_IMAGE": f.Database(RedisImage),
		"ARCH": f.arch, "SSH_CONFIG": f.SSHConfig(), "DATABASE": BackupDatabase, "ENDPOINT": options.S3.Endpoint, "BUCKET": options.S3.Bucket, "STORE": options.Store,
	}
	const quoted = "'" + BackupPassword + "'"
	secrets := []string{
		"KAMAL_REGISTRY_PASSWORD=none", "RAILS_MASTER_KEY=0123456789abcdef0123456789abcdef",
		"POSTGRES_PASSWORD=" + quoted, "MARIADB_ROOT_PASSWORD=" + quoted,
		"DATABASE_URL=postgres://postgres:" + urlQuoted(BackupPassword) + "@" + address + ":5432/" + BackupDatabase,
		"S3_ACCESS_KEY=" + options.S3.AccessKey, "S3_SECRET_KEY=" + options.S3.SecretKey,
	}
	for name, content := range map[string]string{
		"config/deploy.yml": os.Expand(backupDeploy, func(name string) string { return values[name] }),
		".kamal/secrets":    strings.Join(secrets, "\n") + "\n",
		".gitignore":        BackupLocalStore + "\n",
		"Dockerfile":        "FROM " + f.Registry() + "/" + ToolsImage + ":v1\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return "", err
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return "", err
		}
	}
	if err := commit(ctx, dir); err != nil {
		return "", err
	}
	revision, err := output(ctx, command{name: "git", args: []string{"rev-parse", "HEAD"}, dir: dir})
	if err != nil {
		return "", err
	}
	return dir, f.retag(ctx, ToolsImage, "v1", revision)
}

// Private

const backupDeploy = `service: fhirlinebot
image: tools
servers:
  web:
    hosts:
      - vm1
      - vm2
env:
  secret:
    - RAILS_MASTER_KEY
    - DATABASE_URL
volumes:
  - app_data:/data
registry:
  server: ${REGISTRY}
  username: root
  password:
    - KAMAL_REGISTRY_PASSWORD
builder:
  arch: ${ARCH}
  driver: docker
proxy:
  healthcheck:
    interval: 1
ssh:
  config:
    - ${SSH_CONFIG}
accessories:
  db:
    image: ${POSTGRES_IMAGE}
    host: vm1
    port: "5432:5432"
    env:
      clear:
        POSTGRES_DB: ${DATABASE}
      secret:
        - POSTGRES_PASSWORD
    volumes:
      - db_data:/var/lib/postgresql/data
  mysql:
    image: ${MARIADB_IMAGE}
    host: vm2
    env:
      clear:
        MARIADB_DATABASE: ${DATABASE}
      secret:
        - MARIADB_ROOT_PASSWORD
    directories:
      - data:/var/lib/mysql
  cache:
    image: ${REDIS_IMAGE}
    host: vm1
    cmd: redis-server --appendonly yes
    volumes:
      - cache_data:/data
  files:
    image: ${REGISTRY}/busybox:1.36
    host: vm2
    cmd: sh -c 'trap exit TERM; while :; do sleep 1; done'
    volumes:
      - files_data:/srv/files
x-binnacle:
  stores:
    local:
      type: local
      path: backups
    s3:
      type: s3
      bucket: ${BUCKET}
      prefix: team
      endpoint: "${ENDPOINT}"
      region: us-east-1
      path_style: true
      access_key: S3_ACCESS_KEY
      secret_key: S3_SECRET_KEY
    ssh:
      type: ssh
      host: vm3
      path: /srv/backups
  backups:
    "*":
      store: ${STORE}
    ledger:
      engine: sqlite
      role: web
      host: vm1
      database: /data/app.sqlite3
    files:
      engine: volume
      database: /srv/files
      pause: true
`

// Helpers

// urlQuoted is a text as a part of a URL, without anything that a shell reads.
func urlQuoted(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

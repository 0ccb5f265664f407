package command_test

import (
	"testing"

	"binnacle/ops/command"
)

const database = `
logging: {driver: local}
accessories:
  db:
    image: private/mysql:8.0
    registry: {server: private.registry, username: u, password: [P]}
    host: 1.1.1.5
    port: 3306
    cmd: --max-connections 5
    labels: {cache: true}
    options: {memory: 1g, restart: always}
    env: {clear: {MYSQL_ROOT_HOST: '%'}, secret: [MYSQL_ROOT_PASSWORD]}
    volumes: [cache:/cache]
    files:
      - config/my.cnf:/etc/mysql/my.cnf:ro
      - {local: config/init.sql, remote: /init.sql, mode: '0640', owner: 'mysql:mysql'}
    directories:
      - data:/var/lib/mysql
      - /srv/backup:/backup
      - {local: logs, remote: /logs, mode: '0750', owner: '999'}
    network: custom
    proxy: {host: db.example.com, app_port: 8080}
`

func TestAccessory(t *testing.T) {
	cfg := parse(t, database)
	db := command.NewAccessory(cfg, cfg.Accessory("db"), "1.1.1.5")
	const (
		env   = `--env MYSQL_ROOT_HOST="%" --env-file .kamal/apps/app/env/accessories/db.env `
		mount = `--volume cache:/cache --volume $PWD/app-db/etc/mysql/my.cnf:/etc/mysql/my.cnf:ro --volume $PWD/app-db/init.sql:/init.sql ` +
			`--volume $PWD/app-db/data:/var/lib/mysql --volume /srv/backup:/backup --volume $PWD/app-db/logs:/logs `
		image = "private.registry/private/mysql:8.0"
	)
	for _, c := range []struct {
		line command.Line
		want string
	}{
		{db.Run(), `docker run --name app-db --detach --restart always --network custom --log-driver "local" --publish 3306:3306 ` +
			`--env KAMAL_HOST="1.1.1.5" ` + env + mount + `--label service="app-db" --label cache="true" --memory "1g" ` + image + " --max-connections 5"},
		{db.Existing(), "docker ps -a -q --filter label=service=app-db"},
		{db.RunningContainerID(), "docker container ls --filter 'name=^app-db$' --quiet"},
		{db.PullImage(), "docker image pull " + image},
		{db.RemoveImage(), "docker image rm --force " + image},
		{db.ProxyRemove(), "docker exec kamal-proxy kamal-proxy remove app-db"},
		{db.ProxyDeploy("9", "c1"), `docker exec kamal-proxy kamal-proxy deploy app-db --target="c1:8080" --host="db.example.com" ` +
			`--deploy-timeout="30s" --drain-timeout="30s" --buffer-requests --buffer-responses ` +
			`--log-request-header="Cache-Control" --log-request-header="Last-Modified" --log-request-header="User-Agent"`},
		{db.ExecNew("mysql -u root", command.ExecOptions{Interactive: true, TTY: true}),
			"docker run -it --rm --network custom " + env + mount + `--memory "1g" ` + image + " mysql -u root"},
		{db.ExecExisting("mysql", command.ExecOptions{Interactive: true}), "docker exec -i app-db mysql"},
	} {
		if got := c.line.String(); got != c.want {
			t.Errorf("\n got %s\nwant %s", got, c.want)
		}
	}
	if refs := db.SecretRefs(); len(refs) != 1 || refs[0].Key != "MYSQL_ROOT_PASSWORD" {
		t.Errorf("secrets: %v", refs)
	}
}

func TestAccessoryFilesAndDirectories(t *testing.T) {
	cfg := parse(t, database)
	db := command.NewAccessory(cfg, cfg.Accessory("db"), "1.1.1.5")
	wantLines(t, db.Directories(),
		"mkdir -p $PWD/app-db/data",
		"mkdir -p /srv/backup",
		"mkdir -p $PWD/app-db/logs", "chmod 0750 $PWD/app-db/logs", "chown 999 $PWD/app-db/logs")
	uploads := db.Uploads()
	if len(uploads) != 2 || uploads[0].Local != "config/my.cnf" || uploads[0].HostPath != "app-db/etc/mysql/my.cnf" {
		t.Fatalf("uploads: %+v", uploads)
	}
	wantLines(t, uploads[0].Before, "mkdir -p app-db/etc/mysql")
	wantLines(t, uploads[0].After, "chmod 755 app-db/etc/mysql/my.cnf")
	wantLines(t, uploads[1].After, "chmod 0640 app-db/init.sql", "chown mysql:mysql app-db/init.sql")
}

// Helpers

func wantLines(t *testing.T, lines []command.Line, want ...string) {
	t.Helper()
	for i := range max(len(lines), len(want)) {
		switch {
		case i >= len(lines):
			t.Errorf("missing %s", want[i])
		case i >= len(want):
			t.Errorf("unexpected %s", lines[i])
		case lines[i].String() != want[i]:
			t.Errorf("got %s, want %s", lines[i], want[i])
		}
	}
}

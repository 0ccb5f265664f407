package command_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"binnacle/config"
	"binnacle/ops/command"
)

func TestAppRun(t *testing.T) {
	const (
		start = `docker run --detach --restart unless-stopped --name app-web-9 --network kamal `
		env   = `--env KAMAL_CONTAINER_NAME="app-web-9" --env KAMAL_VERSION="9" --env KAMAL_HOST="1.1.1.1" `
		file  = `--env-file .kamal/apps/app/env/roles/web.env `
		size  = `--log-opt max-size="10m" `
		label = `--label service="app" --label role="web" --label destination `
		image = `acme/app:9`
	)
	for _, c := range []struct{ name, yaml, want string }{
		{"plain", "", start + env + file + size + label + image},
		{"volumes are raw", "volumes: [$HOME/a:/b, 'c:/d']\n", start + env + file + size + "--volume $HOME/a:/b --volume c:/d " + label + image},
		{"log driver", "logging: {driver: local, options: {max-size: 100m, max-file: 3}}\n",
			start + env + file + `--log-driver "local" --log-opt max-size="100m" --log-opt max-file="3" ` + label + image},
		{"clear env", "env: {clear: {B: x y, EMPTY: '', DEBUG: false}, secret: [S]}\n",
			start + env + `--env B="x y" --env EMPTY --env DEBUG=false ` + file + size + label + image},
		{"assets", "asset_path: /rails/public/assets:ro,z\n",
			start + env + file + size + "--volume $PWD/.kamal/apps/app/assets/volumes/web-9:/rails/public/assets:ro,z " + label + image},
		{"labels", "labels: {a: b c}\n", start + env + file + size + label + `--label a="b c" ` + image},
		{"role", "servers: {web: {hosts: [1.1.1.1], cmd: bin/web -p 80, options: {restart: on-failure, init: true, cpus: 0.5}}}\n",
			strings.Replace(start, "unless-stopped", "on-failure", 1) + env + file + size + label + `--init --cpus "0.5" ` + image + " bin/web -p 80"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := parse(t, c.yaml)
			if got := web(cfg).Run("9", "").String(); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestAppWithDestination(t *testing.T) {
	app := web(parseFor(t, "staging", ""))
	for want, line := range map[string]command.Line{
		`docker run --detach --restart unless-stopped --name app-web-staging-9 --network kamal --hostname 1.1.1.1-abc ` +
			`--env KAMAL_CONTAINER_NAME="app-web-staging-9" --env KAMAL_VERSION="9" --env KAMAL_HOST="1.1.1.1" --env KAMAL_DESTINATION="staging" ` +
			`--env-file .kamal/apps/app-staging/env/roles/web.env --log-opt max-size="10m" ` +
			`--label service="app" --label role="web" --label destination="staging" acme/app:9`: app.Run("9", "abc"),
		"docker tag acme/app:9 acme/app:latest-staging":                                                             app.TagLatest("9"),
		"docker ps --filter label=service=app --filter label=destination=staging --filter label=role=web":           app.Info(),
		"mkdir -p .kamal/apps/app-staging/env/roles":                                                                app.EnsureEnvDirectory(),
		"mkdir -p .kamal/proxy/apps-config/app-staging/tls/web":                                                     app.EnsureTLSDirectory(),
		"mkdir -p .kamal/proxy/apps-config/app-staging/error_pages":                                                 app.EnsureErrorPagesDirectory(),
		"find .kamal/proxy/apps-config/app-staging/error_pages -mindepth 1 -maxdepth 1 ! -name 9 -exec rm -rf {} +": app.CleanUpErrorPages("9"),
		"docker exec kamal-proxy kamal-proxy remove app-web-staging":                                                app.ProxyRemove(),
	} {
		if line.String() != want {
			t.Errorf("\n got %s\nwant %s", line, want)
		}
	}
}

func TestHostname(t *testing.T) {
	cfg := parse(t, "")
	for host, want := range map[string]string{
		"1.1.1.1":                            "1.1.1.1-0123456789ab",
		strings.Repeat("a", 60):              strings.Repeat("a", 51) + "-0123456789ab",
		strings.Repeat("a", 50) + ".example": strings.Repeat("a", 50) + "-0123456789ab",
		"vm.":                                "vm-0123456789ab",
	} {
		if got := command.NewApp(cfg, cfg.Role("web"), host).Hostname("0123456789ab"); got != want {
			t.Errorf("%s: got %s, want %s", host, got, want)
		}
	}
}

func TestStopTimeouts(t *testing.T) {
	cfg := parse(t, "drain_timeout: 12\nservers: {web: [1.1.1.1], job: [1.1.1.2], slow: {hosts: [1.1.1.3], stop_timeout: 99}}\n")
	for role, want := range map[string]string{"web": "docker stop", "job": "docker stop -t 12", "slow": "docker stop -t 99"} {
		app := command.NewApp(cfg, cfg.Role(role), "")
		if got := app.Stop("abc", app.StopTimeout()).String(); got != want+" abc" {
			t.Errorf("%s: %s", role, got)
		}
		if got := app.StopVersion("9").String(); !strings.HasSuffix(got, "| xargs "+want) {
			t.Errorf("%s: %s", role, got)
		}
	}
}

func TestProxyDeploy(t *testing.T) {
	const (
		times   = `--deploy-timeout="30s" --drain-timeout="30s" `
		buffers = `--buffer-requests --buffer-responses `
		headers = `--log-request-header="Cache-Control" --log-request-header="Last-Modified" --log-request-header="User-Agent"`
	)
	for _, c := range []struct{ name, yaml, want string }{
		{"plain", "", `--target="c1:80" ` + times + buffers + headers},
		{"automatic TLS", "proxy: {host: 'a.example.com,b.example.com', ssl: true, ssl_redirect: false, app_port: 3000}\n",
			`--target="c1:3000" --host="a.example.com" --host="b.example.com" --tls ` + times + buffers + `--tls-redirect="false" ` + headers},
		{"own certificate", "proxy: {host: a, ssl: {certificate_pem: CERT, private_key_pem: KEY}}\n",
			`--target="c1:80" --host="a" --tls --tls-certificate-path="/home/kamal-proxy/.apps-config/app/tls/web/cert.pem" ` +
				`--tls-private-key-path="/home/kamal-proxy/.apps-config/app/tls/web/key.pem" ` + times + buffers + headers},
		{"error pages", "error_pages_path: public\n",
			`--target="c1:80" ` + times + buffers + headers + ` --error-pages="/home/kamal-proxy/.apps-config/app/error_pages/9"`},
		{"everything else", `
proxy:
  healthcheck: {interval: 3, timeout: 4, path: /health}
  response_timeout: 10
  buffering: {requests: false, responses: false, memory: 1, max_request_body: 2, max_response_body: 3}
  path_prefixes: [/a, /b]
  strip_path_prefix: false
  forward_headers: true
  logging: {request_headers: [X-A], response_headers: [X-B, X-C]}
`, `--target="c1:80" ` + times + `--health-check-interval="3s" --health-check-timeout="4s" --health-check-path="/health" --target-timeout="10s" ` +
			`--buffer-requests="false" --buffer-responses="false" --buffer-memory="1" --max-request-body="2" --max-response-body="3" ` +
			`--path-prefix="/a" --path-prefix="/b" --strip-path-prefix="false" --forward-headers ` +
			`--log-request-header="X-A" --log-response-header="X-B" --log-response-header="X-C"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := "docker exec kamal-proxy kamal-proxy deploy app-web " + c.want
			if got := web(parse(t, c.yaml)).ProxyDeploy("9", "c1").String(); got != want {
				t.Errorf("\n got %s\nwant %s", got, want)
			}
		})
	}
}

func TestProxyStopMessage(t *testing.T) {
	want := `docker exec kamal-proxy kamal-proxy stop app-web --drain-timeout="5s" --message="back \"soon\""`
	if got := web(parse(t, "")).ProxyStop(5, `back "soon"`).String(); got != want {
		t.Errorf("got %s", got)
	}
}

func TestLogs(t *testing.T) {
	app := web(parse(t, ""))
	for want, o := range map[string]command.LogOptions{
		"sh -c 'echo C137' | xargs docker logs --timestamps 2>&1":                                               {Container: "C137", Timestamps: true},
		"sh -c 'echo C137' | xargs docker logs --since 5m --tail 9 2>&1 | grep 'my-id' -C 2":                    {Container: "C137", Since: "5m", Lines: "9", Grep: "my-id", GrepOptions: "-C 2"},
		"sh -c 'echo C137' | xargs docker logs --tail 10 --follow 2>&1 | grep --line-buffered 'it'\\''s; $(x)'": {Container: "C137", Lines: "10", Follow: true, Grep: "it's; $(x)"},
	} {
		if got := app.Logs(o).String(); got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
	}
	proxy := command.NewProxy(parse(t, ""), "1.1.1.1")
	want := "docker logs kamal-proxy --timestamps --tail 10 --follow 2>&1"
	if got := proxy.Logs(command.LogOptions{Timestamps: true, Follow: true}).String(); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

// Both containers of a deploy must find the assets of both versions, and what
// was there before must not change.
func TestAssetsAreBridged(t *testing.T) {
	app, home := web(parse(t, "asset_path: /assets\n")), t.TempDir()
	assets := filepath.Join(home, ".kamal/apps/app/assets")
	write(t, filepath.Join(assets, "extracted/web-1/common.css"), "old")
	write(t, filepath.Join(assets, "extracted/web-1/app-1.css"), "1")
	write(t, filepath.Join(assets, "extracted/job-1/keep"), "other role")
	run(t, home, app.SyncAssetVolumes("1", ""))
	write(t, filepath.Join(assets, "extracted/web-2/common.css"), "new")
	write(t, filepath.Join(assets, "extracted/web-2/app-2.css"), "2")
	run(t, home, app.SyncAssetVolumes("2", "1"))

	for file, want := range map[string]string{
		"volumes/web-1/common.css": "old", "volumes/web-1/app-1.css": "1", "volumes/web-1/app-2.css": "2",
		"volumes/web-2/common.css": "new", "volumes/web-2/app-1.css": "1", "volumes/web-2/app-2.css": "2",
	} {
		if got, err := os.ReadFile(filepath.Join(assets, file)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v; want %q", file, got, err, want)
		}
	}
	run(t, home, app.CleanUpAssets("2"))
	left, _ := filepath.Glob(filepath.Join(assets, "*", "*"))
	if got := len(left); got != 3 {
		t.Errorf("left after the clean-up: %v", left)
	}
}

// Helpers

const base = `
service: app
image: acme/app
servers: [1.1.1.1]
registry: {username: acme, password: [REGISTRY_PASSWORD]}
builder: {arch: amd64}
`

func parse(t *testing.T, yaml string) *config.Config {
	t.Helper()
	return parseFor(t, "", yaml)
}

// parseFor reads the base with other keys in place of its own.
func parseFor(t *testing.T, destination, yaml string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "deploy.yml"), merged(yaml))
	if destination != "" {
		write(t, filepath.Join(dir, "deploy."+destination+".yml"), "x-empty: true\n")
	}
	cfg, _, err := config.Load(t.Context(), config.Options{
		File: filepath.Join(dir, "deploy.yml"), Dir: dir, Destination: destination, Arch: "amd64",
		Env: func(string) (string, bool) { return "", false },
	})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// merged replaces the base's lines for keys that the other text has.
func merged(yaml string) string {
	var b strings.Builder
	for line := range strings.Lines(base) {
		key, _, _ := strings.Cut(line, ":")
		if !strings.Contains("\n"+yaml, "\n"+key+":") {
			b.WriteString(line)
		}
	}
	return b.String() + yaml
}

func web(cfg *config.Config) command.App { return command.NewApp(cfg, cfg.Role("web"), "1.1.1.1") }

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

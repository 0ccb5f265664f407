package config

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"binnacle/config/secret"
)

const richFile = `
service: shop
image: shop
servers:
  web:
    hosts:
      - vm1: [ eu ]
      - vm2: [ eu, big ]
    labels:
      team: storefront
    options:
      memory: 256m
      cpus: 0.5
      init: true
      restart: "no"
      ulimit: [ "nofile=1024:2048", "nproc=512" ]
    env:
      clear:
        WEB_CONCURRENCY: 2
  job:
    hosts:
      - vm3
    cmd: /app work
    stop_timeout: 5
    env:
      secret:
        - JOB_TOKEN
env:
  clear:
    LOG: true
    RATE: 1.10
    WEB_CONCURRENCY: 1
  secret:
    - RAILS_MASTER_KEY
    - DATABASE_URL:DB_URL
  tags:
    eu:
      REGION: eu
    big:
      clear:
        WEB_CONCURRENCY: 8
      secret:
        - DATABASE_URL:BIG_URL
volumes:
  - "storage:/rails/storage"
labels:
  owner: ops
asset_path: /public/assets:ro
retain_containers: 2
drain_timeout: 10
logging:
  driver: json-file
  options:
    max-size: 5m
boot:
  limit: 50%
  wait: 1
registry:
  server: registry:5000
  username: root
  password:
    - REGISTRY_PASSWORD
builder:
  arch: amd64
proxy:
  hosts:
    - shop.example.com
    - www.shop.example.com
  app_port: 3000
  response_timeout: 20
  healthcheck:
    path: /up
    interval: 1
  buffering:
    responses: false
    max_request_body: 1_000_000
  run:
    http_port: 8080
ssh:
  user: deploy
accessories:
  cache:
    image: redis:7
    roles: [ web ]
    port: 6379
    files:
      - config/cache.conf:/etc/cache.conf
      - local: config/b.conf.erb
        remote: /etc/b.conf
        mode: "0600"
        owner: "1:1"
        options: ro
    directories:
      - data:/data
      - /abs:/abs:z
    options:
      restart: always
  admin:
    service: shop-admin
    image: registry:5000/shop:v1
    host: vm4
    proxy:
      host: admin.example.com
      run: { http_port: 8080 }
aliases:
  console: app exec -i "bin/rails console"
x-binnacle:
  backups: { "*": { schedule: 0 2 * * * } }
`

func loadText(t testing.TB, text string, options Options) *Config {
	t.Helper()
	options.Strict = true
	c, _, err := Load(context.Background(), testProject(t, text, options))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestQuestions(t *testing.T) {
	c := loadText(t, richFile, Options{Version: "v1"})
	web, job := c.Role("web"), c.Role("job")
	cache, admin := c.Accessory("cache"), c.Accessory("admin")
	version, err := c.Version()
	if err != nil || version != "v1" {
		t.Errorf("version %q, %v", version, err)
	}
	for _, question := range []struct{ name, got, want string }{
		{"repository", c.ImageRepository(), "registry:5000/shop"},
		{"image", c.AbsoluteImage("v1"), "registry:5000/shop:v1"},
		{"latest", c.LatestImage(), "registry:5000/shop:latest"},
		{"roles", strings.Join(roleNames(c.Roles()), " "), "job web"},
		{"primary host", c.PrimaryHost(), "vm1"},
		{"all hosts", strings.Join(c.AllHosts(), " "), "vm3 vm1 vm2 vm4"},
		{"proxy hosts", strings.Join(c.ProxyHosts(), " "), "vm1 vm2 vm4"},
		{"container", web.ContainerName("v1"), "shop-web-v1"},
		{"labels", printPairs(web.Labels()), "service=shop role=web destination= owner=ops team=storefront"},
		{"options", printPairs(web.Options()), `memory=256m cpus=0.5 init=true ulimit=["nofile=1024:2048", "nproc=512"]`},
		{"restart", web.Restart() + " " + job.Restart() + " " + cache.Restart(), "no unless-stopped always"},
		{"env vm1", printPairs(web.Env("vm1").Clear), "LOG=true RATE=1.1 WEB_CONCURRENCY=2 REGION=eu"},
		{"env vm2", printPairs(web.Env("vm2").Clear), "LOG=true RATE=1.1 WEB_CONCURRENCY=8 REGION=eu"},
		{"secrets vm1", printRefs(web.Env("vm1").Secrets), "RAILS_MASTER_KEY=RAILS_MASTER_KEY DATABASE_URL=DB_URL"},
		{"secrets vm2", printRefs(web.Env("vm2").Secrets), "RAILS_MASTER_KEY=RAILS_MASTER_KEY DATABASE_URL=BIG_URL"},
		{"secrets job", printRefs(job.Env("vm3").Secrets), "RAILS_MASTER_KEY=RAILS_MASTER_KEY DATABASE_URL=DB_URL JOB_TOKEN=JOB_TOKEN"},
		{"env file", web.EnvFile(), ".kamal/apps/shop/env/roles/web.env"},
		{"assets", web.AssetPath() + " " + web.AssetPathOptions() + " " + web.AssetVolumeDirectory("v1"), "/public/assets ro .kamal/apps/shop/assets/volumes/web-v1"},
		{"port", cache.Port(), "6379:6379"},
		{"service", cache.ServiceName() + " " + admin.ServiceName(), "shop-cache shop-admin"},
		{"accessory hosts", strings.Join(cache.Hosts(), " "), "vm1 vm2"},
		{"proxy image", c.ProxyRun("vm1").Image(), "basecamp/kamal-proxy:v0.9.2"},
		{"hooks", c.HooksPath() + " " + c.SecretsPath(), ".kamal/hooks .kamal/secrets"},
		{"alias", printPairs(c.Aliases()), `console=app exec -i "bin/rails console"`},
	} {
		if question.got != question.want {
			t.Errorf("%s: %q, want %q", question.name, question.got, question.want)
		}
	}
	if job.Proxied() || !web.Proxied() || !web.Assets() || job.Assets() {
		t.Error("who is proxied is wrong")
	}
	if web.DockerStopTimeout() != nil || *job.DockerStopTimeout() != 5 || c.Boot().Limit() != 2 {
		t.Error("timeouts or boot limit are wrong")
	}
	if ssh := c.SSH(); ssh.User != (Setting[string]{"deploy", true}) || ssh.Port.Set || ssh.Port.Or(22) != 22 {
		t.Errorf("ssh %+v", ssh)
	}
	if c.ProxyRun("vm3") != nil {
		t.Error("the proxy's run is wrong")
	}
}

func TestDeployOptions(t *testing.T) {
	c := loadText(t, richFile, Options{Version: "v1"})
	want := `host=["shop.example.com", "www.shop.example.com"] deploy-timeout=30s drain-timeout=10s health-check-interval=1s ` +
		`health-check-path=/up target-timeout=20s buffer-requests=true buffer-responses=false max-request-body=1000000 ` +
		`path-prefix=[] log-request-header=["Cache-Control", "Last-Modified", "User-Agent"]`
	if got := printPairs(c.Role("web").Proxy().DeployOptions("v1")); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestMounts(t *testing.T) {
	c := loadText(t, richFile, Options{})
	want := []Mount{
		{Local: "config/cache.conf", HostPath: "shop-cache/etc/cache.conf", ContainerPath: "/etc/cache.conf", Mode: "755"},
		{Local: "config/b.conf.erb", HostPath: "shop-cache/etc/b.conf", ContainerPath: "/etc/b.conf", Options: "ro", Mode: "0600", Owner: "1:1", Template: true},
	}
	if got := c.Accessory("cache").Files(); !slices.Equal(got, want) {
		t.Errorf("files %+v, want %+v", got, want)
	}
	dirs := []Mount{
		{Local: "data", HostPath: "shop-cache/data", ContainerPath: "/data"},
		{Local: "/abs", HostPath: "/abs", ContainerPath: "/abs", Options: "z"},
	}
	if got := c.Accessory("cache").Directories(); !slices.Equal(got, dirs) {
		t.Errorf("directories %+v, want %+v", got, dirs)
	}
}

func TestDestination(t *testing.T) {
	options := testProject(t, richFile, Options{Destination: "staging", Strict: true})
	writeFile(t, filepath.Join(options.Dir, "config", "deploy.staging.yml"), `
servers:
  web: [ s1 ]
env:
  clear: { LOG: "no" }
volumes: []
image: <%= ENV["KAMAL_DESTINATION"] %>-shop
x-binnacle: { stores: { nas: { type: ssh, host: nas, path: b } } }
`)
	c, _, err := Load(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	web := c.Role("web")
	for _, question := range []struct{ name, got, want string }{
		{"hosts", strings.Join(c.AllHosts(), " "), "vm3 s1 vm4"},
		{"container", web.ContainerName("v"), "shop-web-staging-v"},
		{"latest", c.LatestImage(), "registry:5000/staging-shop:latest-staging"},
		{"env", printPairs(web.Env("s1").Clear), "LOG=no RATE=1.1 WEB_CONCURRENCY=1"},
		{"volumes", strings.Join(c.Volumes(), " "), ""},
		{"label", printPairs(web.Labels()), "service=shop role=web destination=staging owner=ops"},
		{"folder", c.AppDirectory(), ".kamal/apps/shop-staging"},
	} {
		if question.got != question.want {
			t.Errorf("%s: %q, want %q", question.name, question.got, question.want)
		}
	}
	if got := c.Stores(); len(got) != 1 || got[0].Name != "nas" || len(c.Backups()) != 2 || c.Backups()[0].Store.Name != "nas" || c.Backups()[0].Schedule == "" {
		t.Errorf("stores %+v, backups %+v, want both files' keys of x-binnacle", got, c.Backups())
	}
	options.Destination = "absent"
	if _, _, err := Load(t.Context(), options); err == nil || !strings.Contains(err.Error(), "Configuration file not found in "+options.Dir) {
		t.Errorf("error %v, want the missing file", err)
	}
}

func TestMerge(t *testing.T) {
	tests := []struct{ name, base, over, want string }{
		{"maps", "a: {b: 1, c: 2}", "a: {c: 3, d: 4}", `{"a"=>{"b"=>1, "c"=>3, "d"=>4}}`},
		{"lists replace", "a: [1, 2]", "a: [3]", `{"a"=>[3]}`},
		{"null replaces", "a: {b: 1}", "a:", `{"a"=>nil}`},
		{"null in depth", "a: {b: 1}", "a: {b: ~}", `{"a"=>{"b"=>nil}}`},
		{"map over scalar", "a: 1", "a: {b: 1}", `{"a"=>{"b"=>1}}`},
		{"scalar over map", "a: {b: 1}", "a: x", `{"a"=>"x"}`},
		{"order", "b: 1\na: 2", "c: 3\na: 4", `{"b"=>1, "a"=>4, "c"=>3}`},
		{"boolean keys", "on: 1", "yes: 2", `{true=>2}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			base, over := source{rendered: test.base, path: "b"}, source{rendered: test.over, path: "o"}
			if err := errors.Join(base.parse(), over.parse()); err != nil {
				t.Fatal(err)
			}
			if got := deepMerge(base.tree, over.tree).inspect(); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestAliasesAndMergeKeys(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"alias", "a: &x {b: 1}\nc: *x", `{"a"=>{"b"=>1}, "c"=>{"b"=>1}}`},
		{"merge key", "a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}", `{"a"=>{"b"=>1, "c"=>2}, "d"=>{"b"=>1, "c"=>3}}`},
		{"merge key behind", "a: &x {c: 2}\nd: {c: 3, <<: *x}", `{"a"=>{"c"=>2}, "d"=>{"c"=>2}}`},
		{"list of merges", "a: &x {k: 1}\nb: &y {k: 2, l: 3}\nc: {<<: [*x, *y]}", `{"a"=>{"k"=>1}, "b"=>{"k"=>2, "l"=>3}, "c"=>{"k"=>1, "l"=>3}}`},
		{"repeated key", "a: 1\nb: 2\na: 3", `{"a"=>3, "b"=>2}`},
		{"literal", "a: |\n  yes\nb: >\n  no", `{"a"=>"yes\n", "b"=>"no"}`},
		{"tag", "a: !!str 1\nb: !!int '2'\nc: !foo \"yes\"", `{"a"=>"1", "b"=>2, "c"=>true}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := source{rendered: test.text}
			if err := s.parse(); err != nil {
				t.Fatal(err)
			}
			if got := s.tree.inspect(); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
	for _, broken := range []string{"a: &x [*x]", "a: &a [1,1,1,1,1,1,1,1,1]\n" + bomb()} {
		s := source{rendered: broken}
		if err := s.parse(); err == nil {
			t.Errorf("%.30q: no error", broken)
		}
	}
}

func bomb() string {
	var b strings.Builder
	previous := "a"
	for _, name := range []string{"b", "c", "d", "e", "f", "g", "h"} {
		b.WriteString(name + ": &" + name + " [" + strings.TrimSuffix(strings.Repeat("*"+previous+",", 9), ",") + "]\n")
		previous = name
	}
	return b.String()
}

func TestVersion(t *testing.T) {
	git := func(dirty bool) func() (Git, error) {
		return func() (Git, error) { return Git{Revision: "abc123", Dirty: dirty}, nil }
	}
	withContext := strings.Replace(richFile, "  arch: amd64", "  arch: amd64\n  context: .", 1)
	env := func(value string) func(string) (string, bool) {
		return func(name string) (string, bool) { return value, name == "VERSION" }
	}
	random := bytes.NewReader([]byte{1, 2, 3, 4, 5, 6, 7, 8})
	tests := []struct {
		name, text string
		options    Options
		want       string
	}{
		{"asked for", richFile, Options{Version: "v9", Env: env("v8")}, "v9"},
		{"blank is not asked for", richFile, Options{Version: " ", Env: env("v8")}, "v8"},
		{"empty environment counts", richFile, Options{Env: env(""), Git: git(false)}, ""},
		{"git", richFile, Options{Git: git(false)}, "abc123"},
		{"dirty clone", richFile, Options{Git: git(true)}, "abc123"},
		{"dirty context", withContext, Options{Git: git(true), Random: random}, "abc123_uncommitted_0102030405060708"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := loadText(t, test.text, test.options)
			for range 2 {
				if got, err := c.Version(); err != nil || got != test.want {
					t.Errorf("got %q, %v, want %q", got, err, test.want)
				}
			}
		})
	}
	if _, err := loadText(t, richFile, Options{}).Version(); err == nil || !strings.Contains(err.Error(), "no git repository found in ") {
		t.Errorf("error %v, want the missing repository", err)
	}
	c := loadText(t, richFile, Options{Version: "a"}).WithVersion("b")
	if got, _ := c.Version(); got != "b" || c.Role("web").config != c || c.Role("web").proxy.config != c {
		t.Errorf("WithVersion: %q", got)
	}
	if AbbreviatedVersion("0123456789") != "0123456" || AbbreviatedVersion("abc_uncommitted_1") != "abc_uncommitted_1" || AbbreviatedVersion("v1") != "v1" {
		t.Error("AbbreviatedVersion is wrong")
	}
}

func TestRegistryPasswordInTheFileIsASecret(t *testing.T) {
	text := strings.Replace(richFile, "  password:\n    - REGISTRY_PASSWORD", "  password: <%= `echo pass-from-tool` %>", 1)
	redactor := &secret.Redactor{}
	c := loadText(t, text, Options{Version: "v1", Redactor: redactor, Run: shell})
	if got := redactor.Redact("pass-from-tool"); got != secret.Redacted {
		t.Errorf("shown as %s", got)
	}
	password, err := c.Registry().Password.Resolve(t.Context(), c.Secrets())
	if err != nil || password.Reveal() != "pass-from-tool" {
		t.Errorf("password %q, %v", password.Reveal(), err)
	}
}

func TestSecretsOfARole(t *testing.T) {
	options := testProject(t, richFile, Options{Strict: true})
	writeFile(t, filepath.Join(options.Dir, ".kamal", "secrets"), "RAILS_MASTER_KEY=key-key\nDB_URL=db-url\nBIG_URL=big-url\n")
	c, _, err := Load(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := c.Role("web").Env("vm2").Resolve(t.Context(), c.Secrets())
	if err != nil || len(entries) != 2 || entries[1].Name != "DATABASE_URL" || entries[1].Value.Reveal() != "big-url" {
		t.Errorf("entries %v, %v", entries, err)
	}
	if _, err := c.Role("job").Env("vm3").Resolve(t.Context(), c.Secrets()); !errors.Is(err, secret.ErrNotFound) {
		t.Errorf("error %v, want the missing JOB_TOKEN", err)
	}
}

func TestRenderFile(t *testing.T) {
	text := strings.Replace(richFile, "    port: 6379\n", "    port: 6379\n    env: {clear: {SIZE: 10}, secret: [TOKEN]}\n", 1)
	options := testProject(t, text, Options{Strict: true})
	writeFile(t, filepath.Join(options.Dir, "config", "b.conf.erb"), "size <%= ENV[\"SIZE\"] %>\ntoken <%= ENV[\"TOKEN\"] %>\n")
	writeFile(t, filepath.Join(options.Dir, ".kamal", "secrets"), "TOKEN=the-token\n")
	c, _, err := Load(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	cache := c.Accessory("cache")
	got, err := cache.RenderFile(t.Context(), cache.Files()[1])
	if err != nil || string(got) != "size 10\ntoken the-token\n" {
		t.Errorf("rendered %q, %v", got, err)
	}
	if _, set := c.environment.get("TOKEN"); set {
		t.Error("the accessory's environment leaked into the configuration's")
	}
}

func TestLoadIsFast(t *testing.T) {
	options := testProject(t, richFile, Options{})
	start := time.Now()
	if _, _, err := Load(t.Context(), options); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("took %s", took)
	}
}

func printPairs(pairs Pairs) string {
	parts := make([]string, len(pairs))
	for i, pair := range pairs {
		parts[i] = pair.Name + "=" + pair.Value.String()
	}
	return strings.Join(parts, " ")
}

func printRefs(refs []SecretRef) string {
	parts := make([]string, len(refs))
	for i, ref := range refs {
		parts[i] = ref.Name + "=" + ref.Key
	}
	return strings.Join(parts, " ")
}

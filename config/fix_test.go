package config

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const modernHead = `service: app
image: acme/app
registry: {username: u, password: [P]}
`

// TestFixRewritesInPlace gives the part of the file that follows modernHead,
// before and after.
func TestFixRewritesInPlace(t *testing.T) {
	tests := []struct{ name, before, after string }{
		{"nothing to do", "servers: [h1]\nbuilder: {arch: amd64}\n", "servers: [h1]\nbuilder: {arch: amd64}\n"},
		{"rename keeps comments",
			"servers: [h1]\nbuilder: {arch: amd64}\nproxy:\n  # the name\n  app_host: a.com # public\n  ssl: true\n",
			"servers: [h1]\nbuilder: {arch: amd64}\nproxy:\n  # the name\n  host: a.com # public\n  ssl: true\n"},
		{"in braces",
			"servers: [h1]\nbuilder: { remote: docker, arch: amd64 }\nproxy: { app_host: a.com, response_timeout: 30s } # p\n",
			"servers: [h1]\nbuilder: { driver: docker, arch: amd64 }\nproxy: { host: a.com, response_timeout: 30 } # p\n"},
		{"user moves to ssh",
			"servers:\n  web:\n    hosts: [h1]\n    user: deploy # not root\nbuilder: {arch: amd64}\n",
			"servers:\n  web:\n    hosts: [h1]\nbuilder: {arch: amd64}\n\nssh:\n  user: deploy # not root\n"},
		{"user joins ssh",
			"ssh:\n    port: 2222\nservers:\n    web:\n        user: deploy\n        hosts: [h1]\nbuilder: {arch: amd64}\n",
			"ssh:\n    port: 2222\n    user: deploy\nservers:\n    web:\n        hosts: [h1]\nbuilder: {arch: amd64}\n"},
		{"user joins ssh in braces",
			"ssh: { port: 2222 }\nservers: { web: { hosts: [h1], user: deploy } }\nbuilder: {arch: amd64}\n",
			"ssh: { port: 2222, user: deploy }\nservers: { web: { hosts: [h1] } }\nbuilder: {arch: amd64}\n"},
		{"health check moves below the proxy",
			"servers: [h1]\nbuilder: {arch: amd64}\nproxy:\n  host: a.com\n\n# check\nhealthcheck:\n  path: /up # here\n  interval: 30s\n  max_attempts: 7\n  port: 3000\n",
			"servers: [h1]\nbuilder: {arch: amd64}\nproxy:\n  host: a.com\n  app_port: 3000\n  healthcheck:\n    path: /up # here\n    interval: 30\n\n# check\n"},
		{"health check makes the proxy",
			"servers: [h1]\n# check\nhealthcheck:\n  path: /up\nbuilder: {arch: amd64}\n",
			"servers: [h1]\n# check\nproxy:\n  healthcheck:\n    path: /up\nbuilder: {arch: amd64}\n"},
		{"flags become a map",
			"servers: [h1]\nbuilder: {arch: amd64}\naccessories:\n  db:\n    image: x\n    host: h\n    options: --health-cmd 'pg_isready -U postgres' --init -p 80:80 -p 81:81 --memory=1g # flags\n    cmd: run\n",
			"servers: [h1]\nbuilder: {arch: amd64}\naccessories:\n  db:\n    image: x\n    host: h\n    options: # flags\n      health-cmd: pg_isready -U postgres\n      init: true\n      publish:\n        - 80:80\n        - 81:81\n      memory: 1g\n    cmd: run\n"},
		{"folded flags",
			"servers: [h1]\nbuilder: {arch: amd64}\naccessories:\n  db:\n    image: x\n    options: >-\n      --cpus 2\n      --memory 1g\n    host: h\n",
			"servers: [h1]\nbuilder: {arch: amd64}\naccessories:\n  db:\n    image: x\n    options:\n      cpus: 2\n      memory: 1g\n    host: h\n"},
		{"lists of one",
			"servers: h1\nbuilder: {arch: amd64}\nvolumes: data:/data\nenv:\n  secret: KEY # one\n",
			"servers:\n  - h1\nbuilder: {arch: amd64}\nvolumes:\n  - data:/data\nenv:\n  secret: # one\n    - KEY\n"},
		{"assignments",
			"servers: [h1]\nbuilder:\n  arch: amd64\n  args:\n    - A=1\n    - B=two words\nenv:\n  clear:\n  - X=y\n",
			"servers: [h1]\nbuilder:\n  arch: amd64\n  args:\n    A: \"1\"\n    B: two words\nenv:\n  clear:\n    X: \"y\"\n"},
		{"Kamal 1",
			"servers:\n  web:\n    hosts: [h1]\n    traefik: true\n  job:\n    hosts: [h2]\n    cmd: [bin/jobs, 'a b']\nbuilder:\n  multiarch: true\nstop_wait_time: 20\ntraefik:\n  options:\n    publish:\n      - 443:443\n# end\n",
			"servers:\n  web:\n    hosts: [h1]\n    proxy: true\n  job:\n    hosts: [h2]\n    cmd: bin/jobs 'a b'\nbuilder:\n  arch:\n    - amd64\n    - arm64\ndrain_timeout: 20\n# end\n"},
		{"Kamal 1 builder",
			"servers: [h1]\nbuilder:\n  local:\n    arch: arm64\n  remote:\n    arch: amd64\n    host: ssh://b\n",
			"servers: [h1]\nbuilder:\n  remote: ssh://b\n  arch:\n    - arm64\n    - amd64\n"},
		{"proxy options",
			"servers: [h1]\nbuilder: {arch: amd64}\nproxy:\n  host: a.com\n  ssl_redirect_status_code: 301 # moved\n  options:\n    log: true\n    debug: true\n    memory: 1g\n  buffering: false\n",
			"servers: [h1]\nbuilder: {arch: amd64}\nproxy:\n  host: a.com\n  ssl_redirect: true # moved\n  buffering:\n    requests: false\n    responses: false\n  logging:\n    request_headers:\n      - Cache-Control\n      - Last-Modified\n      - User-Agent\n  run:\n    debug: true\n    options:\n      memory: 1g\n"},
		{"role spellings",
			"servers:\n  web:\n    host: h1\n    options: --cpus 2\n    volumes:\n      - a:/a # a\n    labels: [ x=1 ]\nbuilder: {arch: amd64}\n",
			"servers:\n  web:\n    hosts:\n      - h1\n    options:\n      cpus: 2\n      volume:\n        - a:/a # a\n    labels:\n      x: \"1\"\nbuilder: {arch: amd64}\n"},
		{"empty sections",
			"servers: [h1]\nssh:\nbuilder: {arch: amd64}\nenv: # later\nproxy: true\n",
			"servers: [h1]\nbuilder: {arch: amd64}\n"},
		{"accessory spellings",
			"servers: [h1]\nbuilder: {arch: amd64}\naccessories:\n  a: { image: x, host: [h1, h2], ports: [80] }\n  b:\n    image: x\n    roles: web\n    volumes: v:/v\n",
			"servers: [h1]\nbuilder: {arch: amd64}\naccessories:\n  a: { image: x, hosts: [h1, h2], port: \"80\" }\n  b:\n    image: x\n    role: web\n    volumes:\n      - v:/v\n"},
		{"templates stay",
			"servers:\n<% if true -%>\n  web:\n    user: <%= ENV[\"USER_NAME\"] || \"me\" %>\n    hosts:\n      - <%= \"h1\" %>\n<% end -%>\nbuilder: {arch: amd64} # <%= 1 %>\nproxy:\n  app_host: <%= \"a.com\" %>\n",
			"servers:\n<% if true -%>\n  web:\n    hosts:\n      - <%= \"h1\" %>\n<% end -%>\nbuilder: {arch: amd64} # <%= 1 %>\nproxy:\n  host: <%= \"a.com\" %>\n\nssh:\n  user: <%= ENV[\"USER_NAME\"] || \"me\" %>\n"},
		{"no line break at the end",
			"servers: {web: {hosts: [h1], user: u}}\nbuilder: {arch: amd64}\nproxy: {app_host: a.com}",
			"servers: {web: {hosts: [h1]}}\nbuilder: {arch: amd64}\nproxy: {host: a.com}\n\nssh:\n  user: u\n"},
		{"line breaks of Windows",
			"servers: [h1]\r\nbuilder: {arch: amd64}\r\nproxy:\r\n  app_host: a.com # x\r\n  response_timeout: 30s\r\n",
			"servers: [h1]\r\nbuilder: {arch: amd64}\r\nproxy:\r\n  host: a.com # x\r\n  response_timeout: 30\r\n"},
		{"anchors",
			"servers: [h1]\nbuilder: {arch: amd64}\nx-env: &env\n  A: b\nproxy: &p\n  app_host: a.com\nenv:\n  clear:\n    <<: *env\n    C: d\n",
			"servers: [h1]\nbuilder: {arch: amd64}\nx-env: &env\n  A: b\nproxy: &p\n  host: a.com\nenv:\n  clear:\n    <<: *env\n    C: d\n"},
		{"other scripts",
			"servers: [h1] # größe 東京\nbuilder: {arch: amd64}\nproxy: {path_prefix: /é, app_host: a.com} # é\n",
			"servers: [h1] # größe 東京\nbuilder: {arch: amd64}\nproxy: {path_prefix: /é, host: a.com} # é\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			options := testProject(t, modernHead+test.before, Options{})
			fixed, err := Fix(t.Context(), options)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.TrimPrefix(strings.ReplaceAll(fixed.Files[0].After, "\r\n", "\n"), modernHead)
			if strings.Contains(test.after, "\r\n") {
				got = strings.ReplaceAll(got, "\n", "\r\n")
			}
			if got != test.after {
				t.Errorf("got\n%s\nwant\n%s", got, test.after)
			}
			if len(fixed.ByHand)+len(fixed.Decisions) > 0 {
				t.Errorf("left: %v %v", fixed.ByHand, fixed.Decisions)
			}
			if fixed.Changed() != (test.before != test.after) || fixed.Changed() != (len(fixed.Changes) > 0) {
				t.Errorf("changed %v, changes %v", fixed.Changed(), fixed.Changes)
			}
			writeFile(t, fixed.Files[0].Path, fixed.Files[0].After)
			options.Strict = true
			if _, _, err := Load(t.Context(), options); err != nil {
				t.Errorf("strict refuses the result: %v", err)
			}
		})
	}
}

func TestFixLeavesWhatATemplateWrites(t *testing.T) {
	options := testProject(t, modernHead+"servers: [h1]\nbuilder: {arch: amd64}\n<%= \"proxy:\\n  app_host: a.com\" %>\n", Options{})
	fixed, err := Fix(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	if len(fixed.ByHand) != 1 || fixed.ByHand[0].Path != "proxy/app_host" || fixed.ByHand[0].Modern != "host: a.com" || fixed.ByHand[0].Line != 6 {
		t.Errorf("by hand %+v", fixed.ByHand)
	}
	if fixed.Changed() {
		t.Errorf("changed to %s", fixed.Files[0].After)
	}
}

func TestDecisions(t *testing.T) {
	text := modernHead + "servers:\n  - h1: tag # first\n  - h2\nproxy:\n  ssl: true # tls\n  host: a.com\n"
	fixed, err := Fix(t.Context(), testProject(t, text, Options{Arch: "arm64"}))
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, d := range fixed.Decisions {
		if d.Question == "" || d.Line == 0 {
			t.Errorf("incomplete decision %+v", d)
		}
		for _, choice := range d.Choices {
			ids = append(ids, d.ID+"="+choice.ID)
		}
	}
	want := []string{"builder-arch=arm64", "builder-arch=amd64", "builder-arch=both",
		"ssl-hosts/web=load-balancer", "ssl-hosts/web=one-host", "ssl-hosts/web=own-certificate"}
	if !slices.Equal(ids, want) {
		t.Fatalf("choices %q, want %q", ids, want)
	}
	for choice, after := range []string{
		"servers:\n  - h1: tag # first\n  - h2\nproxy:\n  ssl: false # tls\n  host: a.com\n  forward_headers: true\n\nbuilder:\n  arch: arm64\n",
		"servers:\n  - { h1: tag }\nproxy:\n  ssl: true # tls\n  host: a.com\n\nbuilder:\n  arch: arm64\n",
		"servers:\n  - h1: tag # first\n  - h2\nproxy:\n  ssl: # tls\n    certificate_pem: CERTIFICATE_PEM\n    private_key_pem: PRIVATE_KEY_PEM\n  host: a.com\n\nbuilder:\n  arch: arm64\n",
	} {
		once, err := fixed.Decide(t.Context(), 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		twice, err := once.Decide(t.Context(), 0, choice)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimPrefix(twice.Files[0].After, modernHead); got != after || len(twice.Decisions) != 0 {
			t.Errorf("choice %d: %v\n%s\nwant\n%s", choice, twice.Decisions, got, after)
		}
	}
	if _, err := fixed.Decide(t.Context(), 9, 0); err == nil {
		t.Error("a decision that is not there was taken")
	}
}

func TestDecisionsStayOpenInTheMergedFile(t *testing.T) {
	text := modernHead + "servers: [h1, h2]\nproxy: {ssl: true, host: a.com}\n"
	c, warnings, err := Load(t.Context(), testProject(t, text, Options{Arch: "arm64"}))
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) != 2 || !warnings[0].Decision || !warnings[1].Decision || !slices.Equal(c.Builder().Arches, []string{"arm64"}) {
		t.Errorf("warnings %v, arches %v", warnings, c.Builder().Arches)
	}
}

func TestStrictHintsAtTheModernSpelling(t *testing.T) {
	text := modernHead + "servers: [h1]\nbuilder: {arch: amd64}\nproxy:\n  app_host: a.com\n  ssl_redirect_status_code: 307\n  helthcheck: {}\nvolumes: a:/a\n"
	_, _, err := Load(t.Context(), testProject(t, text, Options{Strict: true}))
	problems := problemsOf(t, err)
	if len(problems) != 2 {
		t.Fatalf("error %v, want two problems", err)
	}
	for i, want := range [][]string{
		{"should be an array", "volumes", "`binnacle config --fix` does it"},
		{"unknown keys: app_host, ssl_redirect_status_code, helthcheck", "host: a.com", "ssl_redirect: true", "did you mean healthcheck?"},
	} {
		for _, part := range want {
			if !strings.Contains(problems[i].Error(), part) {
				t.Errorf("%s: no %q", problems[i], part)
			}
		}
	}
}

func TestStrictHintsNameTheDestination(t *testing.T) {
	options := testProject(t, modernHead+"servers: [h1]\nbuilder: {arch: amd64}\n", Options{Strict: true, Destination: "staging"})
	writeFile(t, filepath.Join(options.Dir, "config", "deploy.staging.yml"), "volumes: a:/a\n")
	_, _, err := Load(t.Context(), options)
	if got := problemsOf(t, err)[0].Error(); !strings.Contains(got, "`binnacle -d staging config --fix` does it") {
		t.Errorf("says %s", got)
	}
}

func TestAllProblemsAreReported(t *testing.T) {
	text := "service: 'a b'\nimage: x\nservers:\n  web: [h1]\n  job: {hosts: [], cmd: [1]}\nbuilder: {}\nregistry: {username: u}\nboot: {wait: x}\nretain_containers: 0\n"
	_, _, err := Load(t.Context(), testProject(t, text, Options{Strict: true}))
	problems := problemsOf(t, err)
	var got []string
	for _, p := range problems {
		got = append(got, p.Kamal())
		if p.Line == 0 || p.Column == 0 {
			t.Errorf("no place: %s", p)
		}
	}
	want := []string{
		"servers/job/cmd: should be a string",
		"registry/password: is required",
		"boot/wait: should be an integer",
		"builder: Builder arch not set",
		"No servers specified for the job role. You can ignore this with allow_empty_roles: true",
		"Must retain at least 1 container",
		"Service name can only include alphanumeric characters, hyphens, and underscores",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

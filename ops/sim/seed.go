package sim

import (
	"net/netip"
	"time"

	capi "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// The credentials of the simulated registry, and the names of the demo's app.
const (
	RegistryUser     = "demo"
	RegistryPassword = "demo-registry-password"
	demoService      = "fhirlinebot"
	demoImage        = registryServer + "/fhirlinebot"
	jobCommand       = "bin/rails solid_queue:start"
)

// demoImages is what the demo's registry holds: two versions that are deployed, a third to deploy, three that
// go wrong in different ways, and what the accessories need.
func demoImages() []Image {
	var out []Image
	app := func(version string, runs Behaviour, age time.Duration) {
		out = append(out, Image{
			Ref: demoImage + ":" + version, Runs: runs, Cmd: []string{"bin/rails", "server"}, Ports: []string{"80/tcp"}, Age: age, Base: demoImage, Size: 164 << 20,
			Env: []string{"RAILS_ENV=production", "BUNDLE_DEPLOYMENT=1"}, Labels: map[string]string{"service": demoService},
			Files: map[string]string{"/rails/REVISION": hash("commit", version)[:40] + "\n", "/rails/public/assets/application-" + version + ".css": "body{}\n"},
		})
	}
	app("v1", Serves, 9*24*time.Hour)
	app("v2", Serves, 26*time.Hour)
	app("v3", Serves, 40*time.Minute)
	app("v4-bad", NeverHealthy, 25*time.Minute)
	app("v5-exits", Exits, 20*time.Minute)
	app("v6-oom", RunsOutOfMemory, 15*time.Minute)
	return append(out,
		Image{Ref: "basecamp/kamal-proxy:v0.9.2", Runs: Proxies, Cmd: []string{"kamal-proxy", "run"}, Ports: []string{"80/tcp", "443/tcp"}, Age: 60 * 24 * time.Hour, Size: 48 << 20, Labels: map[string]string{"org.opencontainers.image.title": "kamal-proxy"}},
		Image{Ref: "postgres:16", Runs: StoresSQL, Cmd: []string{"postgres"}, Ports: []string{"5432/tcp"}, Age: 30 * 24 * time.Hour, Size: 432 << 20, Env: []string{"PG_MAJOR=16", "PGDATA=/var/lib/postgresql/data"}},
		Image{Ref: "redis:7", Runs: StoresKeys, Cmd: []string{"redis-server"}, Ports: []string{"6379/tcp"}, Age: 33 * 24 * time.Hour, Size: 117 << 20},
	)
}

// populate puts the fleet into the state that earlier deploys left.
func (f *Fleet) populate() {
	now := f.clock.Now()
	for i, h := range f.hosts {
		role := "web"
		if i >= len(f.hosts)-f.jobs {
			role = "job"
		}
		s := seeder{h: h, e: h.engine, now: now}
		s.host(role)
		if i == 0 {
			s.accessories()
		}
	}
}

// seeder writes history: it sets what containers would be after they had run for a while.
type seeder struct {
	h   *host
	e   *engine
	now time.Time
}

func (s seeder) host(role string) {
	s.h.mu.Lock()
	s.e.logins[registryServer] = login{RegistryUser, RegistryPassword}
	s.e.addNetwork("kamal", "bridge", nil)
	for _, ref := range []string{demoImage + ":v1", demoImage + ":v2", "basecamp/kamal-proxy:v0.9.2"} {
		if role == "web" || ref != "basecamp/kamal-proxy:v0.9.2" {
			s.e.tags[ref] = s.h.fleet.registry.images[ref]
		}
	}
	s.e.tags[demoImage+":latest"] = s.e.tags[demoImage+":v2"]
	s.h.mu.Unlock()
	s.files(role)
	if role == "web" {
		s.container("kamal-proxy", 31*24*time.Hour, 0, &capi.Config{Image: "basecamp/kamal-proxy:v0.9.2"}, &capi.HostConfig{
			Binds:        []string{"kamal-proxy-config:/home/kamal-proxy/.config/kamal-proxy", homeDir + "/.kamal/proxy/apps-config:/home/kamal-proxy/.apps-config"},
			PortBindings: network.PortMap{network.MustParsePort("80/tcp"): {{HostPort: "80"}}, network.MustParsePort("443/tcp"): {{HostPort: "443"}}},
		})
	}
	s.app(role, "v1", 7*24*time.Hour, 25*time.Hour)
	current := s.app(role, "v2", 25*time.Hour, 0)
	if role != "web" {
		return
	}
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	s.h.traffic.cursor = s.now.Add(-3 * time.Minute) // so that the logs have something to show at once
	o := deployOptions{targets: []string{current.id[:12] + ":80"}, hosts: []string{"fhirlinebot.example.com"}, paths: []string{"/"}, deployTimeout: 30 * time.Second, drainTimeout: 30 * time.Second,
		response: 30 * time.Second, interval: time.Second, timeout: 5 * time.Second, path: "/up", bufferIn: true, bufferOut: true, memory: 1 << 20, strip: true, forward: true}
	s.h.proxy.routes["fhirlinebot-web"] = &route{name: "fhirlinebot-web", hosts: o.hosts, paths: o.paths, target: o.targets[0], options: o, busy: map[string]int{}}
	s.h.proxy.volume = s.e.volumes["kamal-proxy-config"]
	s.h.proxy.save()
}

// app puts an app container there that was started a while ago, and stopped again when ended is not zero.
func (s seeder) app(role, version string, started, ended time.Duration) *container {
	config := &capi.Config{
		Image: demoImage + ":" + version, Hostname: s.h.name + "-" + hash("hostname", s.h.name, version)[:12],
		Env:    []string{"KAMAL_CONTAINER_NAME=fhirlinebot-" + role + "-" + version, "KAMAL_VERSION=" + version, "KAMAL_HOST=" + s.h.name, "RAILS_LOG_TO_STDOUT=true", "DB_HOST=fhirlinebot-db", "RAILS_MASTER_KEY=" + demoMasterKey},
		Labels: map[string]string{"service": demoService, "role": role, "destination": ""},
	}
	if role == "job" {
		config.Cmd = []string{"bin/rails", "solid_queue:start"}
	}
	return s.container("fhirlinebot-"+role+"-"+version, started, ended, config, &capi.HostConfig{})
}

func (s seeder) accessories() {
	for _, ref := range []string{"postgres:16", "redis:7"} {
		s.h.mu.Lock()
		s.e.tags[ref] = s.h.fleet.registry.images[ref]
		s.h.mu.Unlock()
	}
	local := func(port string) network.PortMap {
		return network.PortMap{network.MustParsePort(port + "/tcp"): {{HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: port}}}
	}
	s.container("fhirlinebot-db", 31*24*time.Hour, 0, &capi.Config{
		Image: "postgres:16", Env: []string{"KAMAL_HOST=" + s.h.name, "POSTGRES_DB=fhirlinebot_production", "POSTGRES_PASSWORD=" + demoDatabasePassword}, Labels: map[string]string{"service": "fhirlinebot-db"},
	}, &capi.HostConfig{Binds: []string{homeDir + "/fhirlinebot-db/data:/var/lib/postgresql/data"}, PortBindings: local("5432")})
	s.container("fhirlinebot-redis", 31*24*time.Hour, 0, &capi.Config{
		Image: "redis:7", Env: []string{"KAMAL_HOST=" + s.h.name}, Labels: map[string]string{"service": "fhirlinebot-redis"},
	}, &capi.HostConfig{Binds: []string{homeDir + "/fhirlinebot-redis/data:/data"}, PortBindings: local("6379")})
}

// container makes a container of the past.
func (s seeder) container(name string, started, ended time.Duration, config *capi.Config, hc *capi.HostConfig) *container {
	hc.NetworkMode = "kamal"
	hc.RestartPolicy.Name = capi.RestartPolicyUnlessStopped
	hc.LogConfig = capi.LogConfig{Type: "json-file", Config: map[string]string{"max-size": "10m"}}
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	c := s.e.newContainer(name, s.e.tags[config.Image], config, hc, nil)
	c.created = s.now.Add(-started)
	c.started = c.created.Add(400 * time.Millisecond)
	c.cursor, c.run, c.status = c.started, 1, capi.StateRunning
	s.e.serial++
	c.pid = 4000 + s.e.serial*37
	if ended > 0 {
		until := s.now.Add(-ended)
		c.log.add(c.program.lines(c, c.started, c.started.Add(5*time.Second))...)
		c.cursor, c.status, c.finished, c.byHand, c.pid = until, capi.StateExited, until, true, 0
	}
	s.e.containers[c.id] = c
	return c
}

// files writes what Kamal leaves in the home directory.
func (s seeder) files(role string) {
	fs := s.h.files
	_ = fs.mkdirAll(homeDir+"/.kamal/apps/fhirlinebot/env/roles", 0o755)
	_ = fs.writeFile(homeDir+"/.kamal/apps/fhirlinebot/env/roles/"+role+".env", []byte("RAILS_MASTER_KEY="+demoMasterKey+"\n"), 0o600)
	if role == "web" {
		_ = fs.mkdirAll(homeDir+"/.kamal/proxy/apps-config", 0o755)
	}
	audit := func(ago time.Duration, text string) string {
		return "[" + s.now.Add(-ago).UTC().Format("2006-01-02T15:04:05Z") + "] [ops@example.com] " + text + "\n"
	}
	text := audit(7*24*time.Hour+40*time.Second, "Pulled image with version v1") + audit(7*24*time.Hour, "["+role+"] Booted app version v1") + audit(7*24*time.Hour-20*time.Second, "Tagging "+demoImage+":v1 as the latest image") +
		audit(25*time.Hour+30*time.Second, "Pulled image with version v2") + audit(25*time.Hour, "["+role+"] Booted app version v2") + audit(25*time.Hour-15*time.Second, "Tagging "+demoImage+":v2 as the latest image") +
		audit(25*time.Hour-20*time.Second, "Pruned containers") + audit(25*time.Hour-22*time.Second, "Pruned images")
	_ = fs.writeFile(homeDir+"/.kamal/fhirlinebot-audit.log", []byte(text), 0o644)
	if s.h.number == 1 {
		_ = fs.mkdirAll(homeDir+"/.kamal/apps/fhirlinebot/env/accessories", 0o755)
		_ = fs.writeFile(homeDir+"/.kamal/apps/fhirlinebot/env/accessories/db.env", []byte("POSTGRES_PASSWORD="+demoDatabasePassword+"\n"), 0o600)
		_ = fs.writeFile(homeDir+"/.kamal/apps/fhirlinebot/env/accessories/redis.env", []byte("\n"), 0o600)
		_ = fs.mkdirAll(homeDir+"/fhirlinebot-db/data", 0o700)
		_ = fs.mkdirAll(homeDir+"/fhirlinebot-redis/data", 0o755)
		sqlServer{files: fs, dir: homeDir + "/fhirlinebot-db/data/base"}.seed("fhirlinebot_production")
		_ = fs.writeFile(homeDir+"/fhirlinebot-redis/data/dump.rdb", demoKeys().rdb(s.now), 0o644)
	}
}

package sim

import (
	"context"
	"fmt"
	"net/http"
	"sort"
	"strings"
	"time"
)

// proxy is the kamal-proxy of one host. It works as long as its container runs; its state is guarded by the
// host's lock.
type proxy struct {
	h      *host
	routes map[string]*route
	volume *engineVolume
}

// route is one service of the proxy.
type route struct {
	name    string
	hosts   []string
	paths   []string
	target  string // as given: ID:PORT
	tls     bool
	state   pauseState
	message string
	options deployOptions
	busy    map[string]int // real requests in flight, by target
}

type pauseState int

const (
	running pauseState = iota
	paused
	stopped
)

// String is the word of `kamal-proxy list`.
func (s pauseState) String() string { return [...]string{"running", "paused", "stopped"}[s] }

// deployOptions are what `kamal-proxy deploy` takes, as far as the simulated proxy heeds it.
type deployOptions struct {
	targets       []string
	hosts         []string
	paths         []string
	tls           bool
	tlsRedirect   bool
	certificate   string
	privateKey    string
	force         bool
	deployTimeout time.Duration
	drainTimeout  time.Duration
	interval      time.Duration
	timeout       time.Duration
	path          string
	response      time.Duration
	bufferIn      bool
	bufferOut     bool
	memory        int64
	maxIn, maxOut int64
	strip         bool
	forward       bool
	errorPages    string
	logIn, logOut []string
}

func newProxy(h *host) *proxy { return &proxy{h: h, routes: map[string]*route{}} }

// container is the running kamal-proxy container, or nil; the lock is held.
func (p *proxy) container() *container {
	for _, c := range p.h.engine.containers {
		if c.image.Runs == Proxies && c.status == "running" {
			return c
		}
	}
	return nil
}

// restore takes up the state that the configuration volume holds; the lock is held.
func (p *proxy) restore(v *engineVolume) {
	p.volume = v
	p.routes = map[string]*route{}
	if v == nil {
		return
	}
	for _, r := range v.routes {
		p.routes[r.name] = r
	}
}

// deploy routes a service to a new target once that is healthy, and returns when the old one is drained.
func (p *proxy) deploy(ctx context.Context, name string, o deployOptions) error {
	if err := checkDeploy(o); err != nil {
		return err
	}
	p.say("Deploying", fmt.Sprintf(`"service":%q,"targets":[%s],"hosts":[%s],"paths":[%s],"tls":%v`, name, quoteAll(o.targets), quoteAll(orBlank(o.hosts)), quoteAll(o.paths), o.tls))
	if !o.force {
		for _, target := range o.targets {
			if err := p.awaitHealth(ctx, target, o); err != nil {
				return err
			}
		}
	}
	old, err := p.swap(name, o)
	if err != nil {
		return err
	}
	p.say("Deployed", fmt.Sprintf(`"service":%q,"targets":[%s],"hosts":[%s],"paths":[%s],"tls":%v`, name, quoteAll(o.targets), quoteAll(orBlank(o.hosts)), quoteAll(o.paths), o.tls))
	if old == "" || old == strings.Join(o.targets, ",") {
		return nil
	}
	return p.drain(ctx, name, old, o.drainTimeout)
}

// remove forgets a service.
func (p *proxy) remove(name string) error {
	return p.change(name, "", func(*route) { delete(p.routes, name) })
}

// pause holds requests back, or lets them fail with a message, after draining.
func (p *proxy) pause(ctx context.Context, name string, state pauseState, drain time.Duration, message string) error {
	var target string
	err := p.change(name, "Service "+state.String(), func(r *route) {
		r.state, r.message, target = state, message, r.target
	})
	if err != nil {
		return err
	}
	err = p.drain(ctx, name, target, drain)
	p.say("Service drained", fmt.Sprintf(`"service":%q`, name))
	return err
}

// resume lets requests through again.
func (p *proxy) resume(name string) error {
	return p.change(name, "Service resumed", func(r *route) { r.state, r.message = running, "" })
}

// list is the table of `kamal-proxy list`.
func (p *proxy) list() string {
	p.h.mu.Lock()
	defer p.h.mu.Unlock()
	rows := [][]string{{"Service", "Host", "Path", "Target", "State", "TLS"}}
	for _, r := range p.sorted() {
		hosts := strings.Join(r.hosts, ",")
		if hosts == "" {
			hosts = "*"
		}
		secure := "no"
		if r.tls {
			secure = "yes"
		}
		rows = append(rows, []string{r.name, hosts, strings.Join(r.paths, ","), r.target, r.state.String(), secure})
	}
	return colouredTable(rows)
}

// visit is what happens to a request of the simulated visitors; the lock is held.
func (p *proxy) visit(v visitor) visited {
	got := visited{visitor: v, status: http.StatusNotFound, took: 180 * time.Microsecond, size: 1400 + int(dice(v.seed, v.k)%18000)}
	r := p.routeFor(&got)
	if r == nil {
		return got
	}
	got.route, got.address = r.name, r.target
	if r.state != running {
		got.status = http.StatusServiceUnavailable
		return got
	}
	got.target = p.resolve(r.target)
	status := p.h.answerLocked(got.target, v.at)
	switch status {
	case 0:
		got.status, got.took = http.StatusBadGateway, 900*time.Microsecond
	default:
		got.status, got.took, got.reached = status, tookFor(v), true
		if status == 200 && v.method == "POST" {
			got.status = 201
		}
	}
	return got
}

// Private

// awaitHealth asks the target at once and then at every interval, until it answers with a 2xx status.
func (p *proxy) awaitHealth(ctx context.Context, target string, o deployOptions) error {
	deadline := p.h.now().Add(o.deployTimeout)
	for {
		p.h.mu.Lock()
		c := p.resolve(target)
		status := p.h.answerLocked(c, p.h.now())
		p.h.mu.Unlock()
		if status >= 200 && status <= 299 {
			p.say("Target health updated", fmt.Sprintf(`"target":%q,"state":"healthy","was":"adding"`, target))
			return nil
		}
		p.say("Healthcheck failed", fmt.Sprintf(`"url":"http://%s%s","error":%q`, target, o.path, failureText(c, target, o.path, status)))
		left := deadline.Sub(p.h.now())
		if left <= 0 {
			return fmt.Errorf("target failed to become healthy within configured timeout (%s)", o.deployTimeout)
		}
		if err := sleep(ctx, p.h.fleet.clock, min(o.interval, left)); err != nil {
			return err
		}
	}
}

// swap puts the new target in place and returns the old one.
func (p *proxy) swap(name string, o deployOptions) (string, error) {
	p.h.mu.Lock()
	defer p.h.mu.Unlock()
	for _, other := range p.routes {
		if other.name != name && clash(other, o) {
			return "", fmt.Errorf("host settings conflict with another service")
		}
	}
	p.h.advanceLocked(p.h.now())
	r := p.routes[name]
	old := ""
	if r == nil {
		r = &route{name: name, busy: map[string]int{}}
		p.routes[name] = r
	} else {
		old = r.target
	}
	r.hosts, r.paths, r.tls, r.target, r.options = o.hosts, o.paths, o.tls, strings.Join(o.targets, ","), o
	p.save()
	return old, nil
}

// drain waits until the last request on a target has been answered.
func (p *proxy) drain(ctx context.Context, name, target string, limit time.Duration) error {
	settle := 60*time.Millisecond + time.Duration(dice(seedOf(target), 3)%240)*time.Millisecond
	deadline := p.h.now().Add(limit)
	if err := sleep(ctx, p.h.fleet.clock, min(settle, limit)); err != nil {
		return err
	}
	for {
		p.h.mu.Lock()
		r := p.routes[name]
		idle := r == nil || r.busy[target] == 0
		changed := p.h.changed
		p.h.mu.Unlock()
		left := deadline.Sub(p.h.now())
		if idle || left <= 0 {
			return nil
		}
		timer, stop := p.h.fleet.clock.Timer(left)
		select {
		case <-changed:
		case <-timer:
		case <-ctx.Done():
			stop()
			return ctx.Err()
		}
		stop()
	}
}

func (p *proxy) change(name, msg string, edit func(*route)) error {
	p.h.mu.Lock()
	r := p.routes[name]
	if r == nil {
		p.h.mu.Unlock()
		return fmt.Errorf("service not found")
	}
	p.h.advanceLocked(p.h.now())
	edit(r)
	p.save()
	p.h.mu.Unlock()
	if msg != "" {
		p.say(msg, fmt.Sprintf(`"service":%q`, name))
	}
	return nil
}

func (p *proxy) save() {
	if p.volume != nil {
		p.volume.routes = p.sorted()
	}
	p.h.signal()
}

func (p *proxy) sorted() []*route {
	out := make([]*route, 0, len(p.routes))
	for _, r := range p.routes {
		out = append(out, r)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].name < out[j].name })
	return out
}

// resolve finds the container of a target; the lock is held.
func (p *proxy) resolve(target string) *container {
	name, _, _ := strings.Cut(target, ":")
	c, err := p.h.engine.findLocked(name)
	if err != nil {
		return nil
	}
	return c
}

// routeFor chooses a service for a simulated visitor and fills in the host it asks for.
func (p *proxy) routeFor(v *visited) *route {
	routes := p.sorted()
	if len(routes) == 0 {
		v.host = "app.example.com"
		return nil
	}
	r := routes[int(uint64(v.k)%uint64(len(routes)))]
	v.host = "app.example.com"
	if len(r.hosts) > 0 {
		v.host = r.hosts[0]
	}
	return r
}

// say writes a line into the proxy's log.
func (p *proxy) say(msg, fields string) {
	p.h.mu.Lock()
	defer p.h.mu.Unlock()
	if c := p.container(); c != nil {
		p.h.advanceLocked(p.h.now())
		p.h.sayLocked(c, `{"time":"{json}","level":"INFO","msg":"`+msg+`",`+fields+`}`)
	}
}

// Helpers

// failureText is why a health check failed, as the proxy writes it.
func failureText(c *container, target, path string, status int) string {
	name, port, _ := strings.Cut(target, ":")
	get := fmt.Sprintf("Get \"http://%s%s\": dial tcp", target, path)
	switch {
	case c == nil:
		return get + ": lookup " + name + " on 127.0.0.11:53: no such host"
	case status == 0:
		return fmt.Sprintf("%s 172.18.%d.%d:%s: connect: connection refused", get, c.seed%4, 2+c.seed>>8%250, port)
	}
	return fmt.Sprintf("unexpected status (%d)", status)
}

// clash tells whether two services want the same host and path.
func clash(r *route, o deployOptions) bool {
	for _, a := range orBlank(r.hosts) {
		for _, b := range orBlank(o.hosts) {
			if a != b {
				continue
			}
			for _, x := range r.paths {
				for _, y := range o.paths {
					if x == y {
						return true
					}
				}
			}
		}
	}
	return false
}

func orBlank(hosts []string) []string {
	if len(hosts) == 0 {
		return []string{""}
	}
	return hosts
}

func quoteAll(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = fmt.Sprintf("%q", s)
	}
	return strings.Join(out, ",")
}

func statusText(status int) string { return http.StatusText(status) }

package sim

import (
	"context"
	"fmt"
	"time"

	capi "github.com/moby/moby/api/types/container"
)

// ending is how a container's process ended.
type ending struct {
	code int
	oom  bool
}

// start starts a container; one that runs is left as it is.
func (e *engine) start(ref string) error {
	e.h.mu.Lock()
	defer e.h.mu.Unlock()
	c, err := e.findLocked(ref)
	if err != nil {
		return err
	}
	if c.alive() {
		return nil
	}
	if e.h.faults.has(FullDisk) {
		return &engineError{500, "failed to create task for container: mkdir /run/containerd: no space left on device"}
	}
	if err := e.portsFreeLocked(c); err != nil {
		return err
	}
	c.byHand = false
	e.startLocked(c, e.h.now())
	return nil
}

// stop asks a container to end and kills it when grace has passed; grace < 0 means the container's own.
func (e *engine) stop(ctx context.Context, ref string, grace time.Duration) error {
	e.h.mu.Lock()
	c, err := e.findLocked(ref)
	if err != nil || !c.alive() {
		e.h.mu.Unlock()
		return err
	}
	if grace < 0 {
		grace = 10 * time.Second
		if c.config.StopTimeout != nil {
			grace = time.Duration(*c.config.StopTimeout) * time.Second
		}
	}
	c.byHand = true
	run := c.run
	e.emit(c, "kill", map[string]string{"signal": "15"})
	takes, code, words := c.program.stop(c)
	e.h.advanceLocked(e.h.now())
	e.h.sayLocked(c, words...)
	if c.status == capi.StateRestarting {
		takes = 0
	}
	if takes > grace {
		takes, code = grace, 137
	}
	e.h.fleet.schedule.at(e.h.now().Add(takes), func(now time.Time) {
		e.h.mu.Lock()
		defer e.h.mu.Unlock()
		if c.run == run && c.alive() {
			if code == 137 {
				e.emit(c, "kill", map[string]string{"signal": "9"})
			}
			e.endLocked(c, now, ending{code: code})
		}
	})
	e.h.mu.Unlock()
	if _, err := e.waitFor(ctx, c, func() bool { return !c.alive() || c.run != run }); err != nil {
		return err
	}
	e.h.mu.Lock()
	defer e.h.mu.Unlock()
	e.emit(c, "stop", nil)
	return nil
}

// kill ends a container at once, or lets it answer a signal that it survives.
func (e *engine) kill(ref, signal string) error {
	e.h.mu.Lock()
	defer e.h.mu.Unlock()
	c, err := e.findLocked(ref)
	if err != nil {
		return err
	}
	if !c.alive() {
		return &engineError{409, fmt.Sprintf("cannot kill container: %s: container %s is not running", ref, c.id)}
	}
	number := signalNumber(signal)
	e.emit(c, "kill", map[string]string{"signal": fmt.Sprint(number)})
	switch number {
	case 9, 15, 2, 3:
		c.byHand = true
		code := 128 + number
		if number != 9 {
			_, code, _ = c.program.stop(c)
		}
		e.endLocked(c, e.h.now(), ending{code: code})
	}
	return nil
}

// restart stops a container and starts it again.
func (e *engine) restart(ctx context.Context, ref string, grace time.Duration) error {
	if err := e.stop(ctx, ref, grace); err != nil {
		return err
	}
	if err := e.start(ref); err != nil {
		return err
	}
	e.h.mu.Lock()
	defer e.h.mu.Unlock()
	if c, err := e.findLocked(ref); err == nil {
		e.emit(c, "restart", nil)
	}
	return nil
}

// wait blocks until the container does not run, and returns its exit code.
func (e *engine) wait(ctx context.Context, c *container, condition string) (int, error) {
	e.h.mu.Lock()
	run, ran := c.run, c.alive()
	e.h.mu.Unlock()
	return e.waitFor(ctx, c, func() bool {
		_, there := e.containers[c.id]
		switch condition {
		case "removed":
			return !there
		case "next-exit":
			return !there || !c.alive() && (ran || c.run > run)
		}
		return !c.alive() || !there
	})
}

// Private

// startLocked makes the container run from now on.
func (e *engine) startLocked(c *container, now time.Time) {
	e.h.advanceLocked(now)
	e.serial++
	c.run++
	c.status, c.started, c.cursor = capi.StateRunning, now, now
	c.exitCode, c.oom, c.failure = 0, false, ""
	c.pid = 4000 + e.serial*37%24000
	e.emit(c, "start", nil)
	if c.image.Runs == Proxies {
		e.h.proxy.restore(e.volumeOf(c, "/home/kamal-proxy/.config/kamal-proxy"))
	}
	if c.image.Runs == StoresSQL { // the server insists on a data directory that is its own
		_ = e.rootOf(c).change("/var/lib/postgresql/data", func(n *node) { n.mode = 0o700 })
	}
	e.planHealth(c)
	e.planEnd(c)
	e.h.signal()
}

// endLocked ends the container's process at now and plans a restart where the policy asks for one.
func (e *engine) endLocked(c *container, now time.Time, how ending) {
	e.h.advanceLocked(now)
	if c.cancelTask != nil {
		c.cancelTask()
		c.cancelTask = nil
	}
	for _, kill := range c.execs {
		kill()
	}
	c.status, c.finished, c.exitCode, c.oom, c.pid = capi.StateExited, now, how.code, how.oom, 0
	if _, own := c.program.(*script); own && how.code == 0 && c.keys != nil && c.keys.run == c.run {
		_ = c.keys.save() // as far as the disk takes it
	}
	c.planned = nil
	if how.oom {
		e.emit(c, "oom", nil)
	}
	e.emit(c, "die", map[string]string{"exitCode": fmt.Sprint(how.code), "execDuration": fmt.Sprint(int(now.Sub(c.started).Seconds()))})
	defer e.h.signal()
	if c.host.AutoRemove {
		e.dropLocked(c)
		return
	}
	if c.byHand || !wantsRestart(c, how.code) {
		return
	}
	c.status = capi.StateRestarting
	wait := restartDelay(c.restarts)
	c.restarts++
	run := c.run
	e.h.fleet.schedule.at(now.Add(wait), func(now time.Time) {
		e.h.mu.Lock()
		defer e.h.mu.Unlock()
		if c.run == run && c.status == capi.StateRestarting {
			e.startLocked(c, now)
		}
	})
}

// planEnd lets a program that ends by itself do so.
func (e *engine) planEnd(c *container) {
	if task, ok := c.program.(*taskProgram); ok {
		e.runTask(c, task)
		return
	}
	after, how, ok := c.program.ends(c)
	if !ok {
		return
	}
	run := c.run
	e.h.fleet.schedule.at(c.started.Add(after), func(now time.Time) {
		e.h.mu.Lock()
		defer e.h.mu.Unlock()
		if c.run == run && c.alive() {
			e.endLocked(c, now, how)
		}
	})
}

// planHealth follows a container that has a health check of its own.
func (e *engine) planHealth(c *container) {
	check := c.config.Healthcheck
	if check == nil || len(check.Test) == 0 || check.Test[0] == "NONE" {
		return
	}
	c.health = &capi.Health{Status: capi.Starting}
	interval := check.Interval
	if interval <= 0 {
		interval = 5 * time.Second
	}
	e.nextHealth(c, c.run, interval)
}

func (e *engine) nextHealth(c *container, run int, interval time.Duration) {
	e.h.fleet.schedule.at(e.h.now().Add(interval), func(now time.Time) {
		e.h.mu.Lock()
		defer e.h.mu.Unlock()
		if c.run != run || !c.alive() {
			return
		}
		was := c.health.Status
		next := capi.Health{Status: capi.Healthy}
		if !e.h.healthyLocked(c, now) {
			next = capi.Health{Status: was, FailingStreak: c.health.FailingStreak + 1}
			if retries := max(c.config.Healthcheck.Retries, 1); next.FailingStreak >= retries {
				next.Status = capi.Unhealthy
			}
		}
		c.health = &next
		if next.Status != was {
			e.emit(c, "health_status: "+string(next.Status), nil)
			e.h.signal()
		}
		if next.Status != capi.Healthy {
			e.nextHealth(c, run, interval)
		}
	})
}

// probeAgainLocked lets every container with a health check be asked anew.
func (e *engine) probeAgainLocked() {
	for _, c := range e.containers {
		if c.alive() && c.health != nil {
			e.nextHealth(c, c.run, time.Second)
		}
	}
}

// waitFor blocks until done, which is asked with the host's lock held.
func (e *engine) waitFor(ctx context.Context, c *container, done func() bool) (int, error) {
	for {
		e.h.mu.Lock()
		ok, code, changed := done(), c.exitCode, e.h.changed
		e.h.mu.Unlock()
		if ok {
			return code, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// portsFreeLocked refuses a start that would take a published port twice.
func (e *engine) portsFreeLocked(c *container) error {
	taken := map[string]bool{}
	for _, other := range e.containers {
		if other != c && other.alive() {
			for _, p := range publishedOf(other) {
				taken[p.hostPort] = true
			}
		}
	}
	for _, p := range publishedOf(c) {
		if p.hostPort != "" && taken[p.hostPort] {
			ip := p.ip
			if ip == "" {
				ip = "0.0.0.0"
			}
			return &engineError{500, fmt.Sprintf("driver failed programming external connectivity on endpoint %s (%s): Bind for %s:%s failed: port is already allocated", c.name, hash("endpoint", c.id), ip, p.hostPort)}
		}
	}
	return nil
}

// Helpers

func wantsRestart(c *container, code int) bool {
	switch c.host.RestartPolicy.Name {
	case capi.RestartPolicyAlways, capi.RestartPolicyUnlessStopped:
		return true
	case capi.RestartPolicyOnFailure:
		limit := c.host.RestartPolicy.MaximumRetryCount
		return code != 0 && (limit == 0 || c.restarts < limit)
	}
	return false
}

// restartDelay doubles from 100 ms up to a minute.
func restartDelay(restarts int) time.Duration {
	wait := 100 * time.Millisecond << min(restarts, 10)
	return min(wait, time.Minute)
}

func signalNumber(name string) int {
	switch name {
	case "", "KILL", "SIGKILL", "9":
		return 9
	case "INT", "SIGINT", "2":
		return 2
	case "QUIT", "SIGQUIT", "3":
		return 3
	case "TERM", "SIGTERM", "15":
		return 15
	case "HUP", "SIGHUP", "1":
		return 1
	case "USR1", "SIGUSR1", "10":
		return 10
	}
	return 12
}

package watch

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"binnacle/ops"
)

// Observe looks at hosts once, all at the same time and on each host at
// everything at the same time: the engine, its containers and images, and the
// given locks, also those on further hosts. It returns the facts host by host,
// with a HostLost for each that did not answer, and all errors joined.
func Observe(ctx context.Context, connect Connect, hosts []string, locks []Lock, options Options) ([]ops.Event, error) {
	places := slices.Clone(hosts)
	for _, l := range locks {
		if !slices.Contains(places, l.Host) {
			places = append(places, l.Host)
		}
	}
	facts, errs := make([][]ops.Event, len(places)), make([]error, len(places))
	var wg sync.WaitGroup
	for i, name := range places {
		conn := connect(name)
		wg.Go(func() {
			var engine, held []ops.Event
			var engineErr, lockErr error
			var both sync.WaitGroup
			both.Go(func() { held, lockErr = lookAtLocks(ctx, conn, on(name, locks), options) })
			if i < len(hosts) {
				engine, engineErr = lookAtEngine(ctx, name, conn, options)
			}
			both.Wait()
			facts[i], errs[i] = append(engine, held...), errors.Join(engineErr, lockErr)
		})
	}
	wg.Wait()
	return slices.Concat(facts...), errors.Join(errs...)
}

// Private

// lookAtEngine is one host's part of Observe: all of it, or the loss.
func lookAtEngine(ctx context.Context, name string, conn Connection, options Options) ([]ops.Event, error) {
	seen := ops.HostSeen{Host: name}
	containers := ops.ContainersSeen{Host: name}
	images := ops.ImagesSeen{Host: name}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		seen.Docker, err = conn.Engine().Facts(ctx)
		seen.At = time.Now()
		return err
	})
	var routes []ops.Event
	group.Go(func() (err error) {
		containers.Containers, err = conn.Engine().ListContainers(ctx)
		containers.At = time.Now()
		if slices.ContainsFunc(containers.Containers, runsProxy) {
			routes = lookAtRoutes(ctx, name, conn)
		}
		return err
	})
	group.Go(func() (err error) {
		images.Images, err = conn.Engine().ListImages(ctx)
		images.At = time.Now()
		return err
	})
	if err := group.Wait(); err != nil {
		return []ops.Event{ops.HostLost{Host: name, At: time.Now(), Reason: options.reason(err)}}, err
	}
	return append([]ops.Event{seen, containers, images}, routes...), nil
}

// lookAtRoutes reads what the proxy serves; nothing when it does not answer.
func lookAtRoutes(ctx context.Context, name string, conn Connection) []ops.Event {
	out, err := conn.Engine().Exec(ctx, proxyName, proxyName, "list")
	if err != nil {
		return nil
	}
	return []ops.Event{ops.RoutesSeen{Host: name, At: time.Now(), Routes: ops.ParseRoutes(out.Stdout)}}
}

func lookAtLocks(ctx context.Context, conn Connection, locks []Lock, options Options) ([]ops.Event, error) {
	if len(locks) == 0 {
		return nil, nil
	}
	held, err := probeLocks(ctx, conn, locks)
	if err != nil {
		return nil, err
	}
	var out []ops.Event
	for i, l := range held {
		out = append(out, ops.LockSeen{App: locks[i].App, Lock: options.judged(l)})
	}
	return out, nil
}

// Helpers

func runsProxy(c ops.Container) bool { return c.Name == proxyName && c.Running() }

func on(host string, locks []Lock) []Lock {
	var out []Lock
	for _, l := range locks {
		if l.Host == host {
			out = append(out, l)
		}
	}
	return out
}

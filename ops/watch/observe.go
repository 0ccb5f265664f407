package watch

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"binnacle/ops"
)

// Observe looks at hosts once, all at the same time and on each host at
// everything at the same time: the engine, its containers and images, and the
// given locks. It returns the facts host by host, with a HostLost for each
// that did not answer, and those hosts' errors joined.
func Observe(ctx context.Context, connect Connect, hosts []string, locks []Lock, options Options) ([]ops.Event, error) {
	facts, errs := make([][]ops.Event, len(hosts)), make([]error, len(hosts))
	var wg sync.WaitGroup
	for i, name := range hosts {
		var here []Lock
		for _, l := range locks {
			if l.Host == name {
				here = append(here, l)
			}
		}
		wg.Go(func() { facts[i], errs[i] = look(ctx, name, connect(name), here, options) })
	}
	wg.Wait()
	var out []ops.Event
	for _, f := range facts {
		out = append(out, f...)
	}
	return out, errors.Join(errs...)
}

// Private

// look is one host's part of Observe. What failed is left out of the facts.
func look(ctx context.Context, name string, conn Connection, locks []Lock, options Options) ([]ops.Event, error) {
	var seen ops.HostSeen
	var containers ops.ContainersSeen
	var images ops.ImagesSeen
	var held []ops.Lock
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		seen = ops.HostSeen{Host: name}
		seen.Docker, err = conn.Engine().Facts(ctx)
		seen.At = time.Now()
		return err
	})
	group.Go(func() (err error) {
		containers = ops.ContainersSeen{Host: name}
		containers.Containers, err = conn.Engine().ListContainers(ctx)
		containers.At = time.Now()
		return err
	})
	group.Go(func() (err error) {
		images = ops.ImagesSeen{Host: name}
		images.Images, err = conn.Engine().ListImages(ctx)
		images.At = time.Now()
		return err
	})
	if len(locks) > 0 {
		group.Go(func() (err error) {
			held, err = probeLocks(ctx, conn, locks)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return []ops.Event{ops.HostLost{Host: name, At: time.Now(), Reason: options.reason(err)}}, err
	}
	out := []ops.Event{seen, containers, images}
	for i, l := range held {
		out = append(out, ops.LockSeen{App: locks[i].App, Lock: options.judged(l)})
	}
	return out, nil
}

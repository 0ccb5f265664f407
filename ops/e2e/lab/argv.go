package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
)

// CommandLines watches, on every host, the command lines of all processes.
type CommandLines struct {
	stop    context.CancelFunc
	readers sync.WaitGroup

	mu   sync.Mutex
	seen map[string][]string
}

// WatchCommandLines starts to record what stands in the command lines of
// processes on every host; when it returns, the watching has begun. Processes
// that live for only a millisecond or two can be missed.
func (f *Fleet) WatchCommandLines(ctx context.Context) (*CommandLines, error) {
	ctx, cancel := context.WithCancel(ctx)
	watch := &CommandLines{stop: cancel, seen: map[string][]string{}}
	for _, host := range f.hosts {
		if err := watch.follow(ctx, host); err != nil {
			watch.Stop()
			return nil, fmt.Errorf("watching processes on %s: %w", host.Name, err)
		}
	}
	return watch, nil
}

// Stop ends the watching and returns the distinct command lines by host, in
// the order in which they were first seen.
func (c *CommandLines) Stop() map[string][]string {
	c.stop()
	c.readers.Wait()
	return c.seen
}

// Private

func (c *CommandLines) follow(ctx context.Context, h *Host) error {
	const program = "/usr/local/sbin/argv"
	if _, err := docker(ctx, "cp", filepath.Join(h.fleet.bin(), "argv"), h.container()+":"+program); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "docker", "exec", h.container(), program)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 4<<20)
	if !lines.Scan() {
		return errors.Join(errors.New("it did not begin"), lines.Err(), cmd.Wait())
	}
	c.readers.Go(func() {
		for lines.Scan() {
			c.add(h.Name, lines.Text())
		}
		_ = cmd.Wait()
		c.endRemote(ctx, h, program)
	})
	return nil
}

// endRemote ends the watcher on the host: the end of `docker exec` here does
// not end what it started there.
func (c *CommandLines) endRemote(ctx context.Context, h *Host, program string) {
	_, _ = h.Exec(context.WithoutCancel(ctx), "pkill -x -f "+program)
}

func (c *CommandLines) add(host, quoted string) {
	line, err := strconv.Unquote(quoted)
	if err != nil {
		line = quoted
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[host] = append(c.seen[host], line)
}

package docker

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"binnacle/ops"
)

// ListContainers returns all containers, stopped ones too, that carry every
// label given as `key=value`, sorted by name. A listing does not know when a
// container started or ended, nor whether it ran out of memory: inspect it.
func (e *Engine) ListContainers(ctx context.Context, labels ...string) ([]ops.Container, error) {
	var out []ops.Container
	err := e.call(ctx, readTimeout, "docker ps --all", func(ctx context.Context) error {
		got, err := e.api().ContainerList(ctx, client.ContainerListOptions{All: true, Filters: labelled(labels)})
		if err != nil {
			return err
		}
		out = make([]ops.Container, 0, len(got.Items))
		for i := range got.Items {
			out = append(out, e.listed(&got.Items[i]))
		}
		slices.SortFunc(out, func(a, b ops.Container) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
		return nil
	})
	return out, err
}

// InspectContainer returns one container by name or id; ErrNotFound when absent.
func (e *Engine) InspectContainer(ctx context.Context, name string) (ops.Inspection, error) {
	var out ops.Inspection
	err := e.call(ctx, readTimeout, "docker inspect "+name, func(ctx context.Context) error {
		got, err := e.api().ContainerInspect(ctx, name, client.ContainerInspectOptions{})
		if err != nil {
			return err
		}
		out = e.inspected(&got.Container)
		return nil
	})
	return out, err
}

// Rename gives a container another name.
func (e *Engine) Rename(ctx context.Context, name, to string) error {
	return e.call(ctx, changeTimeout, "docker rename "+name+" "+to, func(ctx context.Context) error {
		_, err := e.api().ContainerRename(ctx, name, client.ContainerRenameOptions{NewName: to})
		return err
	})
}

// Stop sends the stop signal, waits up to the timeout and then kills; a nil
// timeout is the container's own. A container that is stopped already is fine.
func (e *Engine) Stop(ctx context.Context, name string, timeout *time.Duration) error {
	command, bound := "docker stop "+name, time.Duration(0)
	var options client.ContainerStopOptions
	if timeout != nil {
		seconds := int((*timeout + time.Second - 1) / time.Second)
		options.Timeout = &seconds
		command = "docker stop -t " + strconv.Itoa(seconds) + " " + name
		bound = *timeout + changeTimeout
	}
	return e.call(ctx, bound, command, func(ctx context.Context) error {
		_, err := e.api().ContainerStop(ctx, name, options)
		return err
	})
}

// Private

func (e *Engine) listed(c *container.Summary) ops.Container {
	status := parseStatus(c.Status)
	if c.Health != nil && c.Health.Status != container.NoHealthcheck {
		status.health = string(c.Health.Status)
	}
	return ops.Container{
		Host: e.host, ID: c.ID, Name: ownName(c.Names), Kind: ops.KindOther, Image: c.Image, ImageID: c.ImageID,
		State: string(c.State), Health: status.health, ExitCode: status.exitCode,
		Created: time.Unix(c.Created, 0).UTC(), Labels: c.Labels, Ports: portLines(c.Ports),
	}
}

func (e *Engine) inspected(c *container.InspectResponse) ops.Inspection {
	out := ops.Inspection{Container: ops.Container{
		Host: e.host, ID: c.ID, Name: strings.TrimPrefix(c.Name, "/"), Kind: ops.KindOther, ImageID: c.Image,
		Restarts: c.RestartCount, Created: when(c.Created),
	}}
	if c.Config != nil {
		out.Image, out.Labels, out.StopSignal = c.Config.Image, c.Config.Labels, c.Config.StopSignal
		out.HasHealth = hasHealthcheck(c.Config.Healthcheck)
	}
	if c.NetworkSettings != nil {
		out.Ports = portLines(publishedPorts(c.NetworkSettings.Ports))
	}
	if c.State == nil {
		return out
	}
	s := c.State
	out.State, out.ExitCode, out.OOMKilled, out.Error = string(s.Status), s.ExitCode, s.OOMKilled, s.Error
	out.Started, out.Finished = when(s.StartedAt), when(s.FinishedAt)
	if s.Health != nil && s.Health.Status != container.NoHealthcheck {
		out.Health, out.HasHealth = string(s.Health.Status), true
		for _, l := range s.Health.Log {
			out.HealthLog = append(out.HealthLog, ops.HealthProbe{At: l.Start, ExitCode: l.ExitCode, Output: strings.TrimSpace(l.Output)})
		}
	}
	return out
}

// Helpers

func hasHealthcheck(h *container.HealthConfig) bool {
	return h != nil && len(h.Test) > 0 && h.Test[0] != "NONE"
}

// ownName leaves out the names that links give: those have a path.
func ownName(names []string) string {
	for _, n := range names {
		if n = strings.TrimPrefix(n, "/"); !strings.Contains(n, "/") {
			return n
		}
	}
	return ""
}

// status is what can be read from the words of a listing.
type status struct {
	health   string
	exitCode int
}

// parseStatus reads "Up 5 minutes (healthy)" or "Exited (137) 2 hours ago":
// engines before API 1.52 tell health and exit code in no other way.
func parseStatus(text string) status {
	open := strings.IndexByte(text, '(')
	if open < 0 {
		return status{}
	}
	inside, _, found := strings.Cut(text[open+1:], ")")
	if !found {
		return status{}
	}
	if code, err := strconv.Atoi(inside); err == nil {
		return status{exitCode: code}
	}
	switch health := strings.TrimPrefix(inside, "health: "); health {
	case "starting", "healthy", "unhealthy":
		return status{health: health}
	}
	return status{}
}

// Package snapshot takes the state that a deploy leaves on hosts, makes what
// varies from run to run equal, and compares it with the state that the gem
// left (package golden).
//
// It may import ops/e2e/golden and github.com/google/go-cmp.
package snapshot

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"binnacle/ops/e2e/golden"
)

// Fleet is the state of every host, by the host's name.
type Fleet map[string]Host

// Host is what stands on one host. The format is that of the recorded states.
type Host struct {
	Containers []Container     `json:"containers"`
	Networks   []string        `json:"networks"` // those made by someone
	Volumes    []string        `json:"volumes"`  // those with a name
	Images     []string        `json:"images"`   // repository:tag, without the proxy's
	Proxy      string          `json:"proxy"`    // kamal-proxy list, without colours
	Files      map[string]File `json:"files"`    // below the login home, by ./path
}

// Container is what `docker inspect` says of a container, as far as a deploy
// decides it.
type Container struct {
	Name        string                   `json:"name"`
	State       string                   `json:"state"`
	Image       string                   `json:"image"`
	Cmd         []string                 `json:"cmd"`
	Entrypoint  []string                 `json:"entrypoint"`
	User        string                   `json:"user"`
	Hostname    string                   `json:"hostname"`
	Env         []string                 `json:"env"`
	Labels      map[string]string        `json:"labels"`
	Restart     string                   `json:"restart"`
	Binds       []string                 `json:"binds"`
	Networks    map[string][]string      `json:"networks"` // name to aliases
	Ports       map[string][]PortBinding `json:"ports"`
	Log         LogConfig                `json:"log"`
	Memory      int64                    `json:"memory"` // bytes
	CPUs        int64                    `json:"cpus"`   // thousand-millionths
	Health      *Health                  `json:"health"`
	StopTimeout *int                     `json:"stop_timeout"` // seconds
	CapAdd      []string                 `json:"cap_add"`
}

// PortBinding is where a port is published.
type PortBinding struct {
	HostIP   string `json:"HostIp"`
	HostPort string
}

// LogConfig is a container's log driver and its options.
type LogConfig struct {
	Type   string
	Config map[string]string
}

// Health is a container's health check; durations are nanoseconds.
type Health struct {
	Test     []string
	Interval int64
	Timeout  int64
	Retries  int
}

// File is a file or, with a mode like d755, a folder.
type File struct {
	Mode    string `json:"mode"`
	Content string `json:"content,omitempty"`
}

// Executor runs a shell command on a host as its login user, in its home.
type Executor interface {
	Exec(ctx context.Context, shell string) (string, error)
}

// Take reads the state of the hosts, all at once. The registry's address is
// replaced by the one in the recorded states.
func Take(ctx context.Context, hosts map[string]Executor, registry string) (Fleet, error) {
	fleet := Fleet{}
	var mu sync.Mutex
	var problem error
	var readers sync.WaitGroup
	for name, host := range hosts {
		readers.Go(func() {
			state, err := takeHost(ctx, host, registry)
			mu.Lock()
			defer mu.Unlock()
			if err != nil && problem == nil {
				problem = fmt.Errorf("reading the state of %s: %w", name, err)
			}
			fleet[name] = state
		})
	}
	readers.Wait()
	return fleet, problem
}

// Golden returns a recorded state.
func Golden(story, step string) (Fleet, error) {
	text, err := golden.State(story, step)
	if err != nil {
		return nil, err
	}
	var fleet Fleet
	if err := json.Unmarshal(text, &fleet); err != nil {
		return nil, fmt.Errorf("reading the recorded state %s/%s: %w", story, step, err)
	}
	for name, host := range fleet {
		fleet[name] = host.normalised("")
	}
	return fleet, nil
}

// Replaced returns the state with a text replaced wherever it stands.
func (f Fleet) Replaced(old, replacement string) (Fleet, error) {
	text, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	var out Fleet
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(text), old, replacement)), &out); err != nil {
		return nil, fmt.Errorf("replacing %s in a state: %w", old, err)
	}
	return out, nil
}

// WithoutAudit returns the state without the audit lines that end in one of
// the messages, for comparing with a story of which steps were left out.
func (f Fleet) WithoutAudit(messages ...string) Fleet {
	out := Fleet{}
	for name, host := range f {
		files := maps.Clone(host.Files)
		for path, file := range files {
			if !strings.HasSuffix(path, "-audit.log") {
				continue
			}
			lines := slices.DeleteFunc(strings.SplitAfter(file.Content, "\n"), func(line string) bool {
				return slices.ContainsFunc(messages, func(m string) bool { return strings.HasSuffix(strings.TrimSpace(line), m) })
			})
			files[path] = File{Mode: file.Mode, Content: strings.Join(lines, "")}
		}
		host.Files = files
		out[name] = host
	}
	return out
}

// WithoutAuditLogs returns the state without what was written about it, for
// comparing what two ways led to.
func (f Fleet) WithoutAuditLogs() Fleet {
	out := Fleet{}
	for name, host := range f {
		host.Files = maps.Clone(host.Files)
		maps.DeleteFunc(host.Files, func(path string, _ File) bool { return strings.HasSuffix(path, "-audit.log") })
		out[name] = host
	}
	return out
}

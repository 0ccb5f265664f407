package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// Host is one server of the fleet.
type Host struct {
	Name      string // vm1, vm2, …
	Address   string // a loopback address of its own
	SSHPort   int
	HTTPPort  int // where its kamal-proxy's port 80 is published
	HTTPSPort int // and its port 443
	fleet     *Fleet
}

// URL is where the host's proxy is reached by http.
func (h *Host) URL() string {
	return "http://" + net.JoinHostPort(h.Address, strconv.Itoa(h.HTTPPort))
}

// Exec runs a shell command on the host, as root in its home, past ssh. An
// exit code other than 0 is an error that carries what the command said.
func (h *Host) Exec(ctx context.Context, shell string) (string, error) {
	out, err := docker(ctx, "exec", "--workdir", "/root", h.container(), "sh", "-c", shell)
	if err != nil {
		return "", fmt.Errorf("on %s: %w", h.Name, err)
	}
	return out, nil
}

// SSH runs a shell command on the host through ssh(1) with the run's ssh
// config. The exit code is in the result; an error means it was not run.
func (h *Host) SSH(ctx context.Context, shell string) (Result, error) {
	return run(ctx, command{name: "ssh", args: []string{"-F", h.fleet.SSHConfig(), h.Name, shell}})
}

// Kill ends the host as a power cut does: at once, with all its processes.
func (h *Host) Kill(ctx context.Context) error {
	_, err := docker(ctx, "kill", h.container())
	return err
}

// Boot starts a host that was killed and waits until it answers. Its disk is
// as it was, so containers with a restart policy come back.
func (h *Host) Boot(ctx context.Context) error {
	if _, err := docker(ctx, "start", h.container()); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return h.await(ctx)
}

// Pause freezes the host's sshd and dockerd: connections are accepted and
// nothing answers. Its containers go on.
func (h *Host) Pause(ctx context.Context) error {
	_, err := docker(ctx, "pause", h.container())
	return err
}

// Resume ends a Pause.
func (h *Host) Resume(ctx context.Context) error {
	_, err := docker(ctx, "unpause", h.container())
	return err
}

// Private

func (h *Host) container() string { return h.fleet.name(h.Name) }

// run starts the host's container. A nested engine needs most capabilities and
// an unmasked /proc; SYS_RESOURCE is left out so that limits stay limits.
func (h *Host) run(ctx context.Context, image string) error {
	if _, err := docker(ctx, append(append([]string{"volume", "create"}, h.fleet.labels("volume")...), h.container())...); err != nil {
		return err
	}
	args := append([]string{"run", "--detach", "--init", "--name", h.container(), "--hostname", h.Name}, h.fleet.labels("host")...)
	args = append(args,
		"--network", h.fleet.name("net"),
		"--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE",
		"--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined", "--security-opt", "systempaths=unconfined",
		"--cgroupns", "host", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw",
		"--volume", h.container()+":/var/lib/docker",
		"--tmpfs", "/run:exec,mode=755", // empty after a kill, as a real host's is
		"--publish", h.publish(h.SSHPort, 22), "--publish", h.publish(h.HTTPPort, 80), "--publish", h.publish(h.HTTPSPort, 443),
		"--env", "AUTHORIZED_KEY="+h.fleet.publicKey(), "--env", "REGISTRY_IP="+h.fleet.block.ip(registryIP), "--env", "CGROUP="+h.container(),
		image, "/usr/local/sbin/host-init")
	_, err := docker(ctx, args...)
	return err
}

func (h *Host) publish(outside, inside int) string {
	return fmt.Sprintf("%s:%d:%d", h.Address, outside, inside)
}

// await waits until the host's engine, its sshd and its way to the registry
// answer.
func (h *Host) await(ctx context.Context) error {
	check := "docker version >/dev/null 2>&1 && curl -fs http://" + h.fleet.Registry() + "/v2/ >/dev/null && test -s /run/sshd.pid"
	var last error
	for {
		if _, last = h.Exec(ctx, check); last == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			logs, _ := docker(context.WithoutCancel(ctx), "exec", h.container(), "tail", "-n", "20", "/var/log/dockerd.log")
			return errors.Join(fmt.Errorf("host %s does not answer: %w", h.Name, ctx.Err()), last, errors.New(logs))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (h *Host) load(ctx context.Context, archive []byte) error {
	_, err := output(ctx, command{
		name: "docker", args: []string{"exec", "--interactive", h.container(), "docker", "load"}, stdin: bytes.NewReader(archive),
	})
	if err != nil {
		return fmt.Errorf("loading an image on %s: %w", h.Name, err)
	}
	return nil
}

func (h *Host) hostKeys(ctx context.Context) ([]string, error) {
	text, err := h.Exec(ctx, "cat /etc/ssh/ssh_host_*_key.pub")
	return strings.Split(text, "\n"), err
}

package lab

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
)

// Options say what fleet to start. The zero value is three hosts that belong
// to this process.
type Options struct {
	Hosts      int                  // how many; 0 means 3
	Keep       bool                 // outlive this process, until Remove
	KamalProxy string               // a real kamal-proxy binary; empty means BINNACLE_KAMAL_PROXY, else the stand-in
	Buildx     bool                 // have `docker buildx` ready in Environ
	Note       func(string, ...any) // hears about progress; may be nil
}

// Fleet is a running fleet. Its methods may be called from several goroutines.
type Fleet struct {
	id    string
	dir   string
	keep  bool
	block block
	ports ports
	arch  string
	hosts []*Host
	note  func(string, ...any)
}

// Start starts a fleet and waits until every host takes ssh and docker
// commands and the registry holds the images. What a killed run left is
// removed first. A fleet that does not come up is removed again.
func Start(ctx context.Context, options Options) (*Fleet, error) {
	note := options.Note
	if note == nil {
		note = func(string, ...any) {}
	}
	if err := Reachable(ctx); err != nil {
		return nil, err
	}
	if err := Sweep(ctx, note); err != nil {
		return nil, err
	}
	f, err := newFleet(options, note)
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	if err := f.start(ctx, options); err != nil {
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		return nil, errors.Join(fmt.Errorf("starting the fleet: %w", err), f.Remove(cleanup))
	}
	note("fleet %s is up after %s: %s", f.id, time.Since(begun).Round(100*time.Millisecond), f.dir)
	return f, nil
}

// Open returns the running fleet whose folder is dir, started by any process.
func Open(dir string) (*Fleet, error) {
	text, err := os.ReadFile(filepath.Join(dir, fleetFile))
	if err != nil {
		return nil, fmt.Errorf("%s is not the folder of a fleet: %w", dir, err)
	}
	var saved savedFleet
	if err := json.Unmarshal(text, &saved); err != nil {
		return nil, fmt.Errorf("reading %s: %w", filepath.Join(dir, fleetFile), err)
	}
	f := &Fleet{
		id: saved.ID, dir: dir, keep: saved.Keep, arch: saved.Arch, note: func(string, ...any) {},
		block: block{n: saved.Block[0], m: saved.Block[1]},
		ports: ports{ssh: saved.Ports[0], http: saved.Ports[1], https: saved.Ports[2]},
	}
	f.makeHosts(saved.Hosts)
	return f, nil
}

// Remove takes the fleet away with everything it made.
func (f *Fleet) Remove(ctx context.Context) error {
	return Remove(ctx, Run{ID: f.id, Dir: f.dir})
}

// ID names the run.
func (f *Fleet) ID() string { return f.id }

// Dir is the run's folder: ssh/, docker/, projects.
func (f *Fleet) Dir() string { return f.dir }

// Registry is the registry's address, the same here and on every host.
func (f *Fleet) Registry() string {
	return net.JoinHostPort(f.block.ip(registryIP), strconv.Itoa(registryPort))
}

// Hosts returns vm1, vm2, … in order.
func (f *Fleet) Hosts() []*Host { return append([]*Host(nil), f.hosts...) }

// Host returns a host by name; an unknown name is a mistake in the test.
func (f *Fleet) Host(name string) *Host {
	for _, h := range f.hosts {
		if h.Name == name {
			return h
		}
	}
	panic("the fleet has no host " + name)
}

// Environ is the environment in which to run binnacle, docker or git against
// this fleet: Docker credentials and XDG folders lie in the run's folder.
func (f *Fleet) Environ() []string { return append(os.Environ(), f.variables()...) }

// Run runs a program of this machine in dir with Environ. The exit code is in
// the result; an error means that it could not be run or ctx ended.
func (f *Fleet) Run(ctx context.Context, dir, name string, args ...string) (Result, error) {
	return run(ctx, command{name: name, args: args, dir: dir, env: f.variables()})
}

// Private

const fleetFile = "fleet.json"

type savedFleet struct {
	ID    string
	Keep  bool
	Arch  string
	Block [2]int
	Ports [3]int
	Hosts int
}

func newFleet(options Options, note func(string, ...any)) (*Fleet, error) {
	random := make([]byte, 4)
	if _, err := rand.Read(random); err != nil {
		return nil, err
	}
	f := &Fleet{id: hex.EncodeToString(random), keep: options.Keep, note: note}
	f.dir = filepath.Join(os.TempDir(), "binnacle-e2e-"+f.id)
	return f, os.MkdirAll(f.dir, 0o700)
}

func (f *Fleet) start(ctx context.Context, options Options) error {
	count := options.Hosts
	if count == 0 {
		count = 3
	}
	// The network is what a run is listed by, so it exists before the rest.
	if _, err := docker(ctx, append(append([]string{"network", "create"}, f.labels("network")...), f.name("net"))...); err != nil {
		return err
	}
	var image string
	prepare, within := errgroup.WithContext(ctx)
	prepare.Go(func() (err error) { image, err = hostImage(within, f.note); return err })
	prepare.Go(func() (err error) {
		if f.arch, err = engineArch(within); err != nil {
			return err
		}
		return buildBinaries(within, f.bin(), f.arch)
	})
	prepare.Go(f.makeKey)
	prepare.Go(func() error { return f.prepareDocker(within, options.Buildx) })
	if err := prepare.Wait(); err != nil {
		return err
	}
	if err := f.startContainers(ctx, image, count); err != nil {
		return err
	}
	if err := f.fill(ctx, options); err != nil {
		return err
	}
	return f.save()
}

// startContainers takes a block of addresses and starts everything on it. Two
// runs may choose the same block at once; the one whose port is refused tries
// another.
func (f *Fleet) startContainers(ctx context.Context, image string, count int) error {
	var err error
	for range 3 {
		if f.block, f.ports, err = chooseBlock(count); err != nil {
			return err
		}
		f.makeHosts(count)
		group, within := errgroup.WithContext(ctx)
		group.Go(func() error { return f.runRegistry(within, image) })
		for _, host := range f.hosts {
			group.Go(func() error { return host.run(within, image) })
		}
		if err = group.Wait(); err == nil || ctx.Err() != nil {
			return err
		}
		filter := "label=" + labelRun + "=" + f.id
		if again := removeAll(ctx, []string{"container", "ls", "--all", "--quiet", "--filter", filter}, []string{"container", "rm", "--force", "--volumes"}); again != nil {
			return errors.Join(err, again)
		}
	}
	return err
}

// fill waits until everything answers and puts the images where they belong.
func (f *Fleet) fill(ctx context.Context, options Options) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	busybox, err := f.copyBusybox(ctx)
	if err != nil {
		return err
	}
	proxy, err := f.proxyImage(options.KamalProxy)
	if err == nil {
		err = os.WriteFile(f.proxyArchive(), proxy, 0o600)
	}
	if err != nil {
		return err
	}
	group, within := errgroup.WithContext(ctx)
	group.Go(func() error { return f.pushImages(within, busybox) })
	for _, host := range f.hosts {
		group.Go(func() error {
			if err := host.await(within); err != nil {
				return err
			}
			return host.load(within, proxy)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return f.writeSSH(ctx)
}

func (f *Fleet) runRegistry(ctx context.Context, image string) error {
	args := append([]string{"run", "--detach", "--init", "--name", f.name("registry")}, f.labels("registry")...)
	args = append(args, "--label", labelAddr+"="+f.Registry(),
		"--network", f.name("net"), "--network-alias", "registry",
		"--publish", fmt.Sprintf("%s:%d:%d", f.block.ip(registryIP), registryPort, registryPort),
		image, "docker-registry", "serve", "/etc/docker/registry/fleet.yml")
	_, err := docker(ctx, args...)
	return err
}

func (f *Fleet) makeHosts(count int) {
	f.hosts = nil
	for i := 1; i <= count; i++ {
		f.hosts = append(f.hosts, &Host{
			Name: "vm" + strconv.Itoa(i), Address: f.block.ip(i),
			SSHPort: f.ports.ssh, HTTPPort: f.ports.http, HTTPSPort: f.ports.https, fleet: f,
		})
	}
}

func (f *Fleet) save() error {
	text, err := json.Marshal(savedFleet{
		ID: f.id, Keep: f.keep, Arch: f.arch, Hosts: len(f.hosts), Block: [2]int{f.block.n, f.block.m},
		Ports: [3]int{f.ports.ssh, f.ports.http, f.ports.https},
	})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(f.dir, fleetFile), text, 0o600)
}

func (f *Fleet) prepareDocker(ctx context.Context, buildx bool) error {
	plugins := filepath.Join(f.dockerConfig(), "cli-plugins")
	if err := os.MkdirAll(plugins, 0o700); err != nil || !buildx {
		return err
	}
	folder, err := Buildx(ctx, f.note)
	if err != nil {
		return err
	}
	return os.Symlink(filepath.Join(folder, "docker-buildx"), filepath.Join(plugins, "docker-buildx"))
}

// Helpers

func (f *Fleet) variables() []string {
	home := filepath.Join(f.dir, "home")
	return []string{
		"DOCKER_CONFIG=" + f.dockerConfig(),
		"XDG_CONFIG_HOME=" + filepath.Join(home, "config"),
		"XDG_STATE_HOME=" + filepath.Join(home, "state"),
		"XDG_CACHE_HOME=" + filepath.Join(home, "cache"),
		"XDG_DATA_HOME=" + filepath.Join(home, "data"),
	}
}

func (f *Fleet) name(part string) string { return "binnacle-e2e-" + f.id + "-" + part }
func (f *Fleet) bin() string             { return filepath.Join(f.dir, "bin") }
func (f *Fleet) proxyArchive() string    { return filepath.Join(f.bin(), "proxy.tar") }
func (f *Fleet) dockerConfig() string    { return filepath.Join(f.dir, "docker") }

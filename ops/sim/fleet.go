package sim

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// Options say what fleet to start. The zero value is the demo: three web hosts, one job host, Postgres and
// Redis, v1 stopped and v2 running everywhere, visitors.
type Options struct {
	// Hosts is the number of web hosts, 3 by default; one job host comes with every 8 of them.
	Hosts int
	// Names gives the hosts names of their own; the roles are then up to whoever deploys. It implies Blank.
	Names []string
	// Blank starts hosts on which nothing was ever deployed.
	Blank bool
	// Seed lets what is random differ; the same seed gives the same fleet.
	Seed uint64
	// Dir is where the key pair and the SSH configuration of the run are written; by default a temporary
	// directory, made when somebody asks for it, which Close removes.
	Dir string
	// Clock is the fleet's time; RealClock by default.
	Clock Clock
	// Images replaces the registry's content.
	Images []Image
	// Visitors is the number of requests per second over all hosts, 12 by default; below zero there are none.
	Visitors float64
	// Faults are switched on from the start, by host name.
	Faults map[string][]Fault
}

// Fleet is a running demo fleet.
type Fleet struct {
	clock    Clock
	schedule *schedule
	registry *imageRegistry
	api      *apiServer
	keys     keyPair
	hosts    []*host
	byName   map[string]*host
	jobs     int // how many of the hosts, at the end, are job hosts
	blank    bool
	seedText string
	dir      string
	ownDir   bool
	dirOnce  sync.Once
	dirErr   error

	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
}

// Host is how one host of the fleet can be reached.
type Host struct {
	// Name is the host's name in deploy.yml and in the SSH configuration.
	Name string
	// SSH is the address of its SSH server on this machine.
	SSH string
	// HTTP is the address of its proxy on this machine; empty on hosts without one.
	HTTP string
}

// Start starts a fleet; it lives until Close, or until ctx ends and Close is called.
func Start(ctx context.Context, o Options) (*Fleet, error) {
	f := &Fleet{clock: o.Clock, byName: map[string]*host{}, seedText: fmt.Sprint(o.Seed), dir: o.Dir, blank: o.Blank || len(o.Names) > 0}
	if f.clock == nil {
		f.clock = RealClock{}
	}
	f.ctx, f.cancel = context.WithCancel(ctx)
	f.schedule = newSchedule(f.clock)
	f.spawn(func() { f.schedule.run(f.ctx) })
	images := o.Images
	if images == nil {
		images = demoImages()
	}
	f.registry = newRegistry(images, RegistryUser, RegistryPassword, f.clock.Now())
	f.api = newAPIServer(f)
	if err := f.open(o); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Close ends every connection, waits for all that the fleet started and removes the directory it made.
func (f *Fleet) Close() error {
	f.cancel()
	errs := []error{f.dirErr}
	for _, h := range f.hosts {
		if h.sshd != nil {
			h.sshd.close()
		}
		if h.front != nil {
			errs = append(errs, h.front.close())
		}
	}
	f.api.stop()
	f.work.Wait()
	if f.ownDir {
		errs = append(errs, os.RemoveAll(f.dir))
	}
	return errors.Join(errs...)
}

// Dir is the directory with the key pair and the SSH configuration. Without Options.Dir it is made at the first
// call; what fails then is told by Close.
func (f *Fleet) Dir() string {
	f.dirOnce.Do(f.makeDir)
	return f.dir
}

// SSHConfig is the path of the fleet's SSH configuration, in Dir.
func (f *Fleet) SSHConfig() string { return filepath.Join(f.Dir(), "ssh_config") }

// Hosts lists the hosts, web hosts first.
func (f *Fleet) Hosts() []Host {
	out := make([]Host, len(f.hosts))
	for i, h := range f.hosts {
		out[i] = Host{Name: h.name, SSH: h.sshd.addr}
		if h.front != nil {
			out[i].HTTP = h.front.listener.Addr().String()
		}
	}
	return out
}

// AddImage puts another image into the registry.
func (f *Fleet) AddImage(img Image) { f.registry.add(img, f.clock.Now()) }

// Metrics is the metrics page of one host's proxy, empty for an unknown host.
func (f *Fleet) Metrics(hostName string) string {
	h := f.byName[hostName]
	if h == nil {
		return ""
	}
	return h.proxy.metrics()
}

// Private

// keyPair is what a run makes anew: the server's host key and the key that it lets in.
type keyPair struct {
	host      ssh.Signer
	client    ssh.Signer
	clientPEM []byte
}

func newKeyPair() (keyPair, error) {
	_, hostKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return keyPair{}, fmt.Errorf("making the demo fleet's host key: %w", err)
	}
	_, clientKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return keyPair{}, fmt.Errorf("making the demo fleet's key: %w", err)
	}
	var k keyPair
	if k.host, err = ssh.NewSignerFromKey(hostKey); err != nil {
		return k, err
	}
	if k.client, err = ssh.NewSignerFromKey(clientKey); err != nil {
		return k, err
	}
	block, err := ssh.MarshalPrivateKey(clientKey, "binnacle demo")
	if err != nil {
		return k, err
	}
	k.clientPEM = pem.EncodeToMemory(block)
	return k, nil
}

// open makes the hosts and writes down how to reach them.
func (f *Fleet) open(o Options) error {
	var err error
	if f.keys, err = newKeyPair(); err != nil {
		return err
	}
	names := f.hostNames(o)
	visitors := o.Visitors
	if visitors == 0 {
		visitors = 12
	}
	for i, name := range names {
		h := newHost(f, name, i+1)
		f.hosts = append(f.hosts, h)
		f.byName[name] = h
		if h.sshd, err = newSSHD(h); err != nil {
			return err
		}
		if i >= len(names)-f.jobs {
			continue
		}
		if h.front, err = openFront(h); err != nil {
			return err
		}
		if visitors > 0 {
			h.traffic.gap = time.Duration(float64(time.Second) * float64(len(names)-f.jobs) / visitors)
		}
	}
	if !f.blank {
		f.populate()
	}
	for name, faults := range o.Faults {
		for _, fault := range faults {
			if err := f.SetFault(name, fault, true); err != nil {
				return err
			}
		}
	}
	if f.dir != "" {
		return f.writeKeys(f.dir)
	}
	return nil
}

// makeDir makes the temporary directory of a fleet that was given none.
func (f *Fleet) makeDir() {
	if f.dir != "" {
		return
	}
	if f.dir, f.dirErr = os.MkdirTemp("", "binnacle-demo-"); f.dirErr == nil {
		f.ownDir = true
		f.dirErr = f.writeKeys(f.dir)
	}
}

func (f *Fleet) hostNames(o Options) []string {
	if len(o.Names) > 0 {
		return o.Names
	}
	webs := o.Hosts
	if webs <= 0 {
		webs = 3
	}
	f.jobs = (webs + 7) / 8
	var names []string
	for i := range webs {
		names = append(names, fmt.Sprintf("web-%d", i+1))
	}
	for i := range f.jobs {
		names = append(names, fmt.Sprintf("job-%d", i+1))
	}
	return names
}

// spawn starts a goroutine that Close waits for.
func (f *Fleet) spawn(work func()) { f.work.Go(work) }

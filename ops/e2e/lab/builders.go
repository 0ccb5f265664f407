package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// Builders is a machine to build on: the engine of one host of the fleet, which
// stands in for this machine's own as the engine in a virtual machine does where
// people work on another system than Linux. What it publishes on its loopback
// address is on ours. So builders and the local registry, whose names Kamal
// fixes, never meet those of the person at this machine or of another run.
//
// What cannot be had here: buildpacks (pack and its builder images come from a
// registry) and Docker's cloud.
type Builders struct {
	fleet *Fleet
	desk  *Host
	port  int
	home  string
	ready []*Host // hosts whose engine can run BuildKit
	ssh   *exec.Cmd
}

// Builders makes the engine of a host this machine's own.
func (f *Fleet) Builders(ctx context.Context, desk *Host) (*Builders, error) {
	b := &Builders{fleet: f, desk: desk}
	if err := b.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("making %s a machine to build on: %w", desk.Name, err), b.Close(ctx))
	}
	return b, nil
}

// Registry is the address of the local registry: localhost and a free port.
func (b *Builders) Registry() string { return "localhost:" + strconv.Itoa(b.port) }

// Environ is what Fleet.Environ is, with the engine, and with an ssh that knows
// the fleet's hosts: Docker runs ssh(1), which does not take the place of its
// configuration from the environment.
func (b *Builders) Environ() []string {
	return append(b.fleet.Environ(), "DOCKER_HOST=unix://"+b.socket(), "DOCKER_CONFIG="+filepath.Join(b.home, "docker"), "HOME="+b.home,
		"PATH="+filepath.Join(b.home, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// Prepare lets BuildKit run on a host, which then can be a remote builder.
func (b *Builders) Prepare(ctx context.Context, h *Host) error {
	archive, err := b.fleet.buildkitArchive(ctx)
	if err != nil {
		return err
	}
	b.ready = append(b.ready, h)
	if _, err := h.Exec(ctx, privilegedScript); err != nil {
		return err
	}
	return h.loadFile(ctx, archive)
}

// Close ends the use of the hosts' engines. What is on them stays until Reset.
func (b *Builders) Close(ctx context.Context) error {
	var problems []error
	if b.ssh != nil {
		problems = append(problems, b.ssh.Process.Kill())
		_ = b.ssh.Wait()
	}
	for _, h := range b.ready {
		_, err := h.Exec(ctx, unprivilegedScript)
		problems = append(problems, err)
	}
	return errors.Join(append(problems, os.RemoveAll(b.home))...)
}

// Private

// privilegedScript puts a program in runc's place that leaves out the one
// capability which a host of the fleet has not: BuildKit's container asks for
// all of them. unprivilegedScript takes it away again.
const (
	privilegedScript = `set -e
[ ! -e /usr/sbin/runc.real ] || exit 0
cat > /usr/sbin/runc.lab <<'END'
#!/bin/sh
previous= spec=
for word; do
  case $previous in
    --bundle) spec=$word/config.json ;;
    --process) spec=$word ;;
  esac
  previous=$word
done
[ ! -f "$spec" ] || sed -i 's/,"CAP_SYS_RESOURCE"//g; s/"CAP_SYS_RESOURCE",//g' "$spec"
exec /usr/sbin/runc.real "$@"
END
chmod 755 /usr/sbin/runc.lab
cp /usr/sbin/runc /usr/sbin/runc.real
mv /usr/sbin/runc.lab /usr/sbin/runc
`
	unprivilegedScript = `[ ! -e /usr/sbin/runc.real ] || mv /usr/sbin/runc.real /usr/sbin/runc`
)

func (b *Builders) socket() string { return filepath.Join(b.home, "docker.sock") }

func (b *Builders) start(ctx context.Context) error {
	var err error
	if b.port, err = freePort(); err != nil {
		return err
	}
	if err := b.makeHome(); err != nil {
		return err
	}
	if err := b.Prepare(ctx, b.desk); err != nil {
		return err
	}
	archive, err := b.fleet.registryArchive(ctx)
	if err != nil {
		return err
	}
	if err := b.desk.loadFile(ctx, archive); err != nil {
		return err
	}
	return b.connect(ctx)
}

// connect brings the engine's socket and the registry's port here.
func (b *Builders) connect(ctx context.Context) error {
	port := fmt.Sprintf("127.0.0.1:%d", b.port)
	b.ssh = exec.CommandContext(context.WithoutCancel(ctx), "ssh", "-N", "-F", b.fleet.SSHConfig(), "-o", "ExitOnForwardFailure=yes",
		"-L", b.socket()+":/var/run/docker.sock", "-L", port+":"+port, b.desk.Name)
	if err := b.ssh.Start(); err != nil {
		b.ssh = nil
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		_, err := output(ctx, command{name: "docker", args: []string{"version"}, env: []string{"DOCKER_HOST=unix://" + b.socket()}})
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// makeHome makes a home with Docker's settings, the fleet's ssh configuration,
// and an ssh that reads it from there.
func (b *Builders) makeHome() error {
	var err error
	if b.home, err = os.MkdirTemp(b.fleet.dir, "home-"); err != nil {
		return err
	}
	for _, folder := range []string{".ssh", "bin", "docker"} {
		if err := os.Mkdir(filepath.Join(b.home, folder), 0o700); err != nil {
			return err
		}
	}
	plugins := "cli-plugins"
	if err := os.Symlink(filepath.Join(b.fleet.dockerConfig(), plugins), filepath.Join(b.home, "docker", plugins)); err != nil {
		return err
	}
	config := "Include " + b.fleet.SSHConfig() + "\n"
	if err := os.WriteFile(filepath.Join(b.home, ".ssh", "config"), []byte(config), 0o600); err != nil {
		return err
	}
	const script = "#!/bin/sh\nPATH=${PATH#*:}\nexec ssh -F \"$HOME/.ssh/config\" \"$@\"\n"
	return os.WriteFile(filepath.Join(b.home, "bin", "ssh"), []byte(script), 0o700)
}

// loadFile loads an archive of an image on the host's engine.
func (h *Host) loadFile(ctx context.Context, archive string) error {
	content, err := os.ReadFile(archive)
	if err != nil {
		return err
	}
	return h.load(ctx, content)
}

// Helpers

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = listener.Close() }()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(port)
}

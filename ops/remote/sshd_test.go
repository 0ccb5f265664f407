package remote

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

const sshdPath = "/usr/sbin/sshd"

// sshd is a real OpenSSH server on a loopback port. Each connection gets a
// process of its own (sshd -i), so that one can be cut.
type sshd struct {
	t        *testing.T
	dir      string
	port     int
	hostKey  ssh.Signer
	log      *lockedBuffer
	listener *net.TCPListener
	extra    []string

	mu       sync.Mutex
	children []*exec.Cmd
	accepted int
	serving  sync.WaitGroup
}

// startSSHD serves with the given lines added in front of its configuration.
func startSSHD(t *testing.T, authorized []ssh.PublicKey, config ...string) *sshd {
	t.Helper()
	if _, err := os.Stat(sshdPath); err != nil {
		if os.Getenv("BINNACLE_REQUIRE_SSHD") == "1" {
			t.Fatalf("BINNACLE_REQUIRE_SSHD is 1 and there is no %s", sshdPath)
		}
		t.Skipf("no %s", sshdPath)
	}
	if os.Getuid() == 0 {
		// Where sshd separates its privileges; its service makes it at boot.
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s := &sshd{t: t, dir: t.TempDir(), log: &lockedBuffer{}}
	var keys bytes.Buffer
	for _, key := range authorized {
		keys.Write(ssh.MarshalAuthorizedKey(key))
	}
	writeFile(t, filepath.Join(s.dir, "authorized_keys"), keys.String())
	s.extra = config
	s.newHostKey()
	listener, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	s.listener, s.port = listener, listener.Addr().(*net.TCPAddr).Port
	s.serving.Go(s.serve)
	t.Cleanup(func() {
		_ = listener.Close()
		s.cut()
		s.serving.Wait()
		if t.Failed() {
			t.Logf("sshd said:\n%s", s.log)
		}
	})
	return s
}

func (s *sshd) serve() {
	for {
		conn, err := s.listener.AcceptTCP()
		if err != nil {
			return
		}
		file, err := conn.File()
		_ = conn.Close()
		if err != nil {
			return
		}
		cmd := exec.Command(sshdPath, "-i", "-e", "-f", filepath.Join(s.dir, "sshd_config"))
		cmd.Stdin, cmd.Stdout, cmd.Stderr = file, file, s.log
		cmd.WaitDelay = time.Second
		s.mu.Lock()
		err = cmd.Start()
		if err == nil {
			s.children = append(s.children, cmd)
			s.accepted++
			s.serving.Go(func() { _ = cmd.Wait() })
		}
		s.mu.Unlock()
		_ = file.Close()
	}
}

// cut kills every connection as a failing network would.
func (s *sshd) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, cmd := range s.children {
		pids, _ := exec.Command("pgrep", "-P", strconv.Itoa(cmd.Process.Pid)).Output()
		_ = cmd.Process.Kill()
		for pid := range strings.FieldsSeq(string(pids)) {
			if n, err := strconv.Atoi(pid); err == nil {
				if child, err := os.FindProcess(n); err == nil {
					_ = child.Kill()
				}
			}
		}
	}
	s.children = nil
}

func (s *sshd) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

// newHostKey makes the server show another key from the next connection on.
func (s *sshd) newHostKey() {
	s.t.Helper()
	var key string
	s.hostKey, key = newKey(s.t)
	path := filepath.Join(s.dir, fmt.Sprintf("host_key_%d", time.Now().UnixNano()))
	writeFile(s.t, path, key)
	s.configure(path)
}

func (s *sshd) configure(hostKeys ...string) {
	lines := append([]string{}, s.extra...)
	for _, key := range hostKeys {
		lines = append(lines, "HostKey "+key)
	}
	lines = append(lines,
		"AuthorizedKeysFile "+filepath.Join(s.dir, "authorized_keys"),
		"StrictModes no", "UsePAM no", "PidFile none", "PasswordAuthentication no", "KbdInteractiveAuthentication no",
		"PermitRootLogin prohibit-password", "PrintMotd no", "PrintLastLog no", "LogLevel VERBOSE",
		"SetEnv SHLVL=9") // so that bash does not read the .bashrc of whoever runs the tests
	writeFile(s.t, filepath.Join(s.dir, "sshd_config"), strings.Join(lines, "\n")+"\n")
}

// knownLine is the server's line for a known_hosts file.
func (s *sshd) knownLine() string {
	return knownLine("[127.0.0.1]:"+strconv.Itoa(s.port), false, s.hostKey.PublicKey()) + "\n"
}

// bench is a home directory with a key, and a Pool on it.
type bench struct {
	t      *testing.T
	home   string
	key    ssh.Signer
	env    map[string]string
	asker  Asker
	set    Settings
	system string
	last   *sshd
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, home: t.TempDir(), system: t.TempDir(), env: map[string]string{}}
	var text string
	b.key, text = newKey(t)
	writeFile(t, b.path("id_ed25519"), text)
	return b
}

func (b *bench) path(name string) string { return filepath.Join(b.home, ".ssh", name) }

// config writes ~/.ssh/config.
func (b *bench) config(lines ...string) {
	writeFile(b.t, b.path("config"), strings.Join(lines, "\n")+"\n")
}

// know puts the servers on record.
func (b *bench) know(servers ...*sshd) {
	var text string
	for _, s := range servers {
		text += s.knownLine()
	}
	writeFile(b.t, b.path("known_hosts"), text)
}

// host is a Host block for a server.
func (b *bench) host(alias string, s *sshd, more ...string) string {
	return fmt.Sprintf("Host %s\n  HostName 127.0.0.1\n  Port %d\n  User %s\n  %s\n", alias, s.port, currentUser(b.t), strings.Join(more, "\n  "))
}

func (b *bench) pool() *Pool {
	b.t.Helper()
	p := NewPool(b.t.Context(), b.set, Local{
		Home: b.home, Dir: b.home, SystemDir: b.system,
		Getenv: func(name string) string { return b.env[name] },
	}, b.asker, slog.New(slog.DiscardHandler))
	b.t.Cleanup(func() { _ = p.Close() })
	return p
}

// server starts an sshd that takes the bench's key, known and named "vm1".
func (b *bench) server(config ...string) *sshd {
	b.t.Helper()
	s := startSSHD(b.t, []ssh.PublicKey{b.key.PublicKey()}, config...)
	b.know(s)
	b.config(b.host("vm1", s))
	b.last = s
	return s
}

// authorize has the server take another key as well.
func (b *bench) authorize(key ssh.PublicKey) {
	path := filepath.Join(b.last.dir, "authorized_keys")
	writeFile(b.t, path, readFile(b.t, path)+string(ssh.MarshalAuthorizedKey(key)))
}

// Helpers

func newKey(t *testing.T) (ssh.Signer, string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return encodeKey(t, private)
}

func newECDSAKey(t *testing.T) (ssh.Signer, string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return encodeKey(t, private)
}

// newLockedKey has ssh-keygen encrypt a key, cheaply: the usual effort takes
// seconds under the race detector.
func newLockedKey(t *testing.T, passphrase string) (ssh.PublicKey, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-a", "1", "-N", passphrase, "-f", path).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v: %s", err, out)
	}
	return readPublic(path), readFile(t, path)
}

func encodeKey(t *testing.T, private any) (ssh.Signer, string) {
	t.Helper()
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	return signer, string(pem.EncodeToMemory(block))
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func currentUser(t *testing.T) string {
	t.Helper()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return u.Username
}

// within gives a test's remote actions a limit.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// eventually polls a condition of the outside world.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

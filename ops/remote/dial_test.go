package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

func TestTheWaysToAHost(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		prepare func(t *testing.T, b *bench) (via *sshd, jumps int)
	}{
		{"Include in the middle of a file", func(t *testing.T, b *bench) (*sshd, int) {
			server := b.server()
			writeFile(t, b.path("hosts.d/one.conf"), b.host("vm1", server))
			b.config("Include hosts.d/*.conf", "Host *", "  Port 1", "  User nobody")
			return nil, 0
		}},
		{"Match by host and user", func(t *testing.T, b *bench) (*sshd, int) {
			server := b.server()
			b.config("Match originalhost vm1 user nobody", "  Port 1", "Host vm1", "  HostName 127.0.0.1", "  User "+currentUser(t),
				"Match host 127.0.0.* user "+currentUser(t), "  Port "+strconv.Itoa(server.port))
			return nil, 0
		}},
		{"deploy.yml over ssh_config", func(t *testing.T, b *bench) (*sshd, int) {
			server := b.server()
			b.config("Host vm1", "  HostName 127.0.0.1", "  Port 1", "  User nobody")
			b.set.User, b.set.Port = currentUser(t), server.port
			return nil, 0
		}},
		{"a config file of deploy.yml", func(t *testing.T, b *bench) (*sshd, int) {
			server := b.server()
			b.config("Host *", "  Port 1")
			writeFile(t, filepath.Join(b.home, "fleet.conf"), b.host("vm1", server))
			b.set.ConfigFiles = []string{"fleet.conf"}
			return nil, 0
		}},
		{"ProxyJump", func(t *testing.T, b *bench) (*sshd, int) {
			server := b.server()
			bastion := startSSHD(t, []ssh.PublicKey{b.key.PublicKey()})
			b.know(server, bastion)
			b.config(b.host("vm1", server, "ProxyJump bastion"), b.host("bastion", bastion))
			return bastion, 1
		}},
		{"a chain of ProxyJump", func(t *testing.T, b *bench) (*sshd, int) {
			server := b.server()
			bastion := startSSHD(t, []ssh.PublicKey{b.key.PublicKey()})
			b.know(server, bastion)
			b.config(b.host("vm1", server, "ProxyJump outer,inner"), b.host("outer", bastion), b.host("inner", bastion, "ProxyJump none"))
			return bastion, 2
		}},
		{"the proxy of deploy.yml", func(t *testing.T, b *bench) (*sshd, int) {
			server := b.server()
			bastion := startSSHD(t, []ssh.PublicKey{b.key.PublicKey()})
			b.know(server, bastion)
			b.config(b.host("vm1", server, "ProxyCommand false"))
			b.set.Proxy = fmt.Sprintf("%s@127.0.0.1:%d", currentUser(t), bastion.port)
			return bastion, 1
		}},
		{"ProxyCommand", func(t *testing.T, b *bench) (*sshd, int) {
			server := b.server()
			b.config(b.host("vm1", server, fmt.Sprintf("ProxyCommand %s -i -f %s # %%h %%p %%r %%n", sshdPath, filepath.Join(server.dir, "sshd_config"))))
			return nil, 0
		}},
		{"an address that needs no ssh_config", func(t *testing.T, b *bench) (*sshd, int) {
			server := b.server()
			b.config("Host vm1", "  HostName 127.0.0.1")
			b.set.Port, b.set.User = server.port, currentUser(t)
			return nil, 0
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			via, jumps := tc.prepare(t, b)
			pool := b.pool()
			if out, err := pool.Host("vm1").Output(within(t), "echo hello"); err != nil || out != "hello\n" {
				t.Fatalf("got %q, %v", out, err)
			}
			if via != nil && via.connections() != jumps {
				t.Errorf("%d connections to the jump host, want %d", via.connections(), jumps)
			}
		})
	}
}

func TestHostsBehindOneJumpHostShareItsConnection(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	bastion := b.server()
	inner := startSSHD(t, []ssh.PublicKey{b.key.PublicKey()})
	b.know(bastion, inner)
	b.config(b.host("bastion", bastion), b.host("a b c d", inner, "ProxyJump bastion"))
	b.set.MaxConcurrentStarts = 1
	if err := b.pool().Prewarm(within(t), []string{"a", "b", "c", "d"}); err != nil {
		t.Fatal(err)
	}
	if bastion.connections() != 1 || inner.connections() != 4 {
		t.Errorf("%d connections to the jump host, %d behind it", bastion.connections(), inner.connections())
	}
}

func TestFailuresSayWhereAndWhy(t *testing.T) {
	t.Parallel()
	silent := listen(t)
	closed := listen(t)
	_ = closed.Close()
	deaf := listen(t)
	go func() {
		for {
			conn, err := deaf.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("Exceeded MaxStartups\r\n"))
			_ = conn.Close()
		}
	}()
	address := func(l net.Listener) string { return l.Addr().String() }
	for _, tc := range []struct {
		name   string
		host   string
		config []string
		set    func(*Settings)
		kind   Kind
		text   []string
	}{
		{name: "nothing listens", host: address(closed), kind: Unreachable, text: []string{"dialing " + address(closed) + ": connection refused", "is sshd running"}},
		{name: "no answer", host: address(silent), kind: Timeout, set: func(s *Settings) { s.DialTimeout = 50 * time.Millisecond }, text: []string{"no answer in time", "50ms"}},
		{name: "turned away", host: address(deaf), kind: Unreachable, text: []string{"before its greeting", "MaxStartups"}},
		{name: "no such name", host: "no-such-host.invalid", kind: Unreachable, text: []string{"no-such-host.invalid", "HostName"}, set: func(s *Settings) { none := 0; s.DNSRetries = &none }},
		{name: "a dead jump host", host: "vm1", config: []string{"Host vm1", "ProxyJump " + address(closed)}, kind: Unreachable,
			text: []string{"vm1: dialing vm1:22: jump host 127.0.0.1: dialing " + address(closed) + ": connection refused"}},
		{name: "a loop", host: "vm1", config: []string{"Host *", "ProxyJump bastion"}, kind: Misconfigured, text: []string{"form a loop"}},
		{name: "a failing ProxyCommand", host: "vm1", config: []string{"Host vm1", "ProxyCommand sh -c 'echo no tunnel today >&2; exit 3'"}, kind: Unreachable, text: []string{"no tunnel today", "ProxyCommand"}},
		{name: "a file that is not there", host: "vm1", set: func(s *Settings) { s.ConfigFiles = []string{"missing.conf"} }, kind: Misconfigured, text: []string{"missing.conf"}},
		{name: "a broken file", host: "vm1", config: []string{"Host vm1", "Port \"22"}, kind: Misconfigured, text: []string{"config:2", "quote"}},
		{name: "a name that is none", host: "vm1:port", kind: Misconfigured, text: []string{"port is not a port"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.config(tc.config...)
			if tc.set != nil {
				tc.set(&b.set)
			}
			pool := b.pool()
			pool.jitter = func(time.Duration) time.Duration { return 0 }
			err := pool.Host(tc.host).Connect(within(t))
			var conn *ConnError
			if !errors.As(err, &conn) || conn.Kind != tc.kind || conn.Host != tc.host {
				t.Fatalf("got %v (%+v)", err, conn)
			}
			for _, text := range tc.text {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q lacks %q", err, text)
				}
			}
		})
	}
}

func TestKeysAreFoundAsSSHFindsThem(t *testing.T) {
	t.Parallel()
	yes := true
	for _, tc := range []struct {
		name    string
		prepare func(t *testing.T, b *bench)
		refused []string // what the error has to say; nil: it works
	}{
		{name: "a default key", prepare: func(*testing.T, *bench) {}},
		{name: "IdentityFile with tokens", prepare: func(t *testing.T, b *bench) {
			b.move("id_ed25519", "keys/vm1.key")
			b.config(readFile(t, b.path("config")), "Host vm1", "  IdentityFile %d/.ssh/keys/%n.key")
		}},
		{name: "keys of deploy.yml", prepare: func(t *testing.T, b *bench) {
			b.move("id_ed25519", "other")
			b.set.Keys, b.set.KeysOnly = []string{"~/.ssh/other"}, &yes
		}},
		{name: "key_data of deploy.yml", prepare: func(t *testing.T, b *bench) {
			b.set.KeyData, b.set.KeysOnly = []string{readFile(t, b.path("id_ed25519"))}, &yes
			b.move("id_ed25519", "gone")
		}},
		{name: "IdentityAgent", prepare: func(t *testing.T, b *bench) {
			socket := startAgent(t)
			addToAgent(t, socket, b.path("id_ed25519"))
			b.move("id_ed25519", "gone")
			b.config("IdentityAgent "+socket, readFile(t, b.path("config")))
		}},
		{name: "IdentityAgent by variable", prepare: func(t *testing.T, b *bench) {
			b.env["MY_AGENT"] = startAgent(t)
			addToAgent(t, b.env["MY_AGENT"], b.path("id_ed25519"))
			b.move("id_ed25519", "gone")
			b.config("IdentityAgent $MY_AGENT", readFile(t, b.path("config")))
		}},
		{name: "SSH_AUTH_SOCK", prepare: func(t *testing.T, b *bench) {
			b.env["SSH_AUTH_SOCK"] = startAgent(t)
			addToAgent(t, b.env["SSH_AUTH_SOCK"], b.path("id_ed25519"))
			b.move("id_ed25519", "gone")
		}},
		{name: "the one agent key that a public key names", prepare: func(t *testing.T, b *bench) {
			b.env["SSH_AUTH_SOCK"] = startAgent(t)
			for i := range 7 { // more than sshd has patience for
				_, other := newKey(t)
				path := b.path("other" + strconv.Itoa(i))
				writeFile(t, path, other)
				addToAgent(t, b.env["SSH_AUTH_SOCK"], path)
			}
			addToAgent(t, b.env["SSH_AUTH_SOCK"], b.path("id_ed25519"))
			b.move("id_ed25519", "gone")
			writeFile(t, b.path("mine.pub"), string(ssh.MarshalAuthorizedKey(b.key.PublicKey())))
			b.config("IdentitiesOnly yes", "IdentityFile ~/.ssh/mine.pub", readFile(t, b.path("config")))
		}},
		{name: "IdentityAgent none", refused: []string{"there was no key to offer", "authorized_keys"}, prepare: func(t *testing.T, b *bench) {
			b.env["SSH_AUTH_SOCK"] = startAgent(t)
			addToAgent(t, b.env["SSH_AUTH_SOCK"], b.path("id_ed25519"))
			b.move("id_ed25519", "gone")
			b.config("IdentityAgent none", readFile(t, b.path("config")))
		}},
		{name: "keys_only leaves the agent out", refused: []string{"no such file"}, prepare: func(t *testing.T, b *bench) {
			b.env["SSH_AUTH_SOCK"] = startAgent(t)
			addToAgent(t, b.env["SSH_AUTH_SOCK"], b.path("id_ed25519"))
			b.move("id_ed25519", "gone")
			b.set.Keys, b.set.KeysOnly = []string{"~/.ssh/missing"}, &yes
		}},
		{name: "the wrong key", refused: []string{"no key was accepted; tried", "id_ed25519 SHA256:"}, prepare: func(t *testing.T, b *bench) {
			_, other := newKey(t)
			writeFile(t, b.path("id_ed25519"), other)
		}},
		{name: "a locked key and nobody to ask", refused: []string{"encrypted, and nobody to ask"}, prepare: func(t *testing.T, b *bench) {
			b.authorize(b.lock("a passphrase"))
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.server()
			tc.prepare(t, b)
			err := b.pool().Host("vm1").Connect(within(t))
			if tc.refused == nil {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var conn *ConnError
			if !errors.As(err, &conn) || conn.Kind != Auth {
				t.Fatalf("got %v", err)
			}
			for _, text := range tc.refused {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q lacks %q", err, text)
				}
			}
		})
	}
}

func TestTheAgentIsForwarded(t *testing.T) {
	t.Parallel()
	no := false
	for _, tc := range []struct {
		name    string
		forward *bool
		want    bool
	}{{"by default, as Kamal does", nil, true}, {"not when switched off", &no, false}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.server()
			b.env["SSH_AUTH_SOCK"] = startAgent(t)
			addToAgent(t, b.env["SSH_AUTH_SOCK"], b.path("id_ed25519"))
			b.set.ForwardAgent = tc.forward
			out, err := b.pool().Host("vm1").Output(within(t), "ssh-add -l 2>&1 || true")
			if err != nil || strings.Contains(out, ssh.FingerprintSHA256(b.key.PublicKey())) != tc.want {
				t.Errorf("ssh-add on the host: %q, %v", out, err)
			}
		})
	}
}

func TestAPassphraseIsAskedForOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	server := startSSHD(t, []ssh.PublicKey{b.lock("open sesame")})
	b.know(server)
	b.config(b.host("vm1 vm2 vm3", server))
	asker := &scriptedAsker{passphrases: []string{"wrong", "open sesame"}}
	b.asker = asker
	pool := b.pool()
	if err := pool.Prewarm(within(t), []string{"vm1", "vm2", "vm3"}); err != nil {
		t.Fatal(err)
	}
	want := []string{b.path("id_ed25519") + " false", b.path("id_ed25519") + " true"}
	if fmt.Sprint(asker.asked) != fmt.Sprint(want) {
		t.Errorf("asked %v, want %v", asker.asked, want)
	}
}

func TestAnotherKeyIsTriedWhenAPassphraseIsNotGiven(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	second, text := newECDSAKey(t)
	writeFile(t, b.path("second"), text)
	server := startSSHD(t, []ssh.PublicKey{b.lock("forgotten"), second.PublicKey()})
	b.know(server)
	b.config(b.host("vm1", server, "IdentityFile ~/.ssh/id_ed25519", "IdentityFile ~/.ssh/second"))
	b.asker = &scriptedAsker{}
	if err := b.pool().Host("vm1").Connect(within(t)); err != nil {
		t.Error(err)
	}
}

func TestAFailedDialIsNotHammered(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	pool := b.pool()
	var waits []time.Duration
	pool.jitter = func(d time.Duration) time.Duration { waits = append(waits, d); return 0 }
	dials := 0
	pool.dialNet = func(context.Context, string, string) (net.Conn, error) {
		dials++
		return nil, errors.New("down")
	}
	for range 7 {
		if err := pool.Host("vm1").Connect(within(t)); err == nil {
			t.Fatal("connected to nothing")
		}
	}
	if fmt.Sprint(waits) != "[500ms 1s 2s 4s 8s 15s 15s]" || dials != 7 {
		t.Errorf("%d dials, waits %v", dials, waits)
	}
}

func TestCloseWaitsAndEndsEverything(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.server()
	pool := b.pool()
	host := pool.Host("vm1")
	var out lockedBuffer
	ended := make(chan error, 1)
	go func() {
		_, err := host.Run(within(t), Command{Shell: "echo up; exec sleep 20", Stdout: &out})
		ended <- err
	}()
	eventually(t, "the command runs", func() bool { return out.String() == "up\n" })
	if err := pool.Close(); err != nil {
		t.Fatal(err)
	}
	var conn *ConnError
	if err := <-ended; !errors.As(err, &conn) || conn.Kind != Closed {
		t.Errorf("the command ended with %v", err)
	}
	if err := host.Connect(within(t)); !errors.As(err, &conn) || conn.Kind != Closed {
		t.Errorf("after Close: %v", err)
	}
}

// scriptedAsker answers from lists and remembers the questions.
type scriptedAsker struct {
	mu          sync.Mutex
	passphrases []string
	trust       bool
	asked       []string
	keys        []HostKey
}

func (a *scriptedAsker) TrustHostKey(_ context.Context, key HostKey) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keys = append(a.keys, key)
	return a.trust, nil
}

func (a *scriptedAsker) Passphrase(_ context.Context, path string, again bool) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, fmt.Sprint(path, " ", again))
	if len(a.passphrases) == 0 {
		return nil, errors.New("no answer")
	}
	answer := a.passphrases[0]
	a.passphrases = a.passphrases[1:]
	return []byte(answer), nil
}

// move renames a file in ~/.ssh.
func (b *bench) move(from, to string) {
	b.t.Helper()
	writeFile(b.t, b.path(to), readFile(b.t, b.path(from)))
	if err := os.Remove(b.path(from)); err != nil {
		b.t.Fatal(err)
	}
}

// lock puts an encrypted key in the place of the default one.
func (b *bench) lock(passphrase string) ssh.PublicKey {
	b.t.Helper()
	key, text := newLockedKey(b.t, passphrase)
	writeFile(b.t, b.path("id_ed25519"), text)
	return key
}

// startAgent runs a real ssh-agent.
func startAgent(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("ssh-agent")
	if err != nil {
		t.Skip("no ssh-agent")
	}
	dir, err := os.MkdirTemp("", "agent") // t.TempDir is too long a name for a socket
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	cmd := exec.Command(path, "-D", "-a", socket)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	})
	eventually(t, "the agent listens", func() bool {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return socket
}

func addToAgent(t *testing.T, socket, keyPath string) {
	t.Helper()
	key, err := ssh.ParseRawPrivateKey([]byte(readFile(t, keyPath)))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := agent.NewClient(conn).Add(agent.AddedKey{PrivateKey: key, Comment: filepath.Base(keyPath)}); err != nil {
		t.Fatal(err)
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

package sim

import (
	"bytes"
	"errors"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// fleetUnderTest is a fleet with one SSH connection per host.
type fleetUnderTest struct {
	*Fleet
	mu      sync.Mutex
	clients map[string]*ssh.Client
}

// start starts a fleet that ends with the test.
func start(t *testing.T, o Options) *fleetUnderTest {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	f, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	u := &fleetUnderTest{Fleet: f, clients: map[string]*ssh.Client{}}
	t.Cleanup(func() {
		for _, c := range u.clients {
			_ = c.Close()
		}
		if err := f.Close(); err != nil {
			t.Errorf("closing the fleet: %v", err)
		}
	})
	return u
}

// client connects to a host, or returns the connection that is there.
func (f *fleetUnderTest) client(t *testing.T, host string) *ssh.Client {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.clients[host]; c != nil {
		return c
	}
	c, err := f.dial(host)
	if err != nil {
		t.Fatalf("connecting to %s: %v", host, err)
	}
	f.clients[host] = c
	return c
}

func (f *fleetUnderTest) dial(host string) (*ssh.Client, error) {
	return ssh.Dial("tcp", f.byName[host].sshd.addr, &ssh.ClientConfig{
		User: "root", Auth: []ssh.AuthMethod{ssh.PublicKeys(f.keys.client)}, HostKeyCallback: ssh.FixedHostKey(f.keys.host.PublicKey()), Timeout: 10 * time.Second,
	})
}

// ssh runs a command line on a host.
func (f *fleetUnderTest) ssh(t *testing.T, host, line string) (out, errOut string, code int) {
	t.Helper()
	return f.sshIn(t, host, line, "")
}

func (f *fleetUnderTest) sshIn(t *testing.T, host, line, in string) (out, errOut string, code int) {
	t.Helper()
	s, err := f.client(t, host).NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	var o, e bytes.Buffer
	s.Stdin, s.Stdout, s.Stderr = strings.NewReader(in), &o, &e
	err = s.Run(line)
	var exit *ssh.ExitError
	switch {
	case errors.As(err, &exit):
		code = exit.ExitStatus()
	case err != nil:
		t.Fatalf("%s: %v", line, err)
	}
	return o.String(), e.String(), code
}

// until waits for a condition with a deadline, for what real sockets bring about.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		runtime.Gosched()
		<-time.After(5 * time.Millisecond)
	}
}

var (
	_ net.Conn = (*streamConn)(nil)
)

package remote

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

func TestAnUnknownHostKey(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		config string
		asker  *scriptedAsker
		asks   int
		works  bool
		says   []string
	}{
		{name: "nobody to ask", says: []string{"ssh-keyscan -p", "accept-new"}},
		{name: "a person accepts", asker: &scriptedAsker{trust: true}, asks: 1, works: true},
		{name: "a person refuses", asker: &scriptedAsker{}, asks: 1, says: []string{"not accepted"}},
		{name: "StrictHostKeyChecking accept-new", config: "StrictHostKeyChecking accept-new", works: true},
		{name: "StrictHostKeyChecking no is accept-new", config: "StrictHostKeyChecking no", works: true},
		{name: "StrictHostKeyChecking yes does not ask", config: "StrictHostKeyChecking yes", asker: &scriptedAsker{trust: true}, says: []string{"ssh-keyscan"}},
		{name: "names are hashed", config: "StrictHostKeyChecking accept-new\nHashKnownHosts yes", works: true},
		{name: "an alias", config: "StrictHostKeyChecking accept-new\nHostKeyAlias fleet-one", works: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			server := b.server()
			if err := os.Remove(b.path("known_hosts")); err != nil {
				t.Fatal(err)
			}
			b.config(b.host("vm1", server), tc.config)
			if tc.asker != nil {
				b.asker = tc.asker
			}
			pool := b.pool()
			err := pool.Host("vm1").Connect(within(t))
			fingerprint := ssh.FingerprintSHA256(server.hostKey.PublicKey())
			if tc.asker != nil {
				want := HostKey{Host: "vm1", Address: fmt.Sprintf("[127.0.0.1]:%d", server.port), Type: "ssh-ed25519", Fingerprint: fingerprint}
				if len(tc.asker.keys) != tc.asks || tc.asks > 0 && tc.asker.keys[0] != want {
					t.Errorf("asked about %+v", tc.asker.keys)
				}
			}
			if !tc.works {
				var conn *ConnError
				if !errors.As(err, &conn) || conn.Kind != HostKeyUnknown {
					t.Fatalf("got %v", err)
				}
				for _, text := range append(tc.says, fingerprint) {
					if !strings.Contains(err.Error(), text) {
						t.Errorf("%q lacks %q", err, text)
					}
				}
				if _, err := os.Stat(b.path("known_hosts")); err == nil {
					t.Error("the key was stored all the same")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			known := readFile(t, b.path("known_hosts"))
			if strings.Contains(known, "127.0.0.1") == (strings.Contains(tc.config, "Hash") || strings.Contains(tc.config, "Alias")) {
				t.Errorf("stored %q", known)
			}
			// Nobody is asked the next time, and another key is noticed.
			b.asker = nil
			if err := b.pool().Host("vm1").Connect(within(t)); err != nil {
				t.Errorf("the stored key was not found: %v", err)
			}
			server.newHostKey()
			var conn *ConnError
			if err := b.pool().Host("vm1").Connect(within(t)); !errors.As(err, &conn) || conn.Kind != HostKeyChanged {
				t.Errorf("with another key: %v", err)
			}
		})
	}
}

func TestAChangedHostKeyIsAlwaysRefused(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, config string }{
		{"by default", ""},
		{"accept-new", "StrictHostKeyChecking accept-new"},
		{"no", "StrictHostKeyChecking no"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			server := b.server()
			b.config(b.host("vm1", server), tc.config)
			writeFile(t, b.path("known_hosts"), "# a comment\n"+server.knownLine())
			before := ssh.FingerprintSHA256(server.hostKey.PublicKey())
			server.newHostKey()
			asker := &scriptedAsker{trust: true}
			b.asker = asker
			err := b.pool().Host("vm1").Connect(within(t))
			var conn *ConnError
			if !errors.As(err, &conn) || conn.Kind != HostKeyChanged {
				t.Fatalf("got %v", err)
			}
			for _, text := range []string{before, ssh.FingerprintSHA256(server.hostKey.PublicKey()), b.path("known_hosts") + ":2", "ssh-keygen -R"} {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q lacks %q", err, text)
				}
			}
			if len(asker.keys) != 0 {
				t.Error("a person was asked to accept a changed key")
			}
		})
	}
}

func TestTheServerIsAskedForTheKeyOnRecord(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	server := b.server()
	second, text := newECDSAKey(t)
	writeFile(t, server.dir+"/ecdsa", text)
	first := strings.TrimPrefix(lineWith(readFile(t, server.dir+"/sshd_config"), "HostKey "), "HostKey ")
	server.configure(first, server.dir+"/ecdsa")
	for _, key := range []ssh.PublicKey{server.hostKey.PublicKey(), second.PublicKey()} {
		writeFile(t, b.path("known_hosts"), knownLine("[127.0.0.1]:"+strconv.Itoa(server.port), true, key)+"\n")
		if err := b.pool().Host("vm1").Connect(within(t)); err != nil {
			t.Errorf("%s on record: %v", key.Type(), err)
		}
	}
}

func TestACertifiedHostKey(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	server := b.server()
	authority, _ := newKey(t)
	stranger, _ := newKey(t)
	cert := &ssh.Certificate{Key: server.hostKey.PublicKey(), CertType: ssh.HostCert, ValidPrincipals: []string{"127.0.0.1"}, ValidBefore: ssh.CertTimeInfinity}
	if err := cert.SignCert(rand.Reader, authority); err != nil {
		t.Fatal(err)
	}
	writeFile(t, server.dir+"/cert.pub", string(ssh.MarshalAuthorizedKey(cert)))
	config := readFile(t, server.dir+"/sshd_config")
	writeFile(t, server.dir+"/sshd_config", config+"HostCertificate "+server.dir+"/cert.pub\n")
	name := fmt.Sprintf("[127.0.0.1]:%d", server.port)
	for _, tc := range []struct {
		name, known string
		works       bool
	}{
		{"by the authority on record", "@cert-authority " + knownLine(name, false, authority.PublicKey()), true},
		{"by a stranger", "@cert-authority " + knownLine(name, false, stranger.PublicKey()), false},
		{"and revoked", "@cert-authority " + knownLine(name, false, authority.PublicKey()) + "\n@revoked " + knownLine("*", false, server.hostKey.PublicKey()), false},
		{"and the bare key is on record", knownLine(name, false, server.hostKey.PublicKey()), true},
		{"and the bare key is revoked", "@revoked " + knownLine("*", false, server.hostKey.PublicKey()) + "\n" + knownLine(name, false, server.hostKey.PublicKey()), false},
	} {
		writeFile(t, b.path("known_hosts"), tc.known+"\n")
		if err := b.pool().Host("vm1").Connect(within(t)); (err == nil) != tc.works {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

func TestKnownHostsLinesAreReadAsSSHReadsThem(t *testing.T) {
	t.Parallel()
	key, _ := newKey(t)
	public := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key.PublicKey())))
	for _, tc := range []struct {
		line, name string
		want       bool
	}{
		{"vm1 " + public, "vm1", true},
		{"vm1 " + public, "VM1", true},
		{"vm1 " + public, "[vm1]:2222", false},
		{"[vm1]:2222 " + public, "[vm1]:2222", true},
		{"vm2,10.0.0.?,vm1 " + public, "10.0.0.7", true},
		{"*.example.com,!db.example.com " + public, "web.example.com", true},
		{"*.example.com,!db.example.com " + public, "db.example.com", false},
		{knownhosts.HashHostname("[vm1]:2222") + " " + public, "[vm1]:2222", true},
		{knownhosts.HashHostname("vm1") + " " + public, "vm2", false},
		{"vm1 ssh-ed25519 garbage", "vm1", false},
	} {
		path := t.TempDir() + "/known_hosts"
		writeFile(t, path, "\n# comment\n"+tc.line)
		known, err := readKnown([]string{path, path + ".missing"})
		if err != nil {
			t.Fatal(err)
		}
		got := false
		for _, k := range known {
			got = got || k.covers(tc.name)
			if k.line != 3 {
				t.Errorf("%q is said to be in line %d", tc.line, k.line)
			}
		}
		if got != tc.want {
			t.Errorf("%q covers %s: %v", tc.line, tc.name, got)
		}
	}
}

func TestAddingToAFileWithoutAFinalNewline(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/.ssh/known_hosts"
	writeFile(t, path, "first")
	if err := addKnown(path, "second"); err != nil {
		t.Fatal(err)
	}
	if got := readFile(t, path); got != "first\nsecond\n" {
		t.Errorf("got %q", got)
	}
}

func lineWith(text, prefix string) string {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, prefix) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

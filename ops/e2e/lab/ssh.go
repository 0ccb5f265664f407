package lab

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
)

// SSHConfig is the ssh_config file through which ssh and binnacle reach the
// hosts by their names. Every host key stands in its known_hosts file.
func (f *Fleet) SSHConfig() string { return filepath.Join(f.dir, "ssh", "config") }

// SSHKey is the private key that every host accepts for root.
func (f *Fleet) SSHKey() string { return filepath.Join(f.dir, "ssh", "key") }

// KnownHosts is the file with the hosts' true keys.
func (f *Fleet) KnownHosts() string { return filepath.Join(f.dir, "ssh", "known_hosts") }

// Private

func (f *Fleet) makeKey() error {
	if err := os.MkdirAll(filepath.Dir(f.SSHKey()), 0o700); err != nil {
		return err
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	block, err := ssh.MarshalPrivateKey(private, "fleet "+f.id)
	if err != nil {
		return err
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		return err
	}
	if err := os.WriteFile(f.SSHKey()+".pub", ssh.MarshalAuthorizedKey(key), 0o600); err != nil {
		return err
	}
	return os.WriteFile(f.SSHKey(), pem.EncodeToMemory(block), 0o600)
}

func (f *Fleet) publicKey() string {
	text, err := os.ReadFile(f.SSHKey() + ".pub")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

func (f *Fleet) writeSSH(ctx context.Context) error {
	var config, known strings.Builder
	for _, h := range f.hosts {
		fmt.Fprintf(&config, "Host %s\n  HostName %s\n  Port %d\n  User root\n  IdentityFile %s\n  IdentitiesOnly yes\n  UserKnownHostsFile %s\n  StrictHostKeyChecking yes\n\n",
			h.Name, h.Address, h.SSHPort, f.SSHKey(), f.KnownHosts())
		keys, err := h.hostKeys(ctx)
		if err != nil {
			return err
		}
		address := h.Address
		if h.SSHPort != 22 {
			address = fmt.Sprintf("[%s]:%d", h.Address, h.SSHPort)
		}
		for _, key := range keys {
			fmt.Fprintf(&known, "%s %s\n", address, key)
		}
	}
	if err := os.WriteFile(f.KnownHosts(), []byte(known.String()), 0o600); err != nil {
		return err
	}
	return os.WriteFile(f.SSHConfig(), []byte(config.String()), 0o600)
}

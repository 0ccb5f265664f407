package backup_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"io"
	"strings"
	"testing"

	"filippo.io/age"
	"golang.org/x/crypto/ssh"

	"binnacle/ops/backup"
)

// sshPair is a public key as authorized_keys has it, and the private one as a file.
func sshPair(t *testing.T, kind, passphrase string) (public string, private []byte) {
	t.Helper()
	var key any
	var pub any
	if kind == "rsa" {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		key, pub = k, k.Public()
	} else {
		p, k, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		key, pub = k, p
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	public1, err := ssh.NewPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return string(ssh.MarshalAuthorizedKey(public1)), pem.EncodeToMemory(block)
}

func TestKeysOfEachKind(t *testing.T) {
	x25519, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	edPublic, edPrivate := sshPair(t, "ed25519", "")
	rsaPublic, rsaPrivate := sshPair(t, "rsa", "")
	for _, tt := range []struct {
		name, recipient string
		identity        []byte
	}{
		{"age", x25519.Recipient().String(), []byte("# created: today\n" + x25519.String() + "\n")},
		{"age, post-quantum", hybrid.Recipient().String(), []byte(hybrid.String())},
		{"ssh-ed25519", edPublic, edPrivate},
		{"ssh-rsa", rsaPublic, bytes.TrimSpace(rsaPrivate)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			keys, err := backup.ParseKeys([]string{tt.recipient}, tt.identity)
			if err != nil {
				t.Fatal(err)
			}
			var sealed bytes.Buffer
			w, err := age.Encrypt(&sealed, keys.Recipients...)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(w, marker)
			_ = w.Close()
			r, err := age.Decrypt(&sealed, keys.Identities...)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || string(got) != marker {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	if keys, err := backup.ParseKeys(nil, nil); err != nil || keys.Recipients != nil || keys.Identities != nil {
		t.Errorf("no keys: %+v, %v", keys, err)
	}
}

func TestKeysThatCannotBeUsed(t *testing.T) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	public, locked := sshPair(t, "ed25519", "open sesame")
	good := id.Recipient().String()
	for _, tt := range []struct {
		name, problem string
		recipients    []string
		identity      []byte
	}{
		{"empty recipient", "recipient 2 of 2 cannot be encrypted to: it is empty", []string{good, " "}, nil},
		{"typing error", "recipient 1 of 1", []string{good[:len(good)-1] + "b"}, nil},
		{"no key", "it is no key", []string{"hunter2"}, nil},
		{"private age key", "it is a private key", []string{id.String()}, nil},
		{"private SSH key", "it is a private key", []string{string(locked)}, nil},
		{"ecdsa", "only ssh-ed25519 and ssh-rsa", []string{"ecdsa-sha2-nistp256 AAAA"}, nil},
		{"cut SSH key", "recipient 1 of 1", []string{public[:40]}, nil},
		{"kinds that do not mix", "cannot be encrypted to", []string{good, hybrid.Recipient().String()}, nil},
		{"empty identity", "it is empty", nil, []byte("\n")},
		{"comments only", "no identities found", nil, []byte("# nothing\n")},
		{"garbage", "identity cannot be used", nil, []byte("hunter2\n")},
		{"public key as identity", "identity cannot be used", nil, []byte(good)},
		{"SSH key with a passphrase", "has a passphrase", nil, locked},
		{"encrypted file", "it is encrypted itself", nil, []byte("age-encryption.org/v1\n-> scrypt")},
		{"torn SSH key", "identity cannot be used", nil, locked[:60]},
	} {
		t.Run(tt.name, func(t *testing.T) {
			keys, err := backup.ParseKeys(tt.recipients, tt.identity)
			if err == nil || !strings.Contains(err.Error(), tt.problem) {
				t.Fatalf("error: %v", err)
			}
			if keys.Recipients != nil || keys.Identities != nil {
				t.Error("some keys are returned all the same")
			}
			if strings.Contains(err.Error(), "SECRET-KEY") || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error tells the key: %v", err)
			}
		})
	}
}

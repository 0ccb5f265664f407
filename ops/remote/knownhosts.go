package remote

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // known_hosts hashes names with it, see sshd(8)
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// knownKey is a line of a known_hosts file; the format is in sshd(8).
type knownKey struct {
	path   string
	line   int
	marker string // "", markerAuthority or markerRevoked
	names  []string
	key    ssh.PublicKey
}

const (
	markerAuthority = "cert-authority"
	markerRevoked   = "revoked"
)

func (k knownKey) place() string { return fmt.Sprintf("%s:%d", k.path, k.line) }

// covers tells whether the line speaks of name ("host" or "[host]:port").
func (k knownKey) covers(name string) bool {
	if len(k.names) == 1 && strings.HasPrefix(k.names[0], "|1|") {
		return matchHashed(k.names[0], name)
	}
	return matchHostLine(lower(k.names), strings.ToLower(name))
}

// Private

// readKnown reads what can be read; like ssh it passes over missing files and
// lines it does not understand.
func readKnown(paths []string) ([]knownKey, error) {
	var known []knownKey
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading known hosts: %w", err)
		}
		number := 0
		for line := range bytes.Lines(text) {
			number++
			marker, names, key, _, _, err := ssh.ParseKnownHosts(line)
			if err != nil {
				continue
			}
			known = append(known, knownKey{path: path, line: number, marker: marker, names: names, key: key})
		}
	}
	return known, nil
}

// addKnown appends a line to a known_hosts file, which is made if need be.
func addKnown(path, line string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	text := line + "\n"
	if info, err := file.Stat(); err == nil && info.Mode().IsRegular() && info.Size() > 0 {
		last := make([]byte, 1)
		if _, err := file.ReadAt(last, info.Size()-1); err == nil && last[0] != '\n' {
			text = "\n" + text
		}
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Close())
}

// Helpers

func matchHashed(hashed, name string) bool {
	salt, sum, ok := strings.Cut(strings.TrimPrefix(hashed, "|1|"), "|")
	if !ok {
		return false
	}
	key, err := base64.StdEncoding.DecodeString(salt)
	if err != nil {
		return false
	}
	mac := hmac.New(sha1.New, key)
	mac.Write([]byte(name))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil)) == sum
}

func lower(names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = strings.ToLower(name)
	}
	return out
}

func knownLine(name string, hash bool, key ssh.PublicKey) string {
	if hash {
		name = knownhosts.HashHostname(name)
	}
	return name + " " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

func sameKey(a, b ssh.PublicKey) bool { return bytes.Equal(a.Marshal(), b.Marshal()) }

// algorithmsFor lists how a server may prove that it holds a key of a type.
func algorithmsFor(keyType string) []string {
	if keyType == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return []string{keyType}
}

// preferred are host key algorithms in the order of OpenSSH.
func preferred() []string {
	return []string{
		ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521,
		ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256,
	}
}

func certificateAlgorithms() []string {
	return []string{
		ssh.CertAlgoED25519v01, ssh.CertAlgoECDSA256v01, ssh.CertAlgoECDSA384v01, ssh.CertAlgoECDSA521v01,
		ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01,
	}
}

// unique keeps the first of each.
func unique(lists ...[]string) []string {
	var out []string
	for _, list := range lists {
		for _, text := range list {
			if !slices.Contains(out, text) {
				out = append(out, text)
			}
		}
	}
	return out
}

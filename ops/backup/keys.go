package backup

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"golang.org/x/crypto/ssh"

	"binnacle/ops"
)

// Keys are to whom backups are encrypted, and by what they are read again.
// Without recipients, backups are not encrypted.
type Keys struct {
	Recipients []age.Recipient
	Identities []age.Identity
}

// ParseKeys reads recipients, which are age1… or SSH public keys, and what an
// identity file holds: age identities, or an SSH private key without a
// passphrase. A nil identity is none. One recipient that cannot be read is an
// error: a backup is encrypted to all of them or not made at all.
func ParseKeys(recipients []string, identity []byte) (Keys, error) {
	var keys Keys
	for i, text := range recipients {
		r, err := parseRecipient(strings.TrimSpace(text))
		if err != nil {
			return Keys{}, &ops.Error{
				Summary: fmt.Sprintf("recipient %d of %d cannot be encrypted to", i+1, len(recipients)), Cause: err,
				Hint: "use an age1… key, as age-keygen prints it, or an ssh-ed25519 or ssh-rsa public key",
			}
		}
		keys.Recipients = append(keys.Recipients, r)
	}
	if len(keys.Recipients) > 0 {
		// Post-quantum and other recipients do not go together: better told now.
		if _, err := age.Encrypt(io.Discard, keys.Recipients...); err != nil {
			return Keys{}, &ops.Error{Summary: "the recipients cannot be encrypted to", Cause: err}
		}
	}
	if identity == nil {
		return keys, nil
	}
	var err error
	if keys.Identities, err = parseIdentities(identity); err != nil {
		return Keys{}, &ops.Error{
			Summary: "the identity cannot be used", Cause: err,
			Hint: "it is a file of age-keygen, or an SSH private key without a passphrase",
		}
	}
	return keys, nil
}

// Helpers

// parseRecipient never repeats its text in an error: it may be a private key by
// mistake.
func parseRecipient(text string) (age.Recipient, error) {
	switch {
	case text == "":
		return nil, errors.New("it is empty")
	case strings.HasPrefix(text, "AGE-SECRET-KEY-"), strings.HasPrefix(text, "-----BEGIN"):
		return nil, errors.New("it is a private key; a recipient is the public key of it")
	case strings.HasPrefix(text, "age1pq1"):
		return age.ParseHybridRecipient(text)
	case strings.HasPrefix(text, "age1"):
		return age.ParseX25519Recipient(text)
	case strings.HasPrefix(text, "ssh-ed25519 "), strings.HasPrefix(text, "ssh-rsa "):
		return agessh.ParseRecipient(text)
	case strings.HasPrefix(text, "ssh-"), strings.HasPrefix(text, "ecdsa-"), strings.HasPrefix(text, "sk-"):
		return nil, errors.New("of SSH keys, only ssh-ed25519 and ssh-rsa can be encrypted to")
	}
	return nil, errors.New("it is no key")
}

func parseIdentities(content []byte) ([]age.Identity, error) {
	text := bytes.TrimSpace(content)
	switch {
	case len(text) == 0:
		return nil, errors.New("it is empty")
	case bytes.HasPrefix(text, []byte("age-encryption.org/")), bytes.HasPrefix(text, []byte("-----BEGIN AGE ENCRYPTED FILE")):
		return nil, errors.New("it is encrypted itself; decrypt it first")
	case bytes.HasPrefix(text, []byte("-----BEGIN")):
		id, err := agessh.ParseIdentity(append(text, '\n'))
		if missing := new(ssh.PassphraseMissingError); errors.As(err, &missing) {
			return nil, errors.New("the SSH key has a passphrase")
		} else if err != nil {
			return nil, err
		}
		return []age.Identity{id}, nil
	}
	return age.ParseIdentities(bytes.NewReader(text))
}

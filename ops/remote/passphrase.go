package remote

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/ssh"
)

// lockedKey is an encrypted private key. Its passphrase is asked for when the
// server has accepted the public half, not before.
type lockedKey struct {
	login  *login
	name   string // file name
	text   []byte
	public ssh.PublicKey
}

// PublicKey is known without the passphrase.
func (k *lockedKey) PublicKey() ssh.PublicKey { return k.public }

// Sign unlocks the key if need be.
func (k *lockedKey) Sign(random io.Reader, data []byte) (*ssh.Signature, error) {
	return k.SignWithAlgorithm(random, data, "")
}

// SignWithAlgorithm unlocks the key if need be.
func (k *lockedKey) SignWithAlgorithm(random io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	signer, err := k.login.unlock(k.name, k.text)
	if err != nil {
		return nil, err
	}
	return signer.SignWithAlgorithm(random, data, algorithm)
}

// Private

// parse reads a private key. public is its public half where known, which an
// encrypted key of the older format does not show.
func (l *login) parse(name string, text []byte, public ssh.PublicKey) (ssh.AlgorithmSigner, error) {
	signer, err := ssh.ParsePrivateKey(text)
	var missing *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &missing):
		if public == nil {
			public = missing.PublicKey
		}
		if public == nil {
			return l.unlock(name, text)
		}
		return &lockedKey{login: l, name: name, text: text, public: public}, nil
	case err != nil:
		return nil, errors.New("not a private key that can be read")
	}
	return withAlgorithm(signer)
}

// unlock decrypts a key, asking for its passphrase once per Pool.
func (l *login) unlock(name string, text []byte) (ssh.AlgorithmSigner, error) {
	pool := l.client.pool
	if signer := pool.keys.get(name); signer != nil {
		return signer, nil
	}
	if pool.ask == nil {
		return nil, errors.New("encrypted, and nobody to ask for the passphrase; ssh-add it")
	}
	defer l.clock.pause()()
	if err := pool.asking.Acquire(l.ctx, 1); err != nil {
		return nil, err
	}
	defer pool.asking.Release(1)
	for try := range maxPassphraseTries {
		if signer := pool.keys.get(name); signer != nil {
			return signer, nil
		}
		l.asked = true
		passphrase, err := pool.ask.Passphrase(l.ctx, name, try > 0)
		if err != nil {
			return nil, fmt.Errorf("encrypted, no passphrase: %w", err)
		}
		signer, err := ssh.ParsePrivateKeyWithPassphrase(text, passphrase)
		clear(passphrase)
		if errors.Is(err, x509.IncorrectPasswordError) {
			continue
		}
		if err != nil {
			return nil, errors.New("cannot be decrypted")
		}
		unlocked, err := withAlgorithm(signer)
		if err == nil {
			pool.keys.put(name, unlocked)
		}
		return unlocked, err
	}
	return nil, errors.New("encrypted, and the passphrase was wrong")
}

// Helpers

func withAlgorithm(signer ssh.Signer) (ssh.AlgorithmSigner, error) {
	if s, ok := signer.(ssh.AlgorithmSigner); ok {
		return s, nil
	}
	return nil, fmt.Errorf("a key of type %s cannot be used", signer.PublicKey().Type())
}

package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// login offers keys during one handshake, in ssh's order: certificates, keys
// given as text, keys of the agent that a file names, those files, and the
// rest of the agent.
type login struct {
	client *Client
	ctx    context.Context
	clock  *clock
	to     *endpoint
	socket net.Conn    // to the agent
	spare  func() bool // stops the socket from being closed at ctx's end

	offered []*offer
	failed  *offer // could not sign; the others still may
	unable  bool   // some key could not sign
	asked   bool
}

// offer is a key with the name under which errors speak of it.
type offer struct {
	ssh.AlgorithmSigner
	login *login
	name  string
	note  string // why it could not be used
}

// errOutwaited marks a connection that the server gave up while a person was
// being asked.
var errOutwaited = errors.New("the server did not wait for the answer")

const maxPassphraseTries = 3

// Private

func (c *Client) newLogin(ctx context.Context, clock *clock, e *endpoint) *login {
	return &login{client: c, ctx: ctx, clock: clock, to: e}
}

// signers collects the keys; x/crypto/ssh calls it when the server takes keys.
func (l *login) signers() ([]ssh.Signer, error) {
	held := l.agentKeys()
	for i, text := range l.to.keyData {
		name := fmt.Sprintf("ssh.key_data[%d]", i)
		signer, err := l.parse(name, []byte(text), nil)
		l.add(name, signer, err)
	}
	for _, id := range l.to.identities {
		l.addIdentity(id, held)
	}
	if l.to.agentAnyKey {
		for _, key := range held {
			l.addAgentKey(key)
		}
	}
	l.addCertificates()
	return l.remaining(), nil
}

// next carries on with the other keys when one could not be used after the
// server had accepted it (a forgotten passphrase, an agent that refuses).
func (l *login) next(*ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	if l.failed == nil {
		return nil, nil //nolint:nilnil // x/crypto/ssh's way to say: go on as usual
	}
	at := slices.Index(l.offered, l.failed)
	l.failed = nil
	rest := l.offered[at+1:]
	if len(rest) == 0 || l.ctx.Err() != nil {
		return nil, nil //nolint:nilerr,nilnil // as above; the caller sees the context end
	}
	return ssh.PublicKeysCallback(func() ([]ssh.Signer, error) {
		var signers []ssh.Signer
		for _, o := range rest {
			signers = append(signers, o)
		}
		return signers, nil
	}), nil
}

// explain turns the failure of a handshake into what was tried.
func (l *login) explain(err error, e *endpoint) error {
	if l.asked && isBroken(err) {
		return fmt.Errorf("%w: %w", errOutwaited, err)
	}
	if !isAuthFailure(err) && !l.unable {
		return err
	}
	var tried []string
	for _, o := range l.offered {
		text := o.name
		if o.AlgorithmSigner != nil {
			text += " " + ssh.FingerprintSHA256(o.PublicKey())
		}
		if o.note != "" {
			text += " (" + o.note + ")"
		}
		tried = append(tried, text)
	}
	return &authError{user: e.user, tried: tried, err: err}
}

func (l *login) close() {
	if l.socket != nil {
		l.spare()
		_ = l.socket.Close()
	}
}

// SignWithAlgorithm proves the possession of the key.
func (o *offer) SignWithAlgorithm(random io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	signature, err := o.AlgorithmSigner.SignWithAlgorithm(random, data, algorithm)
	if err != nil {
		o.note = err.Error()
		o.login.failed, o.login.unable = o, true
	}
	return signature, err
}

func (l *login) remaining() []ssh.Signer {
	var signers []ssh.Signer
	for _, o := range l.offered {
		if o.AlgorithmSigner != nil {
			signers = append(signers, o)
		}
	}
	return signers
}

// agentKey is a key in the agent.
type agentKey struct {
	ssh.AlgorithmSigner
	comment string
}

func (l *login) agentKeys() []agentKey {
	if l.to.agentSocket == "" {
		return nil
	}
	name := "agent " + l.to.agentSocket
	socket, err := (&net.Dialer{}).DialContext(l.ctx, "unix", l.to.agentSocket)
	if err != nil {
		l.offered = append(l.offered, &offer{name: name, note: "not reachable"})
		return nil
	}
	l.socket, l.spare = socket, context.AfterFunc(l.ctx, func() { _ = socket.Close() })
	client := agent.NewClient(socket)
	listed, err := client.List()
	if err == nil {
		var signers []ssh.Signer
		if signers, err = client.Signers(); err == nil {
			return pairKeys(signers, listed)
		}
	}
	l.offered = append(l.offered, &offer{name: name, note: "gave no keys: " + err.Error()})
	return nil
}

// addIdentity offers the key of a file; through the agent if that holds it,
// so that no passphrase is needed.
func (l *login) addIdentity(id identity, held []agentKey) {
	text, err := os.ReadFile(id.path)
	public := readPublic(id.path)
	if public == nil {
		public = parsePublic(text)
	}
	if public == nil && err == nil {
		public = publicOf(text)
	}
	if public != nil {
		for _, key := range held {
			if sameKey(key.PublicKey(), public) {
				l.addAgentKey(key)
				return
			}
		}
	}
	switch {
	case err != nil && !id.written:
	case errors.Is(err, fs.ErrNotExist):
		l.offered = append(l.offered, &offer{name: id.path, note: "no such file"})
	case err != nil:
		l.offered = append(l.offered, &offer{name: id.path, note: "cannot be read"})
	case parsePublic(text) != nil:
		l.offered = append(l.offered, &offer{name: id.path, note: "a public key that the agent does not hold"})
	default:
		signer, err := l.parse(id.path, text, public)
		l.add(id.path, signer, err)
	}
}

func (l *login) addAgentKey(key agentKey) {
	l.add("agent key "+key.comment, key.AlgorithmSigner, nil)
}

// add appends a key that is not offered yet.
func (l *login) add(name string, signer ssh.AlgorithmSigner, err error) {
	if err != nil {
		l.offered = append(l.offered, &offer{name: name, note: err.Error()})
		return
	}
	for _, o := range l.offered {
		if o.AlgorithmSigner != nil && sameKey(o.PublicKey(), signer.PublicKey()) {
			return
		}
	}
	l.offered = append(l.offered, &offer{AlgorithmSigner: signer, login: l, name: name})
}

// addCertificates puts in front what CertificateFile, or KEY-cert.pub beside a
// key, certifies.
func (l *login) addCertificates() {
	paths := slices.Clone(l.to.certificates)
	for _, id := range l.to.identities {
		paths = append(paths, strings.TrimSuffix(id.path, ".pub")+"-cert.pub")
	}
	var front []*offer
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		cert, ok := parsePublic(text).(*ssh.Certificate)
		if !ok {
			continue
		}
		for _, o := range l.offered {
			if o.AlgorithmSigner == nil || !sameKey(o.PublicKey(), cert.Key) {
				continue
			}
			signer, err := ssh.NewCertSigner(cert, o.AlgorithmSigner)
			if withAlgorithm, ok := signer.(ssh.AlgorithmSigner); ok && err == nil {
				front = append(front, &offer{AlgorithmSigner: withAlgorithm, login: l, name: path})
			}
		}
	}
	l.offered = append(front, l.offered...)
}

// keyring keeps what passphrases unlocked, for as long as the Pool lives.
type keyring struct {
	mu       sync.Mutex
	unlocked map[string]ssh.AlgorithmSigner
}

func (k *keyring) get(path string) ssh.AlgorithmSigner {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.unlocked[path]
}

func (k *keyring) put(path string, signer ssh.AlgorithmSigner) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.unlocked == nil {
		k.unlocked = map[string]ssh.AlgorithmSigner{}
	}
	k.unlocked[path] = signer
}

func (k *keyring) wipe() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.unlocked = nil
}

// Helpers

func pairKeys(signers []ssh.Signer, listed []*agent.Key) []agentKey {
	var keys []agentKey
	for _, signer := range signers {
		withAlgorithm, ok := signer.(ssh.AlgorithmSigner)
		if !ok {
			continue
		}
		key := agentKey{AlgorithmSigner: withAlgorithm}
		for _, entry := range listed {
			if sameKey(entry, signer.PublicKey()) {
				key.comment = entry.Comment
			}
		}
		keys = append(keys, key)
	}
	return keys
}

// readPublic reads the public half beside a private key file.
func readPublic(path string) ssh.PublicKey {
	text, err := os.ReadFile(path + ".pub")
	if err != nil {
		return nil
	}
	return parsePublic(text)
}

func parsePublic(text []byte) ssh.PublicKey {
	key, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		return nil
	}
	return key
}

// publicOf is the public half of a private key, which the modern format
// shows even when it is encrypted.
func publicOf(text []byte) ssh.PublicKey {
	signer, err := ssh.ParsePrivateKey(text)
	if err == nil {
		return signer.PublicKey()
	}
	var missing *ssh.PassphraseMissingError
	if errors.As(err, &missing) {
		return missing.PublicKey
	}
	return nil
}

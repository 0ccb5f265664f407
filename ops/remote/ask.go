package remote

import "context"

// Asker puts to a person what only a person can answer. It is called for one
// question at a time per Pool. A nil Asker means that nobody is there.
type Asker interface {
	// TrustHostKey reports whether a host whose key is not known may be
	// connected to; its key is then stored.
	TrustHostKey(ctx context.Context, key HostKey) (bool, error)
	// Passphrase returns the passphrase of the private key in the file path.
	// The slice is wiped after use. again is true when the last answer was wrong.
	Passphrase(ctx context.Context, path string, again bool) ([]byte, error)
}

// HostKey is the key that a host showed, for a person to compare.
type HostKey struct {
	Host        string // as in deploy.yml, or the jump host's name
	Address     string // the name the key is stored under: "host" or "[host]:port"
	Type        string // such as ssh-ed25519
	Fingerprint string // SHA256:…
}

package remote

import (
	"context"
	"fmt"
	"net"
	"slices"

	"golang.org/x/crypto/ssh"
)

// hostKeys checks the key of one host during one handshake. There is no path
// through it that takes a key other than the one on record.
type hostKeys struct {
	pool  *Pool
	host  string
	to    *endpoint
	known []knownKey // all lines
	err   error      // what check found, for x/crypto/ssh wraps it
}

// Private

func (p *Pool) hostKeys(host string, e *endpoint) (*hostKeys, error) {
	known, err := readKnown(slices.Concat(e.userKnown, e.globalKnown))
	if err != nil {
		return nil, err
	}
	return &hostKeys{pool: p, host: host, to: e, known: known}, nil
}

// algorithms puts those first for which a key is on record, so that the
// server shows the key that can be checked.
func (h *hostKeys) algorithms() []string {
	var known []string
	for _, k := range h.matching("") {
		known = append(known, algorithmsFor(k.key.Type())...)
	}
	if len(h.matching(markerAuthority)) > 0 {
		known = append(certificateAlgorithms(), known...)
	}
	rest := preferred()
	if len(h.to.keyAlgorithms) > 0 {
		rest = h.to.keyAlgorithms
	}
	supported := slices.Concat(ssh.SupportedAlgorithms().HostKeys, certificateAlgorithms())
	return slices.DeleteFunc(unique(known, rest), func(name string) bool { return !slices.Contains(supported, name) })
}

// check is the ssh.HostKeyCallback.
func (h *hostKeys) check(address string, remote net.Addr, key ssh.PublicKey) error {
	h.err = h.verify(address, remote, key)
	return h.err
}

func (h *hostKeys) verify(address string, remote net.Addr, key ssh.PublicKey) error {
	if cert, ok := key.(*ssh.Certificate); ok {
		if len(h.matching(markerAuthority)) > 0 {
			return h.verifyCertificate(address, remote, cert)
		}
		key = cert.Key
	}
	shown := HostKey{Host: h.host, Address: h.to.knownAs, Type: key.Type(), Fingerprint: ssh.FingerprintSHA256(key)}
	for _, k := range h.matching(markerRevoked) {
		if sameKey(k.key, key) {
			return &changedKeyError{shown: shown, known: []knownKey{k}}
		}
	}
	known := h.matching("")
	for _, k := range known {
		if sameKey(k.key, key) {
			return nil
		}
	}
	if len(known) > 0 {
		return &changedKeyError{shown: shown, known: known}
	}
	if h.knownWithoutPort(key) {
		return nil
	}
	unknown := &unknownKeyError{shown: shown, line: knownLine(h.to.knownAs, h.to.hashKnown, key), ask: h.to.strict == "ask"}
	if h.to.strict == "accept-new" {
		return h.pool.store(h.to, unknown)
	}
	return unknown
}

func (h *hostKeys) verifyCertificate(address string, remote net.Addr, cert *ssh.Certificate) error {
	checker := ssh.CertChecker{
		IsHostAuthority: func(authority ssh.PublicKey, _ string) bool {
			return slices.ContainsFunc(h.matching(markerAuthority), func(k knownKey) bool { return sameKey(k.key, authority) })
		},
		IsRevoked: func(cert *ssh.Certificate) bool {
			return slices.ContainsFunc(h.matching(markerRevoked), func(k knownKey) bool {
				return sameKey(k.key, cert.Key) || sameKey(k.key, cert.SignatureKey)
			})
		},
	}
	if err := checker.CheckHostKey(address, remote, cert); err != nil {
		shown := HostKey{Host: h.host, Address: h.to.knownAs, Type: cert.Type(), Fingerprint: ssh.FingerprintSHA256(cert.Key)}
		return fmt.Errorf("%w: %w", &changedKeyError{shown: shown, known: h.matching(markerAuthority)}, err)
	}
	return nil
}

// matching returns the lines with this marker that speak of the host.
func (h *hostKeys) matching(marker string) []knownKey {
	var out []knownKey
	for _, k := range h.known {
		if k.marker == marker && k.covers(h.to.knownAs) {
			out = append(out, k)
		}
	}
	return out
}

// knownWithoutPort does as ssh: a host on another port may be on record under
// its bare name, if the key is the same.
func (h *hostKeys) knownWithoutPort(key ssh.PublicKey) bool {
	if h.to.port == defaultPort || h.to.knownAs[0] != '[' {
		return false
	}
	return slices.ContainsFunc(h.known, func(k knownKey) bool {
		return k.marker == "" && k.covers(h.to.host) && sameKey(k.key, key)
	})
}

// settleHostKey asks a person whether an unknown key is to be trusted and
// stores it; nil means dial again.
func (c *Client) settleHostKey(ctx context.Context, e *endpoint, unknown *unknownKeyError) error {
	if !unknown.ask || c.pool.ask == nil {
		return c.dialError(e, unknown)
	}
	if err := c.pool.asking.Acquire(ctx, 1); err != nil {
		return c.dialError(e, err)
	}
	defer c.pool.asking.Release(1)
	// Another host with the same address may have been asked about meanwhile.
	keys, err := c.pool.hostKeys(c.name, e)
	if err != nil {
		return c.dialError(e, err)
	}
	if len(keys.matching("")) > 0 {
		return nil
	}
	trusted, err := c.pool.ask.TrustHostKey(ctx, unknown.shown)
	if err != nil {
		return c.dialError(e, fmt.Errorf("%w: %w", unknown, err))
	}
	if !trusted {
		out := c.dialError(e, fmt.Errorf("%w; it was not accepted", unknown))
		out.Hint = ""
		return out
	}
	if err := c.pool.store(e, unknown); err != nil {
		return c.dialError(e, err)
	}
	return nil
}

// store adds an accepted key to known_hosts.
func (p *Pool) store(e *endpoint, accepted *unknownKeyError) error {
	p.storing.Lock()
	defer p.storing.Unlock()
	if len(e.userKnown) == 0 {
		return fmt.Errorf("%w, and there is no UserKnownHostsFile to store it in", accepted)
	}
	if err := addKnown(e.userKnown[0], accepted.line); err != nil {
		return fmt.Errorf("storing the host key: %w", err)
	}
	p.log.Info("host key stored", "host", accepted.shown.Host, "type", accepted.shown.Type,
		"fingerprint", accepted.shown.Fingerprint, "file", e.userKnown[0])
	return nil
}

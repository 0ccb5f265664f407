package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"time"
)

// secure is the certificate of a service.
type secure struct{ certificate tls.Certificate }

func newSecure(options serviceOptions) (*secure, error) {
	if options.TLSCertificatePath != "" {
		pair, err := tls.LoadX509KeyPair(options.TLSCertificatePath, options.TLSPrivateKeyPath)
		return &secure{certificate: pair}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: options.Hosts[0]}, DNSNames: options.Hosts,
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(0, 3, 0), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return &secure{certificate: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}}, err
}

// certificate chooses by server name; without one, any service with TLS does.
func (p *proxy) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if hello.ServerName == "" {
		for _, s := range p.services {
			if made := s.settings().secure; made != nil {
				return &made.certificate, nil
			}
		}
		return nil, errors.New("no server name provided")
	}
	if found, _ := p.route(hello.ServerName, "/"); found != nil && found.settings().secure != nil {
		return &found.settings().secure.certificate, nil
	}
	return nil, errors.New("unknown server name")
}

package config

import (
	"context"
	"strings"

	"binnacle/config/secret"
)

// Registry is where images live.
type Registry struct {
	// Server is the host of the registry; "" is Docker Hub.
	Server   string
	Username Credential
	Password Credential
}

// Credential is a user name or password: the name of a secret, or a text that
// stands in the file itself.
type Credential struct {
	// Secret is the name to look up; "" when the text stands in the file.
	Secret string

	literal secret.Value
}

// Resolve gives the text itself.
func (c Credential) Resolve(ctx context.Context, secrets *secret.Secrets) (secret.Value, error) {
	if c.Secret == "" {
		return c.literal, nil
	}
	return secrets.Get(ctx, c.Secret)
}

// Set tells whether the file gives one.
func (c Credential) Set() bool { return c.Secret != "" || !c.literal.Empty() }

// Local tells whether the registry runs on the developer's machine
// (localhost:PORT): then no login is needed.
func (r Registry) Local() bool { return localRegistry(r.Server) }

// LocalPort is the port of a local registry; 0 for any other.
func (r Registry) LocalPort() int {
	if !r.Local() {
		return 0
	}
	return leadingInt(r.Server[strings.LastIndexByte(r.Server, ':')+1:])
}

// Private

func newRegistry(section Value) Registry {
	return Registry{
		Server:   section.sub("server").String(),
		Username: newCredential(section.sub("username")),
		Password: newCredential(section.sub("password")),
	}
}

func newCredential(value Value) Credential {
	if value.kind == List {
		if len(value.list) == 0 {
			return Credential{}
		}
		return Credential{Secret: value.list[0].String()}
	}
	return Credential{literal: secret.New(value.String())}
}

// Helpers

// localRegistry follows Kamal's pattern ^localhost[:$], a character class.
func localRegistry(server string) bool {
	for line := range strings.SplitSeq(server, "\n") {
		if strings.HasPrefix(line, "localhost:") || strings.HasPrefix(line, "localhost$") {
			return true
		}
	}
	return false
}

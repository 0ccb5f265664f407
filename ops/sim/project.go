package sim

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
)

// The demo's secrets; they open nothing outside the demo.
const (
	demoMasterKey        = "demo-rails-master-key-2f9c"
	demoDatabasePassword = "demo-postgres-password-71" //nolint:gosec // see above
)

// WriteProject writes a project into dir that deploys to this fleet: config/deploy.yml, .kamal/secrets, an SSH
// configuration, the key, the known hosts and a Dockerfile. Files that are there are replaced.
func (f *Fleet) WriteProject(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("finding the demo project's directory: %w", err)
	}
	if err := f.writeKeys(dir); err != nil {
		return err
	}
	return writeFiles(dir, []projectFile{
		{"config/deploy.yml", f.deployYAML(dir), 0o644},
		{".kamal/secrets", "KAMAL_REGISTRY_PASSWORD=" + RegistryPassword + "\nRAILS_MASTER_KEY=" + demoMasterKey + "\nPOSTGRES_PASSWORD=" + demoDatabasePassword + "\n", 0o600},
		{"Dockerfile", "FROM ruby:3.4-slim\nWORKDIR /rails\nCOPY . .\nCMD [\"bin/rails\", \"server\"]\n", 0o644},
	})
}

// Private

type projectFile struct {
	name string
	text string
	mode os.FileMode
}

// writeKeys writes what ssh needs.
func (f *Fleet) writeKeys(dir string) error {
	var config, known strings.Builder
	for _, h := range f.hosts {
		ip, port, err := net.SplitHostPort(h.sshd.addr)
		if err != nil {
			return err
		}
		fmt.Fprintf(&config, "Host %s\n  HostName %s\n  Port %s\n  User root\n  IdentityFile %q\n  IdentitiesOnly yes\n  UserKnownHostsFile %q\n  StrictHostKeyChecking yes\n\n",
			h.name, ip, port, filepath.Join(dir, "id_ed25519"), filepath.Join(dir, "known_hosts"))
		fmt.Fprintf(&known, "[%s]:%s %s", ip, port, ssh.MarshalAuthorizedKey(f.keys.host.PublicKey()))
	}
	return writeFiles(dir, []projectFile{
		{"ssh_config", config.String(), 0o600},
		{"known_hosts", known.String(), 0o600},
		{"id_ed25519", string(f.keys.clientPEM), 0o600},
		{"id_ed25519.pub", string(ssh.MarshalAuthorizedKey(f.keys.client.PublicKey())), 0o644},
	})
}

// deployYAML is the demo's configuration.
func (f *Fleet) deployYAML(dir string) string {
	var b strings.Builder
	b.WriteString("service: fhirlinebot\nimage: fhirlinebot\n\nservers:\n")
	list := func(role string, hosts []*host, extra string) {
		if len(hosts) == 0 {
			return
		}
		b.WriteString("  " + role + ":\n    hosts:\n")
		for _, h := range hosts {
			b.WriteString("      - " + h.name + "\n")
		}
		b.WriteString(extra)
	}
	webs := len(f.hosts) - f.jobs
	list("web", f.hosts[:webs], "")
	list("job", f.hosts[webs:], "    cmd: "+jobCommand+"\n")
	fmt.Fprintf(&b, `
proxy:
  host: fhirlinebot.example.com
  healthcheck:
    interval: 1

registry:
  server: %s
  username: %s
  password:
    - KAMAL_REGISTRY_PASSWORD

builder:
  arch: amd64

env:
  clear:
    RAILS_LOG_TO_STDOUT: true
    DB_HOST: fhirlinebot-db
  secret:
    - RAILS_MASTER_KEY

ssh:
  config:
    - %q

accessories:
  db:
    image: postgres:16
    host: %s
    port: "127.0.0.1:5432:5432"
    env:
      clear:
        POSTGRES_DB: fhirlinebot_production
      secret:
        - POSTGRES_PASSWORD
    directories:
      - data:/var/lib/postgresql/data
  redis:
    image: redis:7
    host: %s
    port: "127.0.0.1:6379:6379"
    directories:
      - data:/data
`, registryServer, RegistryUser, filepath.Join(dir, "ssh_config"), f.hosts[0].name, f.hosts[0].name)
	return b.String()
}

// Helpers

func writeFiles(dir string, files []projectFile) error {
	for _, file := range files {
		path := filepath.Join(dir, filepath.FromSlash(file.name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("writing the demo project: %w", err)
		}
		if err := os.WriteFile(path, []byte(file.text), file.mode); err != nil {
			return fmt.Errorf("writing the demo project: %w", err)
		}
		if err := os.Chmod(path, file.mode); err != nil {
			return fmt.Errorf("writing the demo project: %w", err)
		}
	}
	return nil
}

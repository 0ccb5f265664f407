package remote

import "time"

// Settings is what the ssh: and sshkit: sections of deploy.yml say. Only what
// is set overrides ssh_config; the zero value means "as ssh would", with root
// as the user and 22 as the port when ssh_config names none.
type Settings struct {
	User         string   // ssh.user
	Port         int      // ssh.port
	Proxy        string   // ssh.proxy, "[user@]host[:port]"; root where no user is given; "none" for no proxy
	ProxyCommand string   // ssh.proxy_command, used when Proxy is empty; ssh's tokens (%h %p %r %n %%)
	KeysOnly     *bool    // ssh.keys_only, IdentitiesOnly of ssh_config when nil
	Keys         []string // ssh.keys, private key files; they take the place of IdentityFile
	KeyData      []string // ssh.key_data, private keys as PEM text; never shown
	ForwardAgent *bool    // ssh.forward_agent; ForwardAgent of ssh_config when nil, then true as in Kamal

	// ConfigFiles are the ssh_config files to read (ssh.config as a string or
	// list). When empty: ~/.ssh/config, /etc/ssh/ssh_config and .ssh/config
	// of the working directory. NoConfig (ssh.config: false) reads none.
	ConfigFiles []string
	NoConfig    bool

	MaxConcurrentStarts int           // connections being opened at once; 30 when 0
	DNSRetries          *int          // further tries after a failed name look-up; 3 when nil
	KeepAlive           time.Duration // 30 s when 0, unless ssh_config has a ServerAliveInterval; below 0 is off
	DialTimeout         time.Duration // for one hop's connection and handshake; ConnectTimeout of ssh_config when 0, then 20 s
}

// Local is what of this machine decides how a host is reached. Each field
// left empty is taken from the process.
type Local struct {
	Home       string              // holds .ssh
	Dir        string              // working directory; may hold .ssh/config
	User       string              // login name here
	Getenv     func(string) string // for SSH_AUTH_SOCK, SHELL and ${VAR} in ssh_config
	SystemDir  string              // /etc/ssh: ssh_config and ssh_known_hosts
	KnownHosts []string            // in place of ssh_config's UserKnownHostsFile and its default; keys are added to the first
}

package config

// Setting is a value together with whether the file gives it. Only what is given
// overrides ssh_config.
type Setting[T any] struct {
	Value T
	Set   bool
}

// Or is the value when it is set, else the fallback.
func (s Setting[T]) Or(fallback T) T {
	if s.Set {
		return s.Value
	}
	return fallback
}

// SSH is the ssh section: only what the file says.
type SSH struct {
	User Setting[string]
	Port Setting[int]
	// Proxy is a jump host, USER@HOST[:PORT] or HOST (as root).
	Proxy        Setting[string]
	ProxyCommand Setting[string]
	// LogLevel is fatal by default.
	LogLevel Setting[string]
	KeysOnly Setting[bool]
	// Keys are the names of private key files.
	Keys Setting[[]string]
	// KeyData are names of secrets that hold private keys, or keys themselves.
	KeyData Setting[[]string]
	// ConfigFiles are the ssh_config files to read in place of the default ones.
	ConfigFiles Setting[[]string]
	// NoConfig is set by config: false, which reads no ssh_config at all.
	NoConfig     bool
	ForwardAgent Setting[bool]
}

// SSHKit tunes how connections are made.
type SSHKit struct {
	// MaxConcurrentStarts bounds handshakes at the same time.
	MaxConcurrentStarts int
	// PoolIdleTimeout closes an unused connection, in seconds.
	PoolIdleTimeout int
	// DNSRetries repeats failed name look-ups.
	DNSRetries int
}

// Private

func newSSH(section Value) SSH {
	ssh := SSH{
		User:         textSetting(section, "user"),
		Proxy:        textSetting(section, "proxy"),
		ProxyCommand: textSetting(section, "proxy_command"),
		LogLevel:     textSetting(section, "log_level"),
		KeysOnly:     boolSetting(section, "keys_only"),
		Keys:         listSetting(section, "keys"),
		KeyData:      listSetting(section, "key_data"),
		ForwardAgent: boolSetting(section, "forward_agent"),
	}
	if port, ok := section.get("port"); ok {
		ssh.Port = Setting[int]{Value: leadingInt(port.String()), Set: true}
	}
	switch config := section.sub("config"); {
	case config.IsFalse():
		ssh.NoConfig = true
	case config.kind == List || config.kind == String:
		ssh.ConfigFiles = listSetting(section, "config")
	}
	return ssh
}

func newSSHKit(section Value) SSHKit {
	integer := func(key string, fallback int) int {
		if n, ok := section.sub(key).Int(); ok {
			return n
		}
		return fallback
	}
	return SSHKit{
		MaxConcurrentStarts: integer("max_concurrent_starts", 30),
		PoolIdleTimeout:     integer("pool_idle_timeout", 900),
		DNSRetries:          integer("dns_retries", 3),
	}
}

// Helpers

func textSetting(section Value, key string) Setting[string] {
	value, ok := section.get(key)
	return Setting[string]{Value: value.String(), Set: ok && !value.IsNil()}
}

func boolSetting(section Value, key string) Setting[bool] {
	value, ok := section.get(key)
	return Setting[bool]{Value: value.truthy(), Set: ok && !value.IsNil()}
}

func listSetting(section Value, key string) Setting[[]string] {
	value, ok := section.get(key)
	return Setting[[]string]{Value: value.texts(), Set: ok && !value.IsNil()}
}

package remote

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// endpoint is everything that dialing one host needs to know: deploy.yml's
// settings over ssh_config over the defaults.
type endpoint struct {
	name         string // as asked for
	host         string // HostName
	port         int
	user         string
	network      string // tcp, tcp4 or tcp6
	jumps        []destination
	proxyCommand string

	identities    []identity
	certificates  []string
	agentSocket   string // empty: none
	agentAnyKey   bool   // offer keys of the agent that no identity names
	forwardAgent  bool
	keyData       []string
	keyAlgorithms []string // HostKeyAlgorithms, when written as a plain list

	knownAs     string // how known_hosts names the host
	strict      string // yes, ask or accept-new
	userKnown   []string
	globalKnown []string
	hashKnown   bool

	timeout      time.Duration
	keepAlive    time.Duration // 0: off
	aliveTimeout time.Duration
}

// destination is a host to dial, with what the caller insists on.
type destination struct {
	host string
	user string
	port int
	jump bool          // a jump host: deploy.yml's user, port and proxy do not apply
	via  []destination // hops before it, in place of ssh_config's ProxyJump
	hops int           // how many jumps led here
}

// identity is a private key file.
type identity struct {
	path    string
	written bool // somebody named it, as opposed to ssh's defaults
}

const (
	defaultUser        = "root"
	defaultPort        = 22
	defaultDialTimeout = 20 * time.Second
	defaultKeepAlive   = 30 * time.Second
	defaultAliveReply  = 15 * time.Second
)

func (e *endpoint) address() string { return net.JoinHostPort(e.host, strconv.Itoa(e.port)) }

// key tells destinations apart that need connections of their own.
func (d destination) key() string {
	text := d.user + "@" + net.JoinHostPort(d.host, strconv.Itoa(d.port))
	if d.jump {
		text = "jump " + text
	}
	if d.hops > 1 {
		text = strconv.Itoa(d.hops) + " " + text // a loop is followed until it is too long, never waited for
	}
	for _, hop := range d.via {
		text += " < " + hop.key()
	}
	return text
}

// Private

// endpoint decides how d is reached.
func (p *Pool) endpoint(d destination) (*endpoint, error) {
	files, err := p.config()
	if err != nil {
		return nil, err
	}
	l := lookup{original: d.host, userSet: d.user, localUser: p.local.User}
	if !d.jump {
		l.defaultUser = defaultUser
		if l.userSet == "" {
			l.userSet = p.settings.User
		}
	}
	found := lookUp(files, l)
	e := &endpoint{name: d.host, host: found.hostName(), user: found.user(), network: "tcp", keyData: p.settings.KeyData}
	switch strings.ToLower(found.first("addressfamily")) {
	case "inet":
		e.network = "tcp4"
	case "inet6":
		e.network = "tcp6"
	}
	if e.port, err = p.port(d, found); err != nil {
		return nil, err
	}
	x := expander{pool: p, endpoint: e}
	for _, step := range []func(destination, *lookup, expander) error{e.setRoute, e.setIdentities, e.setHostKeys, e.setTimes} {
		if err := step(d, found, x); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// readConfig reads the ssh_config files that apply. A file that deploy.yml
// names has to be there.
func (p *Pool) readConfig() ([]*configFile, error) {
	if p.settings.NoConfig {
		return nil, nil
	}
	reader := configReader{home: p.local.Home, getenv: p.local.Getenv}
	userDir := filepath.Join(p.local.Home, ".ssh")
	paths := []string{filepath.Join(userDir, "config"), filepath.Join(p.local.SystemDir, "ssh_config"), filepath.Join(p.local.Dir, ".ssh", "config")}
	named := len(p.settings.ConfigFiles) > 0
	if named {
		paths = p.settings.ConfigFiles
	}
	var files []*configFile
	for i, path := range paths {
		path = p.absolute(path)
		base := userDir
		if !named && i == 1 {
			base = p.local.SystemDir
		}
		file, err := reader.read(path, base, 0)
		if err != nil && !named && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading ssh_config: %w", err)
		}
		files = append(files, file)
	}
	return files, nil
}

func (p *Pool) port(d destination, found *lookup) (int, error) {
	for _, port := range []int{d.port, p.settings.Port} {
		if port != 0 && (port == d.port || !d.jump) {
			return port, nil
		}
	}
	text := found.first("port")
	if text == "" {
		return defaultPort, nil
	}
	port, err := strconv.Atoi(text)
	if err != nil || port < 1 || port > 65535 {
		return 0, fmt.Errorf("ssh_config: Port %q is not a port", text)
	}
	return port, nil
}

func (e *endpoint) setRoute(d destination, found *lookup, x expander) error {
	settings := x.pool.settings
	jump, command := found.first("proxyjump"), found.first("proxycommand")
	switch {
	case d.via != nil:
		e.jumps = d.via
		return nil
	case !d.jump && settings.Proxy != "":
		jump, command = settings.Proxy, ""
		if jump != "none" && !strings.Contains(jump, "@") {
			jump = defaultUser + "@" + jump
		}
	case !d.jump && settings.ProxyCommand != "":
		jump, command = "", settings.ProxyCommand
	}
	var err error
	if command != "" && !strings.EqualFold(command, "none") {
		if e.proxyCommand, err = x.tokens(command); err != nil {
			return fmt.Errorf("ProxyCommand: %w", err)
		}
	}
	if jump != "" && !strings.EqualFold(jump, "none") {
		if jump, err = expandTokens(jump, x.values()); err != nil {
			return fmt.Errorf("ProxyJump: %w", err)
		}
		if e.jumps, err = parseJumps(jump); err != nil {
			return fmt.Errorf("ProxyJump: %w", err)
		}
	}
	return nil
}

func (e *endpoint) setIdentities(d destination, found *lookup, x expander) error {
	settings := x.pool.settings
	names, written := found.values["identityfile"], true
	switch {
	case len(settings.Keys) > 0 && d.jump:
		names = append(append([]string{}, names...), settings.Keys...)
	case len(settings.Keys) > 0 || len(settings.KeyData) > 0 && !d.jump && settings.KeysOnly != nil && *settings.KeysOnly:
		names = settings.Keys
	case len(names) == 0:
		names, written = []string{"~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ecdsa_sk", "~/.ssh/id_ed25519", "~/.ssh/id_ed25519_sk"}, false
	}
	for _, name := range names {
		if strings.EqualFold(name, "none") {
			continue
		}
		path, err := x.path(name)
		if err != nil {
			return fmt.Errorf("IdentityFile: %w", err)
		}
		e.identities = append(e.identities, identity{path: path, written: written})
	}
	for _, name := range found.values["certificatefile"] {
		path, err := x.path(name)
		if err != nil {
			return fmt.Errorf("CertificateFile: %w", err)
		}
		e.certificates = append(e.certificates, path)
	}
	e.agentAnyKey = !yes(found.first("identitiesonly"))
	if settings.KeysOnly != nil && !d.jump {
		e.agentAnyKey = !*settings.KeysOnly
	}
	e.forwardAgent = !d.jump
	if text := found.first("forwardagent"); text != "" {
		e.forwardAgent = !d.jump && !strings.EqualFold(text, "no")
	}
	if settings.ForwardAgent != nil && !d.jump {
		e.forwardAgent = *settings.ForwardAgent
	}
	return e.setAgent(found.first("identityagent"), x)
}

func (e *endpoint) setAgent(written string, x expander) (err error) {
	getenv := x.pool.local.Getenv
	switch {
	case written == "" || written == "SSH_AUTH_SOCK":
		e.agentSocket = getenv("SSH_AUTH_SOCK")
	case strings.EqualFold(written, "none"):
	case strings.HasPrefix(written, "$") && !strings.HasPrefix(written, "${"):
		e.agentSocket = getenv(written[1:])
	default:
		e.agentSocket, err = x.path(written)
	}
	if err != nil {
		return fmt.Errorf("IdentityAgent: %w", err)
	}
	return nil
}

func (e *endpoint) setHostKeys(_ destination, found *lookup, x expander) (err error) {
	local := x.pool.local
	e.knownAs = e.host
	if e.port != defaultPort {
		e.knownAs = "[" + e.host + "]:" + strconv.Itoa(e.port)
	}
	if alias := found.first("hostkeyalias"); alias != "" {
		e.knownAs = alias
	}
	switch strings.ToLower(found.first("stricthostkeychecking")) {
	case "yes", "true":
		e.strict = "yes"
	case "accept-new", "no", "off", "false":
		// "no" would take changed keys as well; here nothing does.
		e.strict = "accept-new"
	default:
		e.strict = "ask"
	}
	e.hashKnown = yes(found.first("hashknownhosts"))
	if list := found.first("hostkeyalgorithms"); list != "" && !strings.ContainsAny(list[:1], "+-^") {
		e.keyAlgorithms = strings.Split(list, ",")
	}
	user, global := found.values["userknownhostsfile"], found.values["globalknownhostsfile"]
	if len(user) == 0 {
		user = []string{"~/.ssh/known_hosts", "~/.ssh/known_hosts2"}
	}
	if len(local.KnownHosts) > 0 {
		user = local.KnownHosts
	}
	if len(global) == 0 {
		global = []string{filepath.Join(local.SystemDir, "ssh_known_hosts"), filepath.Join(local.SystemDir, "ssh_known_hosts2")}
	}
	if e.userKnown, err = x.paths(user); err != nil {
		return fmt.Errorf("UserKnownHostsFile: %w", err)
	}
	if e.globalKnown, err = x.paths(global); err != nil {
		return fmt.Errorf("GlobalKnownHostsFile: %w", err)
	}
	return nil
}

func (e *endpoint) setTimes(_ destination, found *lookup, x expander) error {
	settings := x.pool.settings
	connect, err := seconds(found, "connecttimeout")
	if err != nil {
		return err
	}
	interval, err := seconds(found, "serveraliveinterval")
	if err != nil {
		return err
	}
	e.timeout, e.keepAlive, e.aliveTimeout = defaultDialTimeout, defaultKeepAlive, defaultAliveReply
	if connect > 0 {
		e.timeout = connect
	}
	if settings.DialTimeout > 0 {
		e.timeout = settings.DialTimeout
	}
	if interval > 0 {
		count, err := strconv.Atoi(found.first("serveralivecountmax"))
		if err != nil || count < 1 {
			count = 3
		}
		e.keepAlive, e.aliveTimeout = interval, interval*time.Duration(count)
	}
	if settings.KeepAlive != 0 {
		e.keepAlive = max(settings.KeepAlive, 0)
	}
	return nil
}

// absolute resolves ~ and what is relative to the working directory.
func (p *Pool) absolute(path string) string {
	path = expandHome(path, p.local.Home)
	if !filepath.IsAbs(path) {
		path = filepath.Join(p.local.Dir, path)
	}
	return path
}

// expander fills in what ssh_config's file names and commands may contain.
type expander struct {
	pool     *Pool
	endpoint *endpoint
}

func (x expander) values() map[byte]string {
	return map[byte]string{
		'h': x.endpoint.host, 'n': x.endpoint.name, 'p': strconv.Itoa(x.endpoint.port), 'r': x.endpoint.user,
		'u': x.pool.local.User, 'd': x.pool.local.Home,
	}
}

func (x expander) tokens(text string) (string, error) { return expandTokens(text, x.values()) }

func (x expander) path(text string) (string, error) {
	text, err := expandEnv(text, x.pool.local.Getenv)
	if err != nil {
		return "", err
	}
	if text, err = x.tokens(text); err != nil {
		return "", err
	}
	return x.pool.absolute(text), nil
}

func (x expander) paths(texts []string) ([]string, error) {
	var paths []string
	for _, text := range texts {
		if strings.EqualFold(text, "none") {
			continue
		}
		path, err := x.path(text)
		if err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// Helpers

// parseDestination reads "[user@]host[:port]", where host may be an IPv6
// literal, bare or in brackets, or an ssh:// URL.
func parseDestination(text string) (destination, error) {
	rest := strings.TrimSuffix(strings.TrimPrefix(text, "ssh://"), "/")
	var d destination
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		d.user, rest = rest[:at], rest[at+1:]
	}
	d.host = strings.Trim(rest, "[]")
	if host, port, err := net.SplitHostPort(rest); err == nil {
		d.host = host
		if d.port, err = strconv.Atoi(port); err != nil || d.port < 1 || d.port > 65535 {
			return destination{}, fmt.Errorf("%q: %s is not a port", text, port)
		}
	}
	if d.host == "" {
		return destination{}, fmt.Errorf("%q names no host", text)
	}
	return d, nil
}

// parseJumps reads "a,b": b is reached through a.
func parseJumps(text string) ([]destination, error) {
	var hops []destination
	for part := range strings.SplitSeq(text, ",") {
		hop, err := parseDestination(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		hop.jump = true
		hops = append(hops, hop)
	}
	return hops, nil
}

func yes(text string) bool {
	return strings.EqualFold(text, "yes") || strings.EqualFold(text, "true")
}

// seconds reads a number of seconds, or ssh's 1h30m form.
func seconds(found *lookup, key string) (time.Duration, error) {
	text := found.first(key)
	if text == "" || strings.EqualFold(text, "none") {
		return 0, nil
	}
	if n, err := strconv.Atoi(text); err == nil && n >= 0 {
		return time.Duration(n) * time.Second, nil
	}
	d, err := time.ParseDuration(strings.ToLower(text))
	if err != nil || d < 0 {
		return 0, fmt.Errorf("ssh_config: %s %q is not a time", key, text)
	}
	return d, nil
}

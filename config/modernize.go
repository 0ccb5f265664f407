package config

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// note is one old or mistaken spelling: the warning about it, and what has to
// change in the file to say the same in the modern way.
type note struct {
	warning Warning
	ops     []op
}

// modernizer reads spellings that Kamal 2 refuses, with their evident meaning. It
// works on one file at a time, so that a meaning stays in the file it stands in.
type modernizer struct {
	root  Value
	notes []note
}

// modernize returns the tree in modern spelling, and what was read how.
func modernize(root Value) *modernizer {
	m := &modernizer{root: root}
	m.scalars()
	m.healthcheck()
	m.retired()
	m.proxy("proxy")
	for _, role := range m.root.sub("servers").Pairs() {
		switch role.Value.kind {
		case Map:
			m.role(role.Name)
		case String:
			m.listOfOne("servers", role.Name)
		}
	}
	if m.root.sub("servers").kind == String {
		m.listOfOne("servers")
	}
	for _, accessory := range m.root.sub("accessories").Pairs() {
		if accessory.Value.kind == Map {
			m.accessory(accessory.Name)
		}
	}
	m.env("env")
	m.listOfOne("volumes")
	m.assignments("labels")
	m.builder()
	m.listOfOne("ssh", "keys")
	m.emptySections()
	return m
}

// warnings are the notes without their changes.
func (m *modernizer) warnings() []Warning {
	list := make([]Warning, len(m.notes))
	for i, n := range m.notes {
		list[i] = n.warning
	}
	return list
}

// spellingHints tells for key paths how they are written now.
func spellingHints(root Value, options Options) map[string]string {
	if !options.Strict {
		return nil
	}
	hints, mend := map[string]string{}, "binnacle config --fix"
	if options.Destination != "" {
		mend = "binnacle -d " + options.Destination + " config --fix"
	}
	for _, w := range modernize(root).warnings() {
		advice := "write " + w.Modern
		if w.Modern == "nothing" {
			advice = "remove it"
		}
		key := w.Path[strings.LastIndexByte(w.Path, '/')+1:]
		hints[w.Path] = fmt.Sprintf("%s (line %d): %s; `%s` does it", key, w.Line, advice, mend)
	}
	return hints
}

// Private

// read notes a spelling and goes on with the tree as it means.
func (m *modernizer) read(path []string, read, modern string, ops ...op) {
	at := m.position(path)
	for _, o := range ops {
		m.root = o.tree(m.root)
	}
	m.notes = append(m.notes, note{ops: ops, warning: Warning{Position: at, Path: strings.Join(path, "/"), Read: read, Modern: modern}})
}

// position is where the last key of a path stands.
func (m *modernizer) position(path []string) Position {
	parent := m.root.sub(path[:len(path)-1]...)
	for _, e := range parent.entries {
		if e.key.String() == path[len(path)-1] {
			return e.key.at
		}
	}
	return parent.at
}

func (m *modernizer) at(path ...string) (Value, bool) {
	return m.root.sub(path[:len(path)-1]...).get(path[len(path)-1])
}

// scalars reads durations and quoted numbers where whole numbers stand.
func (m *modernizer) scalars() {
	for _, key := range []string{"deploy_timeout", "drain_timeout", "readiness_delay", "stop_timeout"} {
		m.seconds(key)
	}
	m.number("retain_containers")
	m.seconds("boot", "wait")
}

// healthcheck is Kamal 1's section at the root; it belongs to the proxy now.
func (m *modernizer) healthcheck() {
	check, ok := m.at("healthcheck")
	if !ok {
		return
	}
	path := []string{"healthcheck"}
	if check.IsNil() || check.IsFalse() {
		m.read(path, "has no effect: the proxy checks health anyway", "nothing", remove(path))
	}
	if check.kind != Map {
		return
	}
	if m.root.sub("proxy").has("healthcheck") {
		m.read(path, "has no effect beside proxy.healthcheck", "nothing", remove(path))
		return
	}
	m.checkKeys("healthcheck")
	if check, ok = m.at("healthcheck"); ok && len(check.entries) > 0 {
		m.read(path, "read as the proxy's health check", "it below proxy:", move(path, []string{"proxy", "healthcheck"}))
	}
}

// checkKeys reads the keys of a health check wherever it stands.
func (m *modernizer) checkKeys(path ...string) {
	m.seconds(append(path, "interval")...)
	m.seconds(append(path, "timeout")...)
	for _, pair := range m.root.sub(path...).Pairs() {
		key := append(append([]string(nil), path...), pair.Name)
		switch pair.Name {
		case "port":
			to := []string{"proxy", "app_port"}
			if path[0] != "healthcheck" {
				to = append(append([]string(nil), path[:len(path)-1]...), "app_port")
			}
			if _, taken := m.at(to...); taken {
				m.read(key, "has no effect beside app_port", "nothing", remove(key))
			} else {
				m.number(key...)
				m.read(key, "read as the port of the app", strings.Join(to, ".")+": "+pair.Value.String(), move(key, to))
			}
		case "max_attempts", "cord", "exposed_port", "log_lines", "cmd":
			m.read(key, "has no effect any more: deploy_timeout bounds the wait", "nothing", remove(key))
		}
	}
}

// retired are Kamal 1's keys at the root.
func (m *modernizer) retired() {
	if _, ok := m.at("stop_wait_time"); ok {
		path := []string{"stop_wait_time"}
		m.seconds(path...)
		if m.root.has("drain_timeout") {
			m.read(path, "has no effect beside drain_timeout", "nothing", remove(path))
		} else {
			m.read(path, "read as the time that old requests get", "drain_timeout", rename(path, "drain_timeout"))
		}
	}
	if _, ok := m.at("traefik"); ok {
		path := []string{"traefik"}
		m.read(path, "has no effect: kamal-proxy has taken Traefik's place", "what you need of it below proxy.run", remove(path))
	}
}

func (m *modernizer) role(name string) {
	path := func(keys ...string) []string { return append([]string{"servers", name}, keys...) }
	if user, ok := m.at(path("user")...); ok {
		if m.root.sub("ssh").has("user") {
			m.read(path("user"), "has no effect beside ssh.user", "nothing", remove(path("user")))
		} else {
			m.read(path("user"), "read as the user to log in as, on all hosts", "ssh: {user: "+user.String()+"}", move(path("user"), []string{"ssh", "user"}))
		}
	}
	m.roleHosts(path)
	if traefik, ok := m.at(path("traefik")...); ok && traefik.kind == Bool {
		m.read(path("traefik"), "read as whether the proxy serves the role", "proxy: "+traefik.String(), rename(path("traefik"), "proxy"))
	}
	if check, ok := m.at(path("healthcheck")...); ok {
		m.roleCheck(path, check)
	}
	m.command(path("cmd"))
	m.flags(path("options"))
	if volumes, ok := m.at(path("volumes")...); ok {
		if _, taken := m.at(path("options", "volume")...); !taken {
			if volumes.kind == String {
				m.listOfOne(path("volumes")...)
			}
			m.read(path("volumes"), "read as mounts of this role", "options: {volume: […]}", move(path("volumes"), path("options", "volume")))
		}
	}
	m.assignments(path("labels")...)
	m.seconds(path("stop_timeout")...)
	m.env(path("env")...)
	m.proxy(path("proxy")...)
}

func (m *modernizer) roleHosts(path func(...string) []string) {
	for _, key := range []string{"host", "hosts"} {
		hosts, ok := m.at(path(key)...)
		if !ok || hosts.kind != String && key == "hosts" {
			continue
		}
		if hosts.kind == String {
			m.listOfOne(path(key)...)
		}
		if _, taken := m.at(path("hosts")...); key == "host" && !taken {
			m.read(path(key), "read as the role's hosts", "hosts: with a list", rename(path(key), "hosts"))
		}
	}
}

func (m *modernizer) roleCheck(path func(...string) []string, check Value) {
	proxied := m.root.sub(path("proxy")...).kind == Map || !m.root.sub(path()...).has("proxy") && path()[1] == "web"
	if _, taken := m.at(path("proxy", "healthcheck")...); check.kind != Map || taken || !proxied {
		m.read(path("healthcheck"), "has no effect: roles without proxy are checked by the image's HEALTHCHECK", "nothing", remove(path("healthcheck")))
		return
	}
	m.read(path("healthcheck"), "read as the proxy's health check", "it below the role's proxy:", move(path("healthcheck"), path("proxy", "healthcheck")))
}

func (m *modernizer) accessory(name string) {
	path := func(keys ...string) []string { return append([]string{"accessories", name}, keys...) }
	m.flags(path("options"))
	m.command(path("cmd"))
	for _, key := range []string{"volumes", "files", "directories"} {
		m.listOfOne(path(key)...)
	}
	m.assignments(path("labels")...)
	if ports, ok := m.at(path("ports")...); ok && len(ports.texts()) == 1 && !m.root.sub(path()...).has("port") {
		m.read(path("ports"), "read as the one port to publish", "port: "+ports.texts()[0],
			set(path("ports"), StringValue(ports.texts()[0])), rename(path("ports"), "port"))
	}
	for _, keys := range [][2]string{{"host", "hosts"}, {"role", "roles"}, {"tag", "tags"}} {
		if value, ok := m.at(path(keys[0])...); ok && listOf(value, String) && !m.root.sub(path()...).has(keys[1]) {
			m.read(path(keys[0]), "read as a list", keys[1]+":", rename(path(keys[0]), keys[1]))
		}
		if value, ok := m.at(path(keys[1])...); ok && value.Present() && value.kind == String && !m.root.sub(path()...).has(keys[0]) {
			m.read(path(keys[1]), "read as one", keys[0]+":", rename(path(keys[1]), keys[0]))
		}
	}
	m.env(path("env")...)
	m.proxy(path("proxy")...)
}

func (m *modernizer) env(path ...string) {
	m.listOfOne(append(append([]string(nil), path...), "secret")...)
	m.assignments(append(append([]string(nil), path...), "clear")...)
}

func (m *modernizer) builder() {
	if remote, ok := m.at("builder", "remote"); ok && remote.kind == String && remote.text == "docker" {
		path := []string{"builder", "remote"}
		if m.root.sub("builder").has("driver") {
			m.read(path, "has no effect beside driver", "nothing", remove(path))
		} else {
			m.read(path, "read as the docker driver: it is not the address of a host", "driver: docker", rename(path, "driver"))
		}
	}
	if multi, ok := m.at("builder", "multiarch"); ok {
		path := []string{"builder", "multiarch"}
		both := ListValue(StringValue("amd64"), StringValue("arm64"))
		if multi.IsTrue() && !m.root.sub("builder").has("arch") {
			m.read(path, "read as both architectures", "arch: [amd64, arm64]", set(path, both), rename(path, "arch"))
		} else {
			m.read(path, "has no effect: arch says it", "arch:", remove(path))
		}
	}
	m.builderHosts()
	m.assignments("builder", "args")
	m.listOfOne("builder", "secrets")
}

// builderHosts reads Kamal 1's local and remote maps with arch and host.
func (m *modernizer) builderHosts() {
	local, remote := machine(m.root.sub("builder", "local")), machine(m.root.sub("builder", "remote"))
	var arches []Value
	for _, side := range []Value{local, remote} {
		if arch := side.sub("arch"); side.kind == Map && arch.Present() {
			arches = append(arches, arch)
		}
	}
	if len(arches) > 0 && !m.root.sub("builder").has("arch") {
		path := []string{"builder", "remote"}
		if local.kind == Map {
			path = []string{"builder", "local"}
		}
		m.read(path, "its arch is read as one to build for", "arch: "+flowText(ListValue(arches...)), insert([]string{"builder", "arch"}, ListValue(arches...)))
	}
	if local.kind == Map {
		path := []string{"builder", "local"}
		m.read(path, "has no effect beside arch", "nothing", remove(path))
	}
	if remote.kind == Map {
		path := []string{"builder", "remote"}
		if host := remote.sub("host"); host.Present() {
			m.read(path, "its host is read as the remote builder", "remote: "+host.String(), set(path, host))
		} else {
			m.read(path, "has no effect without a host", "nothing", remove(path))
		}
	}
}

// emptySections reads a section with nothing in it as one that is not there.
func (m *modernizer) emptySections() {
	for _, key := range []string{"ssh", "env", "proxy", "boot", "logging", "accessories", "sshkit", "output", "aliases", "labels", "volumes"} {
		if value, ok := m.at(key); ok && value.IsNil() {
			m.read([]string{key}, "is empty and has no effect", "nothing", remove([]string{key}))
		}
	}
}

// number reads '30' as 30.
func (m *modernizer) number(path ...string) {
	if value, ok := m.at(path...); ok && value.kind == String && digits.MatchString(value.text) {
		m.seconds(path...)
	}
}

// seconds reads "30s", "1m", '30' and 1.5 as whole seconds.
func (m *modernizer) seconds(path ...string) {
	value, ok := m.at(path...)
	if !ok || value.kind == Int {
		return
	}
	n, ok := wholeSeconds(value)
	if !ok {
		return
	}
	path = append([]string(nil), path...)
	m.read(path, fmt.Sprintf("%q is read as %d", value, n), fmt.Sprintf("%s: %d", path[len(path)-1], n), set(path, IntValue(int64(n))))
}

// listOfOne reads a lone text where a list stands.
func (m *modernizer) listOfOne(path ...string) {
	value, ok := m.at(path...)
	if !ok || value.kind != String || value.text == "" {
		return
	}
	path = append([]string(nil), path...)
	m.read(path, "read as a list of one", "- "+value.text, set(path, ListValue(value)))
}

// assignments reads a list of KEY=VALUE where a map stands.
func (m *modernizer) assignments(path ...string) {
	value, ok := m.at(path...)
	if !ok || value.kind != List || len(value.list) == 0 {
		return
	}
	written := Value{kind: Map}
	for _, item := range value.list {
		name, text, ok := strings.Cut(item.String(), "=")
		if !ok || item.kind != String {
			return
		}
		written.set(StringValue(name), StringValue(text))
	}
	path = append([]string(nil), path...)
	m.read(path, "read as names and values", "NAME: VALUE, one per line", set(path, written))
}

// command reads a list of words as the command that they are.
func (m *modernizer) command(path []string) {
	value, ok := m.at(path...)
	if !ok || !listOf(value, String) || len(value.list) == 0 {
		return
	}
	var words []string
	for _, word := range value.texts() {
		if !shellSafe.MatchString(word) {
			word = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
		words = append(words, word)
	}
	command := strings.Join(words, " ")
	m.read(path, "read as the words of a command", path[len(path)-1]+": "+command, set(path, StringValue(command)))
}

// flags reads a text of `docker run` flags as a map.
func (m *modernizer) flags(path []string) {
	value, ok := m.at(path...)
	if !ok || value.kind != String {
		return
	}
	if flags, ok := dockerFlags(value.text); ok {
		m.read(path, "read as flags of docker run", flowText(flags), set(path, flags))
	}
}

// Helpers

var (
	shellSafe = regexp.MustCompile(`\A[A-Za-z0-9_./:=@%+,-]+\z`)
	digits    = regexp.MustCompile(`\A[0-9]{1,9}\z`)
	duration  = regexp.MustCompile(`\A([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)?\z`)
)

// machine is a value that says arch and host of a builder, else nothing.
func machine(value Value) Value {
	if !value.has("arch") && !value.has("host") {
		return Value{}
	}
	return value
}

// wholeSeconds reads a duration; parts of a second count as a whole one.
func wholeSeconds(value Value) (int, bool) {
	if !value.scalar() {
		return 0, false
	}
	match := duration.FindStringSubmatch(value.String())
	if match == nil {
		return 0, false
	}
	n, err := strconv.ParseFloat(match[1], 64)
	if err != nil || n > 1e9 {
		return 0, false
	}
	unit := map[string]float64{"": 1, "s": 1, "ms": 0.001, "m": 60, "h": 3600}[match[2]]
	return int(math.Ceil(n * unit)), true
}

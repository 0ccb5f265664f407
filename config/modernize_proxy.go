package config

import "strings"

// proxy reads the spellings of a proxy section, wherever it stands.
func (m *modernizer) proxy(base ...string) {
	section, ok := m.at(base...)
	if !ok {
		return
	}
	if len(base) == 1 && section.IsTrue() {
		m.read(base, "has no effect at the root: the primary role is served anyway", "nothing", remove(base))
	}
	if section.kind != Map {
		return
	}
	path := func(keys ...string) []string { return append(append([]string(nil), base...), keys...) }
	m.proxyHosts(path)
	if status, ok := m.at(path("ssl_redirect_status_code")...); ok {
		m.proxyRedirect(path, status)
	}
	m.proxyOptions(path)
	if buffering, ok := m.at(path("buffering")...); ok && buffering.kind == Bool {
		both := Value{kind: Map, entries: []entry{{StringValue("requests"), buffering}, {StringValue("responses"), buffering}}}
		m.read(path("buffering"), "read for requests and responses", "buffering: "+flowText(both), set(path("buffering"), both))
	}
	if m.root.sub(path("healthcheck")...).kind == Map {
		m.checkKeys(path("healthcheck")...)
	}
	m.seconds(path("response_timeout")...)
	m.number(path("app_port")...)
	for _, key := range []string{"http_port", "https_port", "metrics_port"} {
		m.number(path("run", key)...)
	}
	m.listOfOne(path("path_prefixes")...)
}

// Private

func (m *modernizer) proxyHosts(path func(...string) []string) {
	named := func() bool { p := m.root.sub(path()...); return p.has("host") || p.has("hosts") }
	for _, key := range []string{"app_host", "app_hosts", "domain"} {
		value, ok := m.at(path(key)...)
		switch {
		case !ok:
		case named():
			m.read(path(key), "has no effect beside host", "nothing", remove(path(key)))
		case value.kind == List:
			m.read(path(key), "read as the names to serve", "hosts:", rename(path(key), "hosts"))
		default:
			m.read(path(key), "read as the name to serve", "host: "+value.String(), rename(path(key), "host"))
		}
	}
	if host, ok := m.at(path("host")...); ok && listOf(host, String) && len(host.list) > 0 && !m.root.sub(path()...).has("hosts") {
		m.read(path("host"), "read as the names to serve", "hosts:", rename(path("host"), "hosts"))
	}
	if hosts, ok := m.at(path("hosts")...); ok && hosts.kind == String && hosts.Present() && !m.root.sub(path()...).has("host") {
		m.read(path("hosts"), "read as the name to serve", "host: "+hosts.text, rename(path("hosts"), "host"))
	}
}

func (m *modernizer) proxyRedirect(path func(...string) []string, status Value) {
	key := path("ssl_redirect_status_code")
	if _, taken := m.at(path("ssl_redirect")...); taken {
		m.read(key, "has no effect beside ssl_redirect", "nothing", remove(key))
		return
	}
	redirects := BoolValue(strings.HasPrefix(status.String(), "3"))
	m.read(key, "read as whether http is sent to https; the status is always 301", "ssl_redirect: "+redirects.String(),
		set(key, redirects), rename(key, "ssl_redirect"))
}

// proxyOptions reads options of the proxy: logging is on anyway, the rest are
// flags of the proxy's own container.
func (m *modernizer) proxyOptions(path func(...string) []string) {
	options, ok := m.at(path("options")...)
	if !ok {
		return
	}
	if options.kind == String {
		m.flags(path("options"))
		options = m.root.sub(path("options")...)
	}
	for _, pair := range options.Pairs() {
		key := path("options", pair.Name)
		logging := path("logging", "request_headers")
		_, logged := m.at(path("logging")...)
		switch {
		case pair.Name == "log" && pair.Value.IsTrue() && !logged:
			headers := textList([]string{"Cache-Control", "Last-Modified", "User-Agent"})
			m.read(key, "read as logging each request, which the proxy does anyway", "logging: {request_headers: […]} to choose headers",
				insert(logging, headers), remove(key))
		case pair.Name == "log":
			m.read(key, "has no effect: the proxy logs each request", "nothing", remove(key))
		case pair.Name == "debug":
			m.read(key, "read as debug logging of the proxy", "run: {debug: "+pair.Value.String()+"}", move(key, path("run", "debug")))
		default:
			m.read(key, "read as a flag of the proxy's own container", "run: {options: {"+pair.Name+": "+flowText(pair.Value)+"}}",
				move(key, path("run", "options", pair.Name)))
		}
	}
	if options, ok := m.at(path("options")...); ok && options.kind == Map && len(options.entries) == 0 {
		m.read(path("options"), "is empty and has no effect", "nothing", remove(path("options")))
	}
}

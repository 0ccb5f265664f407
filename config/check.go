package config

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var serviceName = regexp.MustCompile(`(?mi)^[a-z0-9_-]+$`)

// check is what concerns several sections, in Kamal's order.
func (c *Config) check() Errors {
	v := &checker{config: c}
	v.destination()
	v.required()
	v.minimumVersion()
	if c.RetainContainers() < 1 {
		v.fail("retain_containers", "Must retain at least 1 container", "the running container counts: write 1 or more")
	}
	if service := c.root.sub("service"); service.Present() && (service.kind != String && service.kind != Symbol || !serviceName.MatchString(service.text)) {
		v.fail("service", "Service name can only include alphanumeric characters, hyphens, and underscores", "it becomes part of container names")
	}
	v.accessoryTags()
	v.hooks()
	v.mergedProxies()
	v.sslHosts()
	v.localRegistry()
	v.proxyRuns()
	v.hooksOutput()
	return append(v.problems, c.extension.problems...)
}

// Private

type checker struct {
	config   *Config
	problems Errors
}

// fail reports a problem of the whole file at the place of a root key, or at the
// top when the key is missing.
func (v *checker) fail(key, problem, hint string) {
	at := v.config.root.sub(key).at
	if at.Line == 0 {
		at = v.config.root.at
	}
	v.problems = append(v.problems, &Error{Position: at, Problem: problem, Hint: hint, section: key})
}

func (v *checker) destination() {
	if v.config.RequireDestination() && v.config.Destination() == "" {
		v.fail("require_destination", "You must specify a destination", "add -d NAME")
	}
}

func (v *checker) required() {
	c := v.config
	if !c.root.sub("service").Present() {
		v.fail("service", "Missing required configuration for service", "add service: NAME")
	}
	if !c.root.sub("registry").Present() {
		v.fail("registry", "Missing required configuration for registry", "add registry: with username and password")
	}
	if strings.TrimSpace(c.Image()) == "" {
		v.fail("image", "Missing required configuration for image", "add image: NAME, without registry and tag")
	}
	if c.root.sub("servers").IsNil() {
		if len(c.accessories) == 0 {
			v.fail("servers", "No servers or accessories specified", "add servers: with a list of hosts")
		}
		return
	}
	v.servers()
}

func (v *checker) servers() {
	c := v.config
	primary := c.PrimaryRole()
	switch {
	case primary == nil:
		v.fail("servers", fmt.Sprintf("The primary_role %s isn't defined", c.PrimaryRoleName()),
			"the roles are "+strings.Join(roleNames(c.roles), ", "))
	case len(primary.hosts) == 0:
		v.fail("servers", fmt.Sprintf("No servers specified for the %s primary_role", primary.name), "list its hosts as texts; numbers need quotes")
	}
	if c.root.sub("allow_empty_roles").truthy() {
		return
	}
	for _, role := range c.roles {
		if len(role.hosts) == 0 && role != primary {
			v.fail("servers", fmt.Sprintf("No servers specified for the %s role. You can ignore this with allow_empty_roles: true", role.name), "list its hosts as texts; numbers need quotes")
		}
	}
}

func (v *checker) minimumVersion() {
	minimum := v.config.root.sub("minimum_version")
	if minimum.truthy() && !gemVersion.MatchString(minimum.String()) {
		v.fail("minimum_version", "Malformed version number string "+minimum.String(), "write numbers and dots")
		return
	}
	if minimum.truthy() && compareVersions(minimum.String(), KamalVersion) > 0 {
		v.fail("minimum_version", fmt.Sprintf("Current version is %s, minimum required is %s", KamalVersion, minimum), "what only newer versions understand would be ignored")
	}
}

// accessoryTags refuses what Kamal dies of: a tag is looked up below roles.
func (v *checker) accessoryTags() {
	if !v.config.options.Strict || v.config.root.sub("servers").kind != List {
		return
	}
	for _, accessory := range v.config.accessories {
		for _, key := range []string{"tag", "tags"} {
			if tag := accessory.section.sub(key); tag.truthy() {
				v.problems = append(v.problems, &Error{Position: tag.at, Path: "accessories/" + accessory.name + "/" + key,
					Problem: "tags need servers with roles", Hint: "write servers: {web: [...]}"})
			}
		}
	}
}

func (v *checker) hooks() {
	var old []string
	for _, hook := range []string{"pre-traefik-reboot", "post-traefik-reboot"} {
		if _, err := os.Stat(filepath.Join(v.config.options.path(v.config.HooksPath()), hook)); err == nil {
			old = append(old, hook)
		}
	}
	if len(old) > 0 {
		v.fail("hooks_path", fmt.Sprintf("Found %s, these should be renamed to (pre|post)-proxy-reboot", strings.Join(old, ", ")), "rename the files: Traefik has given way to kamal-proxy")
	}
}

// mergedProxies checks each role's proxy section as it is after merging with the
// root's, then that automatic certificates have one server.
func (v *checker) mergedProxies() {
	for _, role := range v.config.roles {
		if !role.Proxied() {
			continue
		}
		merged := &validator{schema: v.config.schema}
		merged.proxy(role.proxy.section, "proxy", true)
		for _, problem := range merged.problems {
			problem.Hint = joinHints(fmt.Sprintf("in the proxy section of role %s merged with the root's", role.name), problem.Hint)
			problem.section = "proxy"
			v.problems = append(v.problems, problem)
		}
		if v.config.options.Strict && role.proxy.SSL && len(role.hosts) > 1 && !role.proxy.CustomCertificate() {
			v.problems = append(v.problems, &Error{Position: role.proxy.section.sub("ssl").at, Problem: manyHostsForSSL(role), section: "proxy",
				Hint: "give it one host, a certificate of your own, or end TLS at a load balancer; `config --fix` shows how"})
		}
	}
}

func (v *checker) sslHosts() {
	count := map[string]int{}
	var order []string
	for _, role := range v.config.roles {
		if role.Proxied() && role.proxy.SSL {
			for _, host := range role.proxy.Hosts {
				if count[host]++; count[host] == 2 {
					order = append(order, host)
				}
			}
		}
	}
	if len(order) > 0 {
		v.fail("servers", "Different roles can't share the same host for SSL: "+strings.Join(order, ", "), "give each role a host of its own below its proxy:")
	}
}

func (v *checker) localRegistry() {
	c := v.config
	if !c.registry.Local() || len(c.builder.RemoteArches(c.options.Arch)) == 0 {
		return
	}
	if remote, err := url.Parse(c.builder.Remote); err != nil || remote.Scheme != "ssh" {
		v.fail("builder", "Local registry with remote builder requires an SSH URL (e.g., ssh://user@host)", "the remote has to reach your registry through that connection")
	}
}

func (v *checker) proxyRuns() {
	c := v.config
	for _, host := range c.AllHosts() {
		var runs []*ProxyRun
		for _, role := range c.RolesOn(host) {
			if role.proxy != nil && role.proxy.Run != nil {
				runs = append(runs, role.proxy.Run)
			}
		}
		for _, accessory := range c.AccessoriesOn(host) {
			if accessory.proxy != nil && accessory.proxy.Run != nil {
				runs = append(runs, accessory.proxy.Run)
			}
		}
		if slices.ContainsFunc(runs, func(r *ProxyRun) bool { return !r.Equal(runs[0]) }) {
			v.fail("proxy", "Conflicting proxy run configurations for host "+host, "all that share a host must say the same below run:")
		}
	}
}

func (v *checker) hooksOutput() {
	output := v.config.root.sub("hooks_output")
	report := func(level Value, where string) {
		if text := level.String(); text != "quiet" && text != "verbose" {
			v.fail("hooks_output", fmt.Sprintf("Invalid hooks_output '%s'%s, must be one of: quiet, verbose", text, where), "write quiet or verbose")
		}
	}
	switch output.kind {
	case String, Symbol:
		report(output, "")
	case Map:
		for _, pair := range output.Pairs() {
			report(pair.Value, fmt.Sprintf(" for hook '%s'", pair.Name))
		}
	}
}

// Helpers

func manyHostsForSSL(role *Role) string {
	return fmt.Sprintf("SSL is only supported on a single server unless you provide custom certificates, found %d servers for role %s", len(role.hosts), role.name)
}

func joinHints(hints ...string) string {
	return strings.Join(slices.DeleteFunc(hints, func(s string) bool { return s == "" }), "; ")
}

var gemVersion = regexp.MustCompile(`\A\s*([0-9]+(\.[0-9a-zA-Z]+)*(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?)?\s*\z`)

var versionParts = regexp.MustCompile(`[0-9]+|[A-Za-z]+`)

// compareVersions orders as RubyGems does: by number, letters before numbers.
func compareVersions(a, b string) int {
	left, right := versionParts.FindAllString(a, -1), versionParts.FindAllString(b, -1)
	for i := range max(len(left), len(right)) {
		if d := compareParts(part(left, i), part(right, i)); d != 0 {
			return d
		}
	}
	return 0
}

func compareParts(a, b string) int {
	m, errA := strconv.Atoi(a)
	n, errB := strconv.Atoi(b)
	switch {
	case errA == nil && errB == nil:
		return m - n
	case errA == nil:
		return 1
	case errB == nil:
		return -1
	default:
		return strings.Compare(a, b)
	}
}

func part(parts []string, i int) string {
	if i < len(parts) {
		return parts[i]
	}
	return "0"
}

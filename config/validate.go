package config

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

var aliasName = regexp.MustCompile(`\A[a-z0-9_-]+\z`)

// validate checks the merged file section by section, in Kamal's order. Checks
// that concern several sections come after it, see Config.check.
func validate(root Value, options Options, examples schema) Errors {
	v := &validator{schema: examples, hints: spellingHints(root, options)}
	v.against(root, examples.section("configuration"), "")
	v.roles(root)
	v.registry(root.sub("registry"), "registry", root.at)
	v.accessories(root)
	v.aliases(root.sub("aliases"))
	v.section(root, "boot")
	v.builder(root)
	if env, ok := root.get("env"); ok && env.kind == Map {
		v.env(env, "env")
	}
	v.section(root, "logging")
	v.section(root, "output")
	v.output(root.sub("output"))
	v.proxy(root.sub("proxy"), "proxy", root.has("proxy"))
	v.section(root, "ssh")
	v.section(root, "sshkit")
	v.texts(root)
	return v.problems
}

// Private

// section checks a part of the file that has no rules beyond its example. What is
// not a map has been reported by the root already.
func (v *validator) section(root Value, name string) {
	if value := root.sub(name); value.kind == Map {
		v.against(value, v.schema.section(name), name)
	}
}

func (v *validator) roles(root Value) {
	servers := root.sub("servers")
	if servers.kind == List {
		v.servers(servers, "servers")
		return
	}
	for _, e := range servers.entries {
		if e.key.kind != String {
			v.fail(e.key.at, "servers", fmt.Sprintf("the role name %s should be a string", e.key), "quote it")
		}
	}
	for _, role := range sortedRoles(servers) {
		v.role(role.Name, role.Value)
	}
}

func (v *validator) role(name string, role Value) {
	path := join("servers", name)
	if !v.typed(role, path, List, Map) {
		return
	}
	if role.kind == List {
		v.servers(role, path)
		return
	}
	v.against(role, v.schema.section("role"), path)
	v.labels(role.sub("labels"), path)
	v.restart(role.sub("options"), path)
	if env := role.sub("env"); env.kind == Map {
		v.env(env, join(path, "env"))
	}
	if logging := role.sub("logging"); logging.kind == Map {
		v.against(logging, v.schema.section("logging"), join(path, "logging"))
	}
	v.proxy(role.sub("proxy"), join(path, "proxy"), role.sub("proxy").kind == Map)
}

func (v *validator) accessories(root Value) {
	for _, e := range root.sub("accessories").entries {
		v.accessory(root, e)
	}
}

func (v *validator) accessory(root Value, e entry) {
	path, accessory := join("accessories", e.key.String()), e.value
	if !v.typed(accessory, path, Map) {
		return
	}
	v.against(accessory, v.schema.section("accessory"), path)
	placed := 0
	for _, key := range []string{"host", "hosts", "role", "roles", "tag", "tags"} {
		if accessory.has(key) {
			placed++
		}
	}
	if placed != 1 {
		v.fail(e.key.at, path, "specify one of `host`, `hosts`, `role`, `roles`, `tag` or `tags`", "say where it runs, once")
	}
	v.labels(accessory.sub("labels"), path)
	v.restart(accessory.sub("options"), path)
	v.accessoryRoles(root, accessory, path)
	if env := accessory.sub("env"); env.kind == Map {
		v.env(env, join(path, "env"))
	}
	if proxy := accessory.sub("proxy"); proxy.Present() {
		v.proxy(proxy, join(path, "proxy"), true)
	}
	if registry := accessory.sub("registry"); registry.kind == Map && registry.Present() {
		v.registry(registry, join(path, "registry"), registry.at)
	}
}

func (v *validator) accessoryRoles(root, accessory Value, path string) {
	known := sortedRoles(root.sub("servers")).Names()
	var missing []string
	roles := accessory.sub("roles")
	for _, role := range roles.texts() {
		if !slices.Contains(known, role) {
			missing = append(missing, role)
		}
	}
	hint := "the roles are " + strings.Join(known, ", ")
	switch role := accessory.sub("role"); {
	case len(missing) > 0 && roles.kind == List:
		v.fail(roles.at, path, "unknown roles "+strings.Join(missing, ", "), hint)
	case role.truthy() && !slices.Contains(known, role.String()):
		v.fail(role.at, path, "unknown role "+role.String(), hint)
	}
}

func (v *validator) labels(labels Value, path string) {
	for _, e := range labels.entries {
		if slices.Contains([]string{"destination", "role", "service"}, e.key.String()) {
			v.fail(e.key.at, join(join(path, "labels"), e.key.String()),
				"invalid label. destination, role, and service are reserved labels", "choose another name")
		}
	}
}

var restartPolicies = regexp.MustCompile(`\A(?:no|always|unless-stopped|on-failure(?::\d+)?)\z`)

func (v *validator) restart(options Value, path string) {
	policy, ok := options.Pairs().Get("restart")
	path = join(path, "options/restart")
	switch {
	case !ok:
	case policy.kind != String:
		v.fail(policy.at, path, `should be a string. Use "no" to disable restarts`, "put it in quotes")
	case !restartPolicies.MatchString(policy.text):
		v.fail(policy.at, path, "should be no, always, unless-stopped, on-failure, or on-failure:N", "that is what `docker run --restart` takes")
	}
}

func (v *validator) aliases(aliases Value) {
	for _, e := range aliases.entries {
		name := e.key.String()
		path := join("aliases", name)
		switch {
		case !v.typed(e.value, path, String):
		case !aliasName.MatchString(name):
			v.fail(e.key.at, path, fmt.Sprintf("Invalid alias name: '%s'. Must only contain lowercase letters, alphanumeric, hyphens and underscores.", name), "choose another name")
		case kamalCommand(name):
			v.fail(e.key.at, path, fmt.Sprintf("Alias '%s' conflicts with a built-in command.", name), "choose another name")
		}
	}
}

func (v *validator) builder(root Value) {
	builder, written := root.get("builder")
	at := builder.at
	if !written {
		at = root.at
	} else if builder.kind != Map {
		return
	}
	if written {
		v.against(builder, v.schema.section("builder"), "builder")
	}
	if kind := builder.sub("cache", "type"); kind.truthy() && kind.String() != "gha" && kind.String() != "registry" {
		v.fail(kind.at, "builder", "Invalid cache type: "+kind.String(), "use registry or gha")
	}
	arch := builder.sub("arch")
	if !arch.Present() {
		v.fail(at, "builder", "Builder arch not set", "write builder: {arch: amd64}, or arm64, or a list of both, as your servers are")
	}
	if builder.sub("pack").truthy() && len(arch.list) > 1 {
		v.fail(arch.at, "builder", "buildpacks only support building for one arch", "choose one architecture, or build with a Dockerfile")
	}
	if local := builder.sub("local"); local.IsFalse() && !builder.sub("remote").Present() {
		v.fail(local.at, "builder", "Cannot disable local builds, no remote is set", "set remote: ssh://user@host")
	}
}

func (v *validator) registry(registry Value, path string, at Position) {
	if registry.kind != Map && !registry.IsNil() || registry.IsNil() && registry.at.Line > 0 {
		return
	}
	v.unknownKeys(registry, v.schema.section("registry"), path)
	if server, ok := registry.get("server"); ok {
		v.typed(server, join(path, "server"), String)
	}
	if localRegistry(registry.sub("server").String()) {
		return
	}
	if registry.kind == Map {
		at = registry.at
	}
	for _, key := range []string{"username", "password"} {
		v.credential(registry.sub(key), join(path, key), at)
	}
}

func (v *validator) credential(value Value, path string, at Position) {
	switch {
	case !value.Present():
		if value.at.Line > 0 {
			at = value.at
		}
		v.fail(at, path, "is required", "write the text, or a list with the name of a secret")
	case value.kind == String, value.kind == List && len(value.list) == 1 && value.list[0].kind == String:
	default:
		v.fail(value.at, path, "should be a string or an array with one string (for secret lookup)", "write the text in quotes, or - NAME of one secret")
	}
}

func (v *validator) output(output Value) {
	for _, required := range []struct{ key, field, problem string }{
		{"otel", "endpoint", "OTel endpoint is required"},
		{"file", "path", "file path is required"},
	} {
		if settings, ok := output.get(required.key); ok && settings.kind == Map && !settings.sub(required.field).truthy() {
			v.fail(settings.at, "", required.problem, "set output: "+required.key+": "+required.field)
		}
	}
}

// texts checks values that any scalar would fit by their example, but that the gem
// can only use when they are texts.
func (v *validator) texts(root Value) {
	for _, path := range [][]string{{"hooks_path"}, {"ssh", "proxy"}, {"output", "otel", "endpoint"}, {"output", "file", "path"}} {
		if value := root.sub(path...); value.truthy() && value.stringish() && value.kind != String {
			v.fail(value.at, strings.Join(path, "/"), "should be a string", "quote it")
		}
	}
	if server := root.sub("registry", "server"); server.stringish() && server.kind != String && server.kind != Symbol {
		v.fail(server.at, "registry/server", "should be a string", "quote it")
	}
	if endpoint := root.sub("output", "otel", "endpoint"); endpoint.kind == String {
		if _, err := url.Parse(endpoint.text); err != nil {
			v.fail(endpoint.at, "output/otel/endpoint", "should be a URL", "write http://HOST:4318")
		}
	}
	level := root.sub("ssh", "log_level")
	if level.stringish() && level.kind != Int && !slices.Contains([]string{"debug", "info", "warn", "error", "fatal", "unknown"}, strings.ToLower(level.String())) || level.kind == Symbol {
		v.fail(level.at, "ssh/log_level", "should be debug, info, warn, error or fatal", "leave it out for fatal")
	}
	for _, e := range root.sub("aliases").entries {
		if e.key.kind != String {
			v.fail(e.key.at, join("aliases", e.key.String()), "the name should be a string", "quote it")
		}
	}
}

// Helpers

// kamalCommand tells whether a name is one that an alias must not take.
func kamalCommand(name string) bool {
	return slices.Contains([]string{
		"accessory", "app", "audit", "build", "config", "deploy", "details", "docs", "init", "lock", "proxy",
		"prune", "redeploy", "registry", "remove", "rollback", "secrets", "server", "setup", "upgrade", "version",
	}, name)
}

// sortedRoles lists the roles by name; a plain list of hosts is the role web.
func sortedRoles(servers Value) Pairs {
	if servers.kind == List {
		return Pairs{{Name: "web", Value: servers}}
	}
	roles := servers.Pairs()
	slices.SortStableFunc(roles, func(a, b Pair) int { return strings.Compare(a.Name, b.Name) })
	return roles
}

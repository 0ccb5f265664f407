package config

import (
	"fmt"
	"slices"
	"strings"
)

// completion is what is missing or open in the merged file although each part of
// it is well written: it needs a person, and is read in the safest way till then.
type completion struct {
	tree      Value
	decisions []Decision
}

// completeTree fills in what the file leaves open.
func completeTree(root Value, options Options) *completion {
	c := &completion{tree: root}
	c.arch(options.Arch)
	c.certificates()
	return c
}

// warnings are the open questions as warnings.
func (c *completion) warnings() []Warning {
	list := make([]Warning, len(c.decisions))
	for i, d := range c.decisions {
		list[i] = Warning{Position: d.Position, Path: d.Path, Read: d.read, Decision: true}
	}
	return list
}

// Private

func (c *completion) arch(machine string) {
	builder, written := c.tree.get("builder")
	arch := builder.sub("arch")
	if arch.Present() || arch.kind == Map || arch.kind == Bool || written && builder.kind != Map {
		return
	}
	at := builder.at
	if !written {
		at = c.tree.at
	}
	d := Decision{Position: at, ID: "builder-arch", Path: "builder/arch", Question: "Which architecture do your servers have?",
		read: fmt.Sprintf("is not set and read as %s, this machine's; a person has to say which the servers have", machine)}
	path := []string{"builder", "arch"}
	arches := []string{"amd64", "arm64"}
	if machine == "arm64" {
		slices.Reverse(arches)
	}
	for _, arch := range arches {
		d.Choices = append(d.Choices, Choice{ID: arch, Label: archLabel(arch), Detail: "builder.arch: " + arch, ops: []op{insert(path, StringValue(arch))}})
	}
	d.Choices = append(d.Choices, Choice{ID: "both", Label: "both: one image for mixed servers, which takes longer to build",
		Detail: "builder.arch: [amd64, arm64]", ops: []op{insert(path, textList(arches))}})
	c.decisions = append(c.decisions, d)
	c.tree = c.tree.without(path).inserted(path, StringValue(machine))
}

// certificates asks about automatic certificates for a role with several hosts:
// each proxy would ask for one of its own, and all but one would fail.
func (c *completion) certificates() {
	primary := "web"
	if name := c.tree.sub("primary_role"); name.truthy() {
		primary = name.String()
	}
	for _, role := range sortedRoles(c.tree.sub("servers")) {
		own := role.Value.sub("proxy")
		if own.IsFalse() || own.IsNil() && role.Name != primary {
			continue
		}
		hosts, hostsPath := role.Value, []string{"servers", role.Name}
		if c.tree.sub("servers").kind == List {
			hostsPath = []string{"servers"}
		} else if role.Value.kind == Map {
			hosts, hostsPath = role.Value.sub("hosts"), append(hostsPath, "hosts")
		}
		ssl := mergedProxy(c.tree.sub("proxy"), own).sub("ssl")
		if tagged := taggedHosts(hosts); len(tagged) > 1 && ssl.truthy() && ssl.kind != Map {
			c.certificate(role.Name, tagged, ssl, hosts, hostsPath)
		}
	}
}

func (c *completion) certificate(role string, tagged []TaggedHost, ssl, hosts Value, hostsPath []string) {
	section := []string{"proxy"}
	if c.tree.sub("servers", role, "proxy").has("ssl") {
		section = []string{"servers", role, "proxy"}
	}
	path := func(key string) []string { return append(slices.Clone(section), key) }
	own := Value{kind: Map, entries: []entry{
		{StringValue("certificate_pem"), StringValue("CERTIFICATE_PEM")}, {StringValue("private_key_pem"), StringValue("PRIVATE_KEY_PEM")}}}
	offload := []op{set(path("ssl"), BoolValue(false))}
	if !c.tree.sub(section...).has("forward_headers") {
		offload = append(offload, insert(path("forward_headers"), BoolValue(true)))
	}
	names := make([]string, len(tagged))
	for i, host := range tagged {
		names[i] = host.Host
	}
	c.decisions = append(c.decisions, Decision{
		Position: ssl.at, ID: "ssl-hosts/" + role, Path: strings.Join(path("ssl"), "/"),
		Question: fmt.Sprintf("Role %s has %d hosts (%s), and automatic certificates work for one. Who ends TLS?", role, len(tagged), strings.Join(names, ", ")),
		read:     fmt.Sprintf("stays on for the %d hosts of role %s, where automatic certificates fail on all but one; a person has to choose", len(tagged), role),
		Choices: []Choice{
			{ID: "load-balancer", Label: "a load balancer in front", Detail: "ssl: false, and the client's address is taken from its headers", ops: offload},
			{ID: "one-host", Label: "the proxy of " + names[0] + " alone", Detail: "the role keeps that one host",
				ops: []op{set(hostsPath, ListValue(hosts.list[0]))}},
			{ID: "own-certificate", Label: "every proxy, with a certificate of your own",
				Detail: "put CERTIFICATE_PEM and PRIVATE_KEY_PEM into .kamal/secrets", ops: []op{set(path("ssl"), own)}},
		},
	})
}

// Helpers

func archLabel(arch string) string {
	if arch == "arm64" {
		return "arm64: Ampere, Graviton, Raspberry Pi"
	}
	return "amd64: most rented servers (Intel, AMD)"
}

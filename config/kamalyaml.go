package config

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"binnacle/config/secret"

	"go.yaml.in/yaml/v3"
)

// KamalYAML is what `kamal config` prints for this configuration. Passwords and
// keys that stand in the file are printed as [REDACTED]. Like the gem, it has no
// answer for a configuration without servers.
func (c *Config) KamalYAML() (string, error) {
	if c.root.sub("servers").IsNil() {
		return "", errors.New("a configuration without servers cannot be summed up: there is no role, host or primary host")
	}
	version, err := c.Version()
	if err != nil {
		return "", err
	}
	summary := Value{kind: Map}
	add := func(name string, value Value) { summary.set(symbol(name), value) }
	add("roles", textList(roleNames(c.roles)))
	add("hosts", textList(c.AllHosts()))
	if host := c.PrimaryHost(); host != "" {
		add("primary_host", StringValue(host))
	}
	add("version", StringValue(version))
	add("repository", StringValue(c.ImageRepository()))
	add("absolute_image", StringValue(c.AbsoluteImage(version)))
	add("service_with_version", StringValue(c.ServiceWithVersion(version)))
	add("volume_args", c.volumeArgs())
	add("ssh_options", c.sshOptions())
	add("sshkit", mapOrEmpty(c.root.sub("sshkit")))
	add("builder", mapOrEmpty(c.root.sub("builder")))
	if accessories := c.root.sub("accessories"); !accessories.IsNil() {
		add("accessories", redactPasswords(accessories))
	}
	add("logging", c.logging.args())
	return dump(summary)
}

// Private

func (c *Config) volumeArgs() Value {
	args := Value{kind: List}
	for _, volume := range c.root.sub("volumes").list {
		args.list = append(args.list, StringValue("--volume"), volume)
	}
	return args
}

func (c *Config) sshOptions() Value {
	ssh := c.root.sub("ssh")
	options := Value{kind: Map}
	set := func(key string, fallback Value) {
		value, ok := ssh.get(key)
		if !ok {
			value = fallback
		}
		if !value.IsNil() {
			options.set(symbol(key), value)
		}
	}
	set("user", StringValue("root"))
	set("port", IntValue(22))
	set("proxy", ssh.sub("proxy_command"))
	options.set(symbol("keepalive"), BoolValue(true))
	options.set(symbol("keepalive_interval"), IntValue(30))
	set("keys_only", Value{})
	set("keys", Value{})
	if keys := ssh.sub("key_data"); keys.kind == List {
		hidden := Value{kind: List}
		for range keys.list {
			hidden.list = append(hidden.list, StringValue(secret.Redacted))
		}
		options.set(symbol("key_data"), hidden)
	}
	set("config", Value{})
	set("forward_agent", Value{})
	set("log_level", symbol("fatal"))
	return options
}

func (l Logging) args() Value {
	args := Value{kind: List}
	add := func(texts ...string) { args.list = append(args.list, textList(texts).list...) }
	if l.Default() {
		add("--log-opt", `max-size="10m"`)
		return args
	}
	if l.Driver != "" {
		add("--log-driver", shellValue(l.Driver))
	}
	for _, option := range l.Options {
		switch {
		case option.Value.Present():
			add("--log-opt", option.Name+"="+shellValue(option.Value.String()))
		case option.Value.IsFalse():
			add("--log-opt", option.Name+"=false")
		default:
			add("--log-opt", option.Name)
		}
	}
	return args
}

// dump writes a value as Psych's YAML dump does.
func dump(value Value) (string, error) {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	encoder.CompactSeqIndent()
	if err := encoder.Encode(dumpNode(value)); err != nil {
		return "", fmt.Errorf("printing the configuration: %w", err)
	}
	if err := encoder.Close(); err != nil {
		return "", fmt.Errorf("printing the configuration: %w", err)
	}
	return "---\n" + out.String(), nil
}

func dumpNode(value Value) *yaml.Node {
	switch value.kind {
	case Map:
		node := &yaml.Node{Kind: yaml.MappingNode}
		if len(value.entries) == 0 {
			node.Style = yaml.FlowStyle
		}
		for _, e := range value.entries {
			node.Content = append(node.Content, dumpNode(e.key), dumpNode(e.value))
		}
		return node
	case List:
		node := &yaml.Node{Kind: yaml.SequenceNode}
		if len(value.list) == 0 {
			node.Style = yaml.FlowStyle
		}
		for _, item := range value.list {
			node.Content = append(node.Content, dumpNode(item))
		}
		return node
	case Symbol:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: ":" + value.text}
	case String:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: value.text, Style: dumpStyle(value.text)}
	default:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: value.text}
	}
}

// Helpers

var (
	dumpDouble = regexp.MustCompile(`(?m)^[^\pL\pM\pN_][^"]*$`)
	dumpOctal  = regexp.MustCompile(`\A0[0-7]*\.[0-9]`)
)

func dumpStyle(s string) yaml.Style {
	switch {
	case strings.Contains(strings.TrimSuffix(s, "\n"), "\n"):
		return yaml.LiteralStyle
	case s == "y" || s == "n" || dumpDouble.MatchString(s):
		return yaml.DoubleQuotedStyle
	case plainScalar(s).kind != String || dumpOctal.MatchString(s):
		return yaml.SingleQuotedStyle
	default:
		return 0
	}
}

func symbol(name string) Value { return Value{kind: Symbol, text: name} }

func mapOrEmpty(v Value) Value {
	if v.kind == Map {
		return v
	}
	return Value{kind: Map}
}

func redactPasswords(accessories Value) Value {
	shown := Value{kind: Map}
	for _, e := range accessories.entries {
		if password := e.value.sub("registry", "password"); password.kind == String {
			over := Value{kind: Map, entries: []entry{{StringValue("registry"), Value{kind: Map,
				entries: []entry{{StringValue("password"), StringValue(secret.Redacted)}}}}}}
			e.value = deepMerge(e.value, over)
		}
		shown.entries = append(shown.entries, e)
	}
	return shown
}

var bareDollar = regexp.MustCompile(`\$(\{[^}]*\})?`)

// shellValue quotes a value as Kamal's commands show it.
func shellValue(s string) string {
	var out strings.Builder
	for s != "" {
		n := strings.IndexFunc(s, func(r rune) bool { return r > 0x7f })
		if n < 0 {
			n = len(s)
		}
		if n > 0 {
			quoted := strings.ReplaceAll(inspectString(s[:n]), "`", "\\`")
			out.WriteString(bareDollar.ReplaceAllStringFunc(quoted, func(m string) string {
				if m == "$" {
					return `\$`
				}
				return m
			}))
		}
		rest := s[n:]
		m := strings.IndexFunc(rest, func(r rune) bool { return r <= 0x7f })
		if m < 0 {
			m = len(rest)
		}
		out.WriteString(rest[:m])
		s = rest[m:]
	}
	return out.String()
}

package config

import (
	"context"
	"testing"
)

func FuzzLoad(f *testing.F) {
	f.Add(richFile)
	f.Add(modernHead + "servers: {web: {host: h1, user: u, options: --a b}}\nproxy: {app_host: a.com, options: {log: true}}\nhealthcheck: {interval: 1m}\n")
	f.Add("a: &a [*a]\n")
	f.Add("service: <%= ENV['X'] || `x` %>\n<% if true %>\n? [a]\n: b\n<% end %>")
	f.Add("servers: {web: [h1, {h2: [t]}], 5: [x], on: ~}\nenv: {tags: {t: ~}}\naccessories: {a: ~, b: [], c: {host: ~, files: [1, ~, {}], directories: ['', ':', {local: 1}]}}")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			return
		}
		options := testProject(t, text, Options{Version: "v1", Run: func(context.Context, string) (string, error) { return "out", nil }})
		for _, strict := range []bool{false, true} {
			options.Strict = strict
			c, _, err := Load(t.Context(), options)
			if err == nil {
				ask(t, c)
			}
		}
		fixed, err := Fix(t.Context(), options)
		if err != nil {
			return
		}
		for i, decision := range fixed.Decisions {
			for j := range decision.Choices {
				// A choice that cannot be written is an error, and nothing worse.
				_, _ = fixed.Decide(t.Context(), i, j)
			}
		}
	})
}

// ask puts every question to a configuration.
func ask(t *testing.T, c *Config) {
	topAnswer(c)
	for _, role := range c.Roles() {
		roleAnswer(role)
		role.Options()
	}
	for _, accessory := range c.Accessories() {
		accessoryAnswer(accessory)
	}
	if _, err := c.KamalYAML(); err != nil && !c.root.sub("servers").IsNil() {
		t.Errorf("cannot be summed up: %v", err)
	}
	for _, filter := range []Filter{{}, {Primary: true}, {Hosts: []string{"*"}}, {Roles: []string{"w*"}}} {
		if s, err := c.Select(filter); err == nil {
			s.AppHosts()
			s.ProxyHosts()
		}
	}
}

func FuzzTemplate(f *testing.F) {
	f.Add("<% if x = ENV['A'] then %>a<%= \"#{x + `b`}\" %><% end -%>\n")
	f.Add("<% %w[a b].each do |x| %><%= x[0, 2] || [1].map { |y| y * 2 } %><% end %>")
	f.Add("<%= ENV.fetch(\"A\") { raise 'x' } ? :a : 'b' %>")
	f.Add("<%%<%-%><%#%><%=-%>")
	f.Fuzz(func(t *testing.T, text string) {
		options := Options{Dir: t.TempDir(), Env: func(string) (string, bool) { return "1", true },
			Run: func(_ context.Context, command string) (string, error) { return command, nil }}
		rendered, lines, err := render(t.Context(), "f", text, options, newEnvironment(options))
		if err != nil {
			return
		}
		for _, line := range lines {
			if line < 1 {
				t.Errorf("line %d in %q", line, rendered)
			}
		}
	})
}

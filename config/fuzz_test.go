package config

import (
	"context"
	"strings"
	"testing"
)

func FuzzLoad(f *testing.F) {
	f.Add(richFile)
	f.Add(modernHead + "servers: {web: {host: h1, user: u, options: --a b}}\nproxy: {app_host: a.com, options: {log: true}}\nhealthcheck: {interval: 1m}\n")
	f.Add("a: &a [*a]\n")
	f.Add(modernHead + "servers: [a, b]\nx-binnacle: {backups: {'*': [], 5: {role: x}, b: {encrypt: [{}], retain: x, database: /a}, c: {skip: 1}}, stores: {a: ~}, migrate: 1}\n")
	f.Add("service: <%= ENV['X'] || `x` %>\n<% if true %>\n? [a]\n: b\n<% end %>")
	f.Add("servers: {web: [h1, {h2: [t]}], 5: [x], on: ~}\nenv: {tags: {t: ~}}\naccessories: {a: ~, b: [], c: {host: ~, files: [1, ~, {}], directories: ['', ':', {local: 1}]}}")
	examples, err := loadSchema()
	if err != nil {
		f.Fatal(err)
	}
	options, err := testProject(f, "", Options{Version: "v1", Run: func(context.Context, string) (string, error) { return "out", nil }}).complete()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			return
		}
		options := options
		options.texts = map[string]string{options.files()[0]: text}
		for _, strict := range []bool{false, true} {
			options.Strict = strict
			d, err := read(t.Context(), options)
			if err != nil {
				continue
			}
			problems := validate(d.root, options, examples)
			c := d.config(examples)
			if problems = problems.with(c.check()); len(problems) == 0 {
				ask(t, c)
			}
		}
	})
}

// FuzzFix makes every choice that the mending of a file offers.
func FuzzFix(f *testing.F) {
	f.Add(modernHead + "servers: {web: {host: h1, user: u}}\nproxy: {app_host: a.com}\nhealthcheck: {interval: 1m}\n")
	f.Add("servers: h1\nenv: ~\naccessories: {a: {options: --a b, host: [h]}}\nx: <%= 1 %>\n")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1024 {
			return
		}
		fixed, err := Fix(t.Context(), testProject(t, text, Options{Version: "v1"}))
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

// FuzzMerge holds merging to what it means: what the destination says is what
// counts, and what it leaves out stays.
func FuzzMerge(f *testing.F) {
	f.Add("a: {b: 1, c: [1]}\nd: x", "a: {c: 2}\ne: ~")
	f.Add("a: &x {b: 1}\nc: {<<: *x}", "a: ~\nc: {b: {d: 1}}")
	f.Add("on: 1\n1: a\n:s: b", "yes: {2: 3}\n? [a]\n: b")
	f.Fuzz(func(t *testing.T, below, above string) {
		base, over := source{rendered: below, path: "b"}, source{rendered: above, path: "o"}
		if base.parse() != nil || over.parse() != nil || strings.Contains(strings.ToLower(below+above), "nan") {
			t.Skip("no maps to merge, or a number that is not itself")
		}
		merged := deepMerge(base.tree, over.tree)
		if again := deepMerge(merged, over.tree); !again.equal(merged) {
			t.Errorf("merged twice: %s, once: %s", again.inspect(), merged.inspect())
		}
		if same := deepMerge(base.tree, base.tree); !same.equal(base.tree) {
			t.Errorf("over itself: %s, alone: %s", same.inspect(), base.tree.inspect())
		}
		covers(t, merged, base.tree, over.tree)
	})
}

// covers checks a merged map key by key.
func covers(t *testing.T, merged, base, over Value) {
	t.Helper()
	at := func(v Value, key Value) (Value, bool) {
		for _, e := range v.entries {
			if e.key.equal(key) {
				return e.value, true
			}
		}
		return Value{}, false
	}
	for _, e := range merged.entries {
		below, inBase := at(base, e.key)
		above, inOver := at(over, e.key)
		switch {
		case inBase && inOver && below.kind == Map && above.kind == Map:
			covers(t, e.value, below, above)
		case inOver && !e.value.equal(above), inBase && !inOver && !e.value.equal(below), !inBase && !inOver:
			t.Errorf("%s is %s from %s and %s", e.key.inspect(), e.value.inspect(), below.inspect(), above.inspect())
		}
	}
	for _, v := range []Value{base, over} {
		for _, e := range v.entries {
			if _, ok := at(merged, e.key); !ok {
				t.Errorf("%s is lost", e.key.inspect())
			}
		}
	}
}

package config

import (
	"encoding/json"
	"path"
	"strconv"
	"strings"
	"testing"
)

// answers are what the gem answered about a configuration, and about selections
// of its hosts and roles.
type answers struct {
	File        string            `json:"file"`
	Destination string            `json:"destination"`
	Text        string            `json:"text"`
	Top         any               `json:"top"`
	Roles       []any             `json:"roles"`
	Accessories []any             `json:"accessories"`
	Selections  []selectionAnswer `json:"selections"`
}

type selectionAnswer struct {
	HostsFilter   string   `json:"hosts_filter"`
	RolesFilter   string   `json:"roles_filter"`
	PrimaryFilter bool     `json:"primary_filter"`
	Roles         []string `json:"roles,omitempty"`
	Hosts         []string `json:"hosts,omitempty"`
	PrimaryHost   string   `json:"primary_host,omitempty"`
	PrimaryRole   string   `json:"primary_role,omitempty"`
	App           []string `json:"app,omitempty"`
	Proxy         []string `json:"proxy,omitempty"`
	Accessory     []string `json:"accessory,omitempty"`
	Error         string   `json:"error,omitempty"`
}

func TestAnswersAreTheGems(t *testing.T) {
	var all []answers
	readJSON(t, &all, "testdata", "ruby", "answers.json")
	for _, want := range all {
		t.Run(want.File+" "+want.Destination, func(t *testing.T) {
			options := testProject(t, want.Text, Options{Strict: true, Version: "v1"})
			if want.Destination != "" {
				options.Destination = want.Destination
				writeFile(t, path.Join(options.Dir, "config", "deploy."+want.Destination+".yml"), "{}")
			}
			c, _, err := Load(t.Context(), options)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "the whole", topAnswer(c), want.Top)
			for i, role := range c.Roles() {
				same(t, role.Name(), roleAnswer(role), want.Roles[i])
			}
			for i, accessory := range c.Accessories() {
				same(t, accessory.Name(), accessoryAnswer(accessory), want.Accessories[i])
			}
			for _, selection := range want.Selections {
				got := selectAnswer(c, selection)
				same(t, "selection of "+selection.HostsFilter+" / "+selection.RolesFilter+" / "+strconv.FormatBool(selection.PrimaryFilter), got, selection)
			}
		})
	}
}

// same compares two values by their JSON, where nothing, null, "" and [] are one.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if g, w := canonical(t, got), canonical(t, want); g != w {
		t.Errorf("%s:\n got %s\nwant %s", what, g, w)
	}
}

func canonical(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var plain any
	if err := json.Unmarshal(text, &plain); err != nil {
		t.Fatal(err)
	}
	if text, err = json.Marshal(dropEmpty(plain)); err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func dropEmpty(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if value = dropEmpty(value); value == nil {
				delete(v, key)
			} else {
				v[key] = value
			}
		}
		if len(v) == 0 {
			return nil
		}
	case []any:
		if len(v) == 0 {
			return nil
		}
		for i := range v {
			v[i] = dropEmpty(v[i])
		}
	case string:
		if v == "" {
			return nil
		}
	case float64:
		if v == 0 {
			return nil
		}
	}
	return v
}

func topAnswer(c *Config) map[string]any {
	var runs []string
	for _, host := range c.AllHosts() {
		image := ""
		if run := c.ProxyRun(host); run != nil {
			image = run.Image()
		}
		runs = append(runs, host+"="+image)
	}
	return map[string]any{
		"latest": c.LatestImage(), "absolute": c.AbsoluteImage("v1"), "all": c.AllHosts(), "app": c.AppHosts(), "proxy": c.ProxyHosts(),
		"primary": c.PrimaryHost(), "limit": c.Boot().Limit(), "cache_from": c.Builder().CacheFrom, "cache_to": c.Builder().CacheTo,
		"app_directory": c.AppDirectory(), "run": runs,
	}
}

func roleAnswer(r *Role) map[string]any {
	var env, secrets [][]string
	for _, host := range r.Hosts() {
		spec := r.Env(host)
		env = append(env, pairTexts(spec.Clear))
		var refs []string
		for _, ref := range spec.Secrets {
			refs = append(refs, ref.Name+"="+ref.Key)
		}
		secrets = append(secrets, refs)
	}
	var stop []string
	if timeout := r.DockerStopTimeout(); timeout != nil {
		stop = []string{"-t", strconv.Itoa(*timeout)}
	}
	return map[string]any{
		"name": r.Name(), "hosts": r.Hosts(), "cmd": r.Cmd(), "labels": pairTexts(r.Labels()), "restart": r.Restart(), "logging": r.Logging().args().texts(),
		"stop": stop, "container": r.ContainerName("v1"), "assets": r.Assets(), "asset_volume": r.AssetVolumeDirectory("v1"),
		"env": env, "secrets": secrets, "proxy": proxyAnswer(r.Proxy()),
	}
}

func proxyAnswer(p *Proxy) any {
	if p == nil {
		return nil
	}
	run := ""
	if p.Run != nil {
		run = p.Run.Image()
	}
	return map[string]any{"hosts": p.Hosts, "app_port": p.AppPort, "ssl": p.SSL, "deploy": pairTexts(p.DeployOptions("v1")), "cert": p.HostCertificate(), "run": run}
}

func accessoryAnswer(a *Accessory) map[string]any {
	var files, directories [][]string
	for _, m := range a.Files() {
		files = append(files, []string{path.Base(m.Local), m.HostPath, m.ContainerPath, m.Options, m.Mode, m.Owner})
	}
	for _, m := range a.Directories() {
		directories = append(directories, []string{m.HostPath, m.ContainerPath, m.Options, m.Mode})
	}
	return map[string]any{
		"name": a.Name(), "service": a.ServiceName(), "image": a.Image(), "hosts": a.Hosts(), "port": a.Port(), "labels": pairTexts(a.Labels()),
		"restart": a.Restart(), "network": []string{"--network", a.Network()}, "cmd": a.Cmd(), "env": pairTexts(a.Env().Clear),
		"proxy": proxyAnswer(a.Proxy()), "files": files, "directories": directories,
	}
}

func selectAnswer(c *Config, filter selectionAnswer) selectionAnswer {
	got := selectionAnswer{HostsFilter: filter.HostsFilter, RolesFilter: filter.RolesFilter, PrimaryFilter: filter.PrimaryFilter}
	split := func(s string) []string {
		if s == "" {
			return nil
		}
		return strings.Split(s, ",")
	}
	s, err := c.Select(Filter{Hosts: split(filter.HostsFilter), Roles: split(filter.RolesFilter), Primary: filter.PrimaryFilter})
	if err != nil {
		got.Error = err.Error()
		return got
	}
	got.Roles, got.Hosts, got.PrimaryHost = roleNames(s.Roles()), s.Hosts(), s.PrimaryHost()
	if role := s.PrimaryRole(); role != nil {
		got.PrimaryRole = role.Name()
	}
	got.App, got.Proxy, got.Accessory = s.AppHosts(), s.ProxyHosts(), s.AccessoryHosts()
	return got
}

func pairTexts(pairs Pairs) []string {
	texts := []string{}
	for _, pair := range pairs {
		texts = append(texts, pair.Name+"="+pair.Value.String())
	}
	return texts
}

package command_test

import (
	"strings"
	"testing"

	"binnacle/ops/command"
)

func TestProxyRun(t *testing.T) {
	const (
		start = "docker run --name kamal-proxy --network kamal --detach --restart unless-stopped " +
			"--volume kamal-proxy-config:/home/kamal-proxy/.config/kamal-proxy --volume $PWD/.kamal/proxy/apps-config:/home/kamal-proxy/.apps-config"
		publish = " --publish 80:80 --publish 443:443"
		size    = " --log-opt max-size=10m"
		image   = " basecamp/kamal-proxy:v0.9.2 kamal-proxy run"
	)
	legacy := `echo $(cat .kamal/proxy/options 2> /dev/null || echo "--publish 80:80 --publish 443:443 --log-opt max-size=10m") ` +
		`$(cat .kamal/proxy/image 2> /dev/null || echo "basecamp/kamal-proxy"):$(cat .kamal/proxy/image_version 2> /dev/null || echo "v0.9.2") ` +
		`$(cat .kamal/proxy/run_command 2> /dev/null || echo "") | xargs ` + start
	for _, c := range []struct{ name, run, want string }{
		{"legacy files", "", legacy},
		{"registry", "{registry: 'registry:4443'}", start + publish + size + " registry:4443/basecamp/kamal-proxy:v0.9.2 kamal-proxy run"},
		{"repository and version", "{repository: custom/repo, version: v1.2.3}", start + publish + size + " custom/repo:v1.2.3 kamal-proxy run"},
		{"addresses", "{bind_ips: [127.0.0.1, '::1']}",
			start + " --publish 127.0.0.1:80:80 --publish 127.0.0.1:443:443 --publish [::1]:80:80 --publish [::1]:443:443" + size + image},
		{"ports and log size", "{http_port: 8080, https_port: 8443, log_max_size: 50m}",
			start + " --publish 8080:80 --publish 8443:443 --log-opt max-size=50m" + image},
		{"no ports, no log size", "{publish: false, log_max_size: ''}", start + image},
		{"debug and metrics", "{debug: true, metrics_port: 9090}", start + publish + size + " --expose=9090" + image + ` --debug --metrics-port "9090"`},
		{"options", "{options: {label: [a=b, c=d], init: true}}", start + publish + size + ` --label "a=b" --label "c=d" --init` + image},
	} {
		t.Run(c.name, func(t *testing.T) {
			yaml := ""
			if c.run != "" {
				yaml = "proxy: {run: " + c.run + "}\n"
			}
			proxy := command.NewProxy(parse(t, yaml), "1.1.1.1")
			if got := proxy.Run().String(); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
			if got, want := proxy.StartOrRun().String(), "docker container start kamal-proxy || "+c.want; got != want {
				t.Errorf("\n got %s\nwant %s", got, want)
			}
		})
	}
}

func TestBootConfigReadsTheFiles(t *testing.T) {
	proxy, home := command.NewProxy(parse(t, ""), "1.1.1.1"), t.TempDir()
	if got := strings.TrimSpace(run(t, home, proxy.BootConfig())); got != "--publish 80:80 --publish 443:443 --log-opt max-size=10m basecamp/kamal-proxy:v0.9.2" {
		t.Errorf("without files: %s", got)
	}
	write(t, home+"/"+proxy.BootFile(command.BootOptions), "--publish 8080:80")
	write(t, home+"/"+proxy.BootFile(command.BootImage), "mine/kamal-proxy")
	write(t, home+"/"+proxy.BootFile(command.BootImageVersion), "v1")
	write(t, home+"/"+proxy.BootFile(command.BootRunCommand), "kamal-proxy run --debug")
	if got := strings.TrimSpace(run(t, home, proxy.BootConfig())); got != "--publish 8080:80 mine/kamal-proxy:v1 kamal-proxy run --debug" {
		t.Errorf("with files: %s", got)
	}
}

func TestCompareVersions(t *testing.T) {
	for _, c := range []struct {
		a, b  string
		order int
		ok    bool
	}{
		{"v0.9.2", "0.9.2", 0, true},
		{"v0.9.2", "v0.9.10", -1, true},
		{"v1", "v0.9.2", 1, true},
		{"v0.9", "v0.9.0", 0, true},
		{"v0.9.2\n", "v0.9.2", 0, true},
		{"v0.9.2-rc1", "v0.9.2", -1, true},
		{"v0.9.2-rc2", "v0.9.2-rc1", 1, true},
		{"latest", "v0.9.2", 0, false},
		{"v0.9.2", "", 0, false},
		{"v0.-1", "v0.9.2", 0, false},
	} {
		if order, ok := command.CompareVersions(c.a, c.b); order != c.order || ok != c.ok {
			t.Errorf("%q and %q: %d, %v; want %d, %v", c.a, c.b, order, ok, c.order, c.ok)
		}
	}
}

func TestBootSettings(t *testing.T) {
	files := func(change func(*command.BootSettings)) string {
		settings := command.DefaultBootSettings()
		change(&settings)
		var b strings.Builder
		for _, file := range settings.Files() {
			if file.Text != "" {
				b.WriteString(file.Name + "=" + file.Text + "\n")
			}
		}
		return b.String()
	}
	for want, change := range map[string]func(*command.BootSettings){
		"": func(*command.BootSettings) {},
		"options=--publish 8080:80 --publish 443:443 --log-opt max-size=5m\n": func(s *command.BootSettings) { s.HTTPPort, s.LogMaxSize = 8080, "5m" },
		"options=--publish 127.0.0.1:80:80 --publish 127.0.0.1:443:443 --publish [::1]:80:80 --publish [::1]:443:443 --log-opt max-size=10m\n": func(s *command.BootSettings) {
			s.HostIPs = []string{"127.0.0.1", "::1"}
		},
		"options=--label=a=b\n": func(s *command.BootSettings) {
			s.Publish, s.LogMaxSize, s.DockerOptions = false, "", []string{"label=a=b"}
		},
		"image=ghcr.io/basecamp/kamal-proxy\n": func(s *command.BootSettings) { s.Registry = "ghcr.io" },
		"image=ghcr.io/mine/kamal-proxy\nimage_version=v1\n": func(s *command.BootSettings) {
			s.Registry, s.Repository, s.ImageVersion = "ghcr.io", "mine", "v1"
		},
		"options=--publish 80:80 --publish 443:443 --log-opt max-size=10m --expose=9090\nrun_command=kamal-proxy run --debug --metrics-port \"9090\"\n": func(s *command.BootSettings) {
			s.Debug, s.MetricsPort = true, 9090
		},
	} {
		if got := files(change); got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
	}
}

//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"binnacle/ops/e2e/lab"
)

// These tests hold for the stand-in and for the real kamal-proxy 0.9.2.

func TestProxySwitchesVersionsWithoutLosingARequest(t *testing.T) {
	fleet := freshFleet(t)
	host := fleet.Host("vm1")
	bootProxy(t, host)
	bootApp(t, fleet, host, "v1", "")
	switchTo(t, host, "v1", "")

	load := startLoad(t, fleet, "vm1")
	eventually(t, "traffic flows", func() bool { return load.Report().Sent["vm1"] > 50 })
	for _, version := range []string{"v2", "v3"} {
		bootApp(t, fleet, host, version, "")
		switchTo(t, host, version, "")
	}
	exec(t, host, "docker stop app-v1 app-v2")

	bootApp(t, fleet, host, "bad", "")
	out := refused(t, host, "deploy app --target $(docker ps --quiet --filter name=^app-bad$):80 --deploy-timeout 2s --health-check-interval 500ms")
	if !strings.Contains(out, "Error: target failed to become healthy within configured timeout (2s)") {
		t.Errorf("deploy of the bad version says: %s", out)
	}
	report := load.Stop()
	t.Log(report)
	if report.Failed > 0 || report.Skipped > 0 || report.Rate() < 95 {
		t.Errorf("requests were lost or not sent:\n%s", report)
	}
	if seen := report.Seen("vm1"); !reflect.DeepEqual(seen, []string{"v1", "v2", "v3"}) {
		t.Errorf("versions seen: %v", seen)
	}
}

func TestProxyWaitsForHealthAndDrainsWhatIsInFlight(t *testing.T) {
	fleet := freshFleet(t)
	host := fleet.Host("vm2")
	bootProxy(t, host)
	bootApp(t, fleet, host, "v1", "")
	switchTo(t, host, "v1", "")

	answers := make(chan string, 1)
	go func() { answers <- fetch(host, "/slow?ms=3000", "") }()
	eventually(t, "the slow request is in flight", func() bool {
		return strings.Contains(exec(t, host, "docker logs app-v1"), "taking 3s")
	})
	begun := time.Now()
	bootApp(t, fleet, host, "late", "--env HEALTHY_AFTER=2s")
	switchTo(t, host, "late", "")
	if took := time.Since(begun); took < 2*time.Second {
		t.Errorf("the switch took %s, less than the version takes to get healthy", took)
	}
	select {
	case answer := <-answers:
		if !strings.HasPrefix(answer, "200 v1 ") {
			t.Errorf("the request in flight got %q", answer)
		}
	default:
		t.Error("the switch returned before the request in flight was answered")
	}
	if answer := fetch(host, "/", ""); !strings.HasPrefix(answer, "200 late ") {
		t.Errorf("after the switch: %q", answer)
	}
}

func TestProxyCutsWhatOutlastsTheDrain(t *testing.T) {
	fleet := freshFleet(t)
	host := fleet.Host("vm2")
	bootProxy(t, host)
	bootApp(t, fleet, host, "v1", "")
	switchTo(t, host, "v1", "")
	answers := make(chan string, 1)
	go func() { answers <- fetch(host, "/slow?ms=20000", "") }()
	eventually(t, "the slow request is in flight", func() bool {
		return strings.Contains(exec(t, host, "docker logs app-v1"), "taking 20s")
	})
	bootApp(t, fleet, host, "v2", "")
	switchTo(t, host, "v2", "--drain-timeout 1s")
	if answer := <-answers; !strings.HasPrefix(answer, "504 ") {
		t.Errorf("the request that was cut got %q", answer)
	}
}

func TestProxyListsAndRemembers(t *testing.T) {
	fleet := freshFleet(t)
	host := fleet.Host("vm1")
	bootProxy(t, host)
	bootApp(t, fleet, host, "v1", "")
	target := switchTo(t, host, "v1", "--host a.example.com --host b.example.com --path-prefix /api --buffer-requests --max-request-body 1000")

	want := "Service  Host                         Path  Target           State    TLS  \n" +
		"app      a.example.com,b.example.com  /api  " + target + "  running  no   \n"
	raw, err := host.Exec(t.Context(), "docker exec kamal-proxy kamal-proxy list | base64 -w0 | base64 -d")
	if err != nil {
		t.Fatal(err)
	}
	colors := regexp.MustCompile(`\x1b\[[0-9;]*m`)
	if got := colors.ReplaceAllString(raw, "") + "\n"; strings.TrimSpace(got) != strings.TrimSpace(want) {
		t.Errorf("list prints\n%s, want\n%s", got, want)
	}
	if !strings.HasPrefix(raw, "\x1b[3;94mService\x1b[0m") || !strings.Contains(raw, "\x1b[1;34mapp") {
		t.Errorf("list lacks its escape codes: %q", raw)
	}
	saved := proxyState(t, host)
	options, targets := saved["options"].(map[string]any), saved["target_options"].(map[string]any)
	for name, pair := range map[string][2]any{
		"name":             {saved["name"], "app"},
		"active_targets":   {saved["active_targets"], []any{target}},
		"hosts":            {options["hosts"], []any{"a.example.com", "b.example.com"}},
		"path_prefixes":    {options["path_prefixes"], []any{"/api"}},
		"tls_redirect":     {options["tls_redirect"], true},
		"response_timeout": {targets["response_timeout"], 30e9},
		"max_request_body": {targets["max_request_body_size"], 1000.0},
		"buffer_requests":  {targets["buffer_requests"], true},
		"state":            {saved["pause_controller"].(map[string]any)["state"], 0.0},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("state file: %s is %v, want %v", name, pair[0], pair[1])
		}
	}

	exec(t, host, "docker restart --time 2 kamal-proxy")
	eventually(t, "the proxy serves again what it knew", func() bool {
		return strings.HasPrefix(fetch(host, "/api/", "b.example.com"), "200 v1 ")
	})
	for _, wrong := range [][2]string{{"/", "a.example.com"}, {"/apis", "a.example.com"}, {"/api/", "c.example.com"}} {
		if answer := fetch(host, wrong[0], wrong[1]); !strings.HasPrefix(answer, "404 ") {
			t.Errorf("%s%s got %q", wrong[1], wrong[0], answer)
		}
	}
}

func TestProxyStopsAndResumes(t *testing.T) {
	fleet := freshFleet(t)
	host := fleet.Host("vm1")
	bootProxy(t, host)
	bootApp(t, fleet, host, "v1", "")
	switchTo(t, host, "v1", "")
	exec(t, host, "docker exec kamal-proxy kamal-proxy stop app --drain-timeout 1s --message 'Back <soon>'")
	if answer := fetch(host, "/", ""); !strings.HasPrefix(answer, "503 ") || !strings.Contains(answer, "Back &lt;soon&gt;") {
		t.Errorf("while stopped: %q", answer)
	}
	if answer := fetch(host, "/up", ""); !strings.HasPrefix(answer, "200 ") {
		t.Errorf("the health check while stopped got %q", answer)
	}
	if list := exec(t, host, "docker exec kamal-proxy kamal-proxy list"); !strings.Contains(list, "stopped") {
		t.Errorf("list does not say stopped:\n%s", list)
	}
	switchTo(t, host, "v1", "")
	if answer := fetch(host, "/", ""); !strings.HasPrefix(answer, "503 ") {
		t.Errorf("a deploy ended the stop: %q", answer)
	}
	exec(t, host, "docker exec kamal-proxy kamal-proxy resume app")
	if answer := fetch(host, "/", ""); !strings.HasPrefix(answer, "200 v1 ") {
		t.Errorf("after resume: %q", answer)
	}
	exec(t, host, "docker exec kamal-proxy kamal-proxy remove app")
	if answer := fetch(host, "/", ""); !strings.HasPrefix(answer, "404 ") {
		t.Errorf("after remove: %q", answer)
	}
}

func TestProxyRefusesWithItsOwnWords(t *testing.T) {
	fleet := freshFleet(t)
	host := fleet.Host("vm1")
	bootProxy(t, host)
	bootApp(t, fleet, host, "v1", "")
	target := switchTo(t, host, "v1", "--host a.example.com")
	for arguments, want := range map[string]string{
		"remove nothing": "Error: service not found",
		"stop nothing":   "Error: service not found",
		"resume nothing": "Error: service not found",
		"deploy other --target " + target + " --host a.example.com":                       "Error: host settings conflict with another service",
		"deploy app --target 'http://x'":                                                  "invalid host pattern",
		"deploy app":                                                                      `Error: required flag(s) "target" not set`,
		"deploy app --target " + target + " --max-request-body 10":                        "Error: max-request-body can only be set when request buffering is enabled",
		"deploy app --target " + target + " --error-pages /nowhere":                       "Error: unable to load error pages",
		"deploy app --target " + target + " --host '*.example.com' --tls":                 "Error: automatic TLS does not support wildcards",
		"deploy app --target " + target + " --host x.com --tls --path-prefix /a":          "TLS settings must be specified on the root path service",
		"deploy app --target " + target + " --host x.com --tls --tls-certificate-path /x": "tls-private-key-path",
		"explode": "Run 'kamal-proxy --help' for usage.",
	} {
		if out := refused(t, host, arguments); !strings.Contains(out, want) {
			t.Errorf("kamal-proxy %s says %q, want %q", arguments, out, want)
		}
	}
	if answer := fetch(host, "/", "a.example.com"); !strings.HasPrefix(answer, "200 v1 ") {
		t.Errorf("after refusals the service answers %q", answer)
	}
}

// Helpers

// bootProxy starts the proxy as Kamal does.
func bootProxy(t *testing.T, host *lab.Host) {
	t.Helper()
	exec(t, host, "docker network create kamal && mkdir -p .kamal/proxy/apps-config && docker run --name kamal-proxy --network kamal --detach --restart unless-stopped --volume kamal-proxy-config:/home/kamal-proxy/.config/kamal-proxy --volume $PWD/.kamal/proxy/apps-config:/home/kamal-proxy/.apps-config --publish 80:80 --publish 443:443 --log-opt max-size=10m %s", lab.ProxyImage)
	eventually(t, "the proxy takes commands", func() bool {
		_, err := host.Exec(t.Context(), "docker exec kamal-proxy kamal-proxy list")
		return err == nil
	})
}

func bootApp(t *testing.T, fleet *lab.Fleet, host *lab.Host, version, options string) {
	t.Helper()
	exec(t, host, "docker run --detach --name app-%s --network kamal %s %s/myapp:%s", version, options, fleet.Registry(), version)
}

// switchTo deploys the version to the proxy and returns its target.
func switchTo(t *testing.T, host *lab.Host, version, flags string) string {
	t.Helper()
	id := exec(t, host, "docker ps --quiet --filter name=^app-%s$", version)
	out := exec(t, host, "docker exec kamal-proxy kamal-proxy deploy app --target=%q --health-check-interval=200ms %s", id+":80", flags)
	if out != "" {
		t.Errorf("a deploy that succeeds says %q", out)
	}
	return id + ":80"
}

// refused runs a command of the proxy that must exit 1 and returns what it says.
func refused(t *testing.T, host *lab.Host, arguments string) string {
	t.Helper()
	result := ssh(t, host, "docker exec kamal-proxy kamal-proxy %s", arguments)
	if result.Exit != 1 {
		t.Errorf("kamal-proxy %s exits %d: %s", arguments, result.Exit, result.Output())
	}
	return result.Stderr
}

func proxyState(t *testing.T, host *lab.Host) map[string]any {
	t.Helper()
	text := exec(t, host, "cat /var/lib/docker/volumes/kamal-proxy-config/_data/kamal-proxy.state")
	var services []map[string]any
	if err := json.Unmarshal([]byte(text), &services); err != nil || len(services) != 1 {
		t.Fatalf("the state file holds %q: %v", text, err)
	}
	return services[0]
}

// fetch returns the status and the body.
func fetch(host *lab.Host, path, name string) string {
	request, err := http.NewRequest(http.MethodGet, host.URL()+path, nil)
	if err != nil {
		return err.Error()
	}
	request.Host = name
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d %s", response.StatusCode, body)
}

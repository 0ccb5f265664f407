package sim

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

func TestCloseLeavesNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	f, err := Start(t.Context(), Options{Clock: fast()})
	if err != nil {
		t.Fatal(err)
	}
	u := &fleetUnderTest{Fleet: f, clients: map[string]*ssh.Client{}}
	conn := u.client(t, "web-1")
	for _, line := range []string{"docker logs -f fhirlinebot-web-v2", "docker events", "sleep 100000", "cat", "docker stats --no-stream; tail -f .kamal/fhirlinebot-audit.log", "while true; do sleep 1; done"} {
		s, err := conn.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.StdinPipe(); err != nil {
			t.Fatal(err)
		}
		if err := s.Start(line); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.Dial("unix", "/var/run/docker.sock"); err != nil {
		t.Fatal(err)
	}
	dir, addr := f.Dir(), f.Hosts()[0].SSH
	done := make(chan error, 1)
	go func() { done <- f.Close() }()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		buf := make([]byte, 1<<20)
		t.Fatalf("Close hangs:\n%s", buf[:runtime.Stack(buf, true)])
	}
	_ = conn.Close()
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", dir, err)
	}
	if c, err := net.Dial("tcp", addr); err == nil {
		_ = c.Close()
		t.Error("the SSH port still answers")
	}
	until(t, "every goroutine to end", func() bool { return runtime.NumGoroutine() <= before })
}

func TestRealSSH(t *testing.T) {
	t.Parallel()
	bin, err := exec.LookPath("ssh")
	if err != nil {
		t.Skip("no ssh client here")
	}
	f := start(t, Options{Clock: fast()})
	dir := t.TempDir()
	if err := f.WriteProject(dir); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), bin, "-F", filepath.Join(dir, "ssh_config"), "web-1", "docker", "ps", "--format", "'{{.Names}}'").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "fhirlinebot-web-v2\n") {
		t.Errorf("ssh web-1 docker ps: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), bin, "-tt", "-F", filepath.Join(dir, "ssh_config"), "job-1")
	cmd.Stdin = strings.NewReader("docker exec -it fhirlinebot-job-v2 sh\recho in $KAMAL_VERSION\rexit\rnonsense\x03hostname\rexit\r")
	out, err = cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "in v2\r\n") || !strings.Contains(string(out), "job-1\r\n") {
		t.Errorf("a shell on job-1: %v\n%s", err, out)
	}
	for name, mode := range map[string]os.FileMode{"id_ed25519": 0o600, ".kamal/secrets": 0o600, "config/deploy.yml": 0o644} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	f := start(t, Options{Clock: fast()})
	run := func(line string) (string, int) {
		t.Helper()
		out, errOut, code := f.ssh(t, "web-1", line)
		return out + errOut, code
	}
	set := func(fault Fault, on bool) {
		t.Helper()
		if err := f.SetFault("web-1", fault, on); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("full disk", func(t *testing.T) {
		set(FullDisk, true)
		for line, want := range map[string]string{
			"echo x > file": "No space left on device", "mkdir -p new/dir": "cannot create directory 'new/dir': No space left on device",
			"docker pull registry:5000/fhirlinebot:v3": "no space left on device", "docker start fhirlinebot-web-v1": "no space left on device", "df / | tail -1 | awk '{print $5}'": "100%",
		} {
			if out, _ := run(line); !strings.Contains(out, want) {
				t.Errorf("%s: %s", line, out)
			}
		}
		set(FullDisk, false)
		if out, code := run("echo x > file && cat file"); code != 0 || out != "x\n" {
			t.Errorf("afterwards: %s", out)
		}
	})
	t.Run("bad image", func(t *testing.T) {
		set(BadImage, true)
		if out, code := run("docker pull registry:5000/fhirlinebot:v3"); code == 0 || !strings.Contains(out, "filesystem layer verification failed") {
			t.Errorf("exit %d: %s", code, out)
		}
		set(BadImage, false)
	})
	t.Run("refused key", func(t *testing.T) {
		set(RefusedKey, true)
		if _, err := f.dial("web-1"); err == nil || !strings.Contains(err.Error(), "unable to authenticate") {
			t.Errorf("dialing gives %v", err)
		}
		set(RefusedKey, false)
	})
	t.Run("cut link", func(t *testing.T) {
		conn := f.client(t, "web-1")
		set(CutLink, true)
		_ = conn.Wait()
		delete(f.clients, "web-1")
		if out, code := run("whoami"); code != 0 || out != "root\n" {
			t.Errorf("a new connection: exit %d %s", code, out)
		}
	})
	t.Run("dead host", func(t *testing.T) {
		conn := f.client(t, "web-1")
		set(DeadHost, true)
		_ = conn.Wait()
		delete(f.clients, "web-1")
		if _, err := f.dial("web-1"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dialing gives %v", err)
		}
		set(DeadHost, false)
		if out, code := run("hostname"); code != 0 || out != "web-1\n" {
			t.Errorf("back again: exit %d %s", code, out)
		}
	})
	t.Run("slow host", func(t *testing.T) {
		set(SlowHost, true)
		begin := f.clock.Now()
		run("true")
		if took := f.clock.Now().Sub(begin); took < slowBy {
			t.Errorf("a command on a slow host took %v", took)
		}
		set(SlowHost, false)
	})
	if err := f.SetFault("web-9", SlowHost, true); err == nil {
		t.Error("an unknown host is taken")
	}
	if err := f.SetFault("web-1", "boredom", true); err == nil {
		t.Error("an unknown fault is taken")
	}
}

func TestDeployThroughTheProxy(t *testing.T) {
	t.Parallel()
	f := start(t, Options{Clock: fast()})
	must := func(line string) string {
		t.Helper()
		out, errOut, code := f.ssh(t, "web-1", line)
		if code != 0 {
			t.Fatalf("%s: exit %d: %s%s", line, code, out, errOut)
		}
		return strings.TrimSpace(out)
	}
	boot := func(version string) string {
		must("docker pull registry:5000/fhirlinebot:" + version)
		return must("docker run --detach --restart unless-stopped --name fhirlinebot-web-" + version + " --network kamal --env KAMAL_VERSION=" + version + " --label service=fhirlinebot --label role=web --label destination registry:5000/fhirlinebot:" + version)[:12]
	}
	deploy := func(id string) (string, int) {
		_, errOut, code := f.ssh(t, "web-1", `docker exec kamal-proxy kamal-proxy deploy fhirlinebot-web --target="`+id+`:80" --host=fhirlinebot.example.com --deploy-timeout="4s" --drain-timeout="30s" --health-check-interval="1s" --buffer-requests --buffer-responses="false"`)
		return errOut, code
	}
	if got := f.page(t, "web-1", "/"); !strings.Contains(got, "v2 answered from web-1") {
		t.Errorf("before the deploy: %s", got)
	}
	if errOut, code := deploy(boot("v3")); code != 0 {
		t.Fatalf("deploying v3: %s", errOut)
	}
	if got := f.page(t, "web-1", "/"); !strings.Contains(got, "v3 answered from web-1") {
		t.Errorf("after the deploy: %s", got)
	}
	errOut, code := deploy(boot("v4-bad"))
	if code != 1 || errOut != "Error: target failed to become healthy within configured timeout (4s)\n" {
		t.Errorf("deploying the bad version: exit %d %q", code, errOut)
	}
	if got := f.page(t, "web-1", "/"); !strings.Contains(got, "v3 answered from web-1") {
		t.Errorf("after the failed deploy: %s", got)
	}
	if logs := must("docker logs fhirlinebot-web-v4-bad 2>&1"); !strings.Contains(logs, "PG::ConnectionBad") {
		t.Errorf("the bad version says %s", logs)
	}
	must(`docker exec kamal-proxy kamal-proxy stop fhirlinebot-web --message="Back at <noon>"`)
	if got := f.page(t, "web-1", "/"); !strings.Contains(got, "503") || !strings.Contains(got, "Back at &lt;noon&gt;") {
		t.Errorf("in maintenance: %s", got)
	}
	must("docker exec kamal-proxy kamal-proxy resume fhirlinebot-web")
	boot("v5-exits")
	until(t, "the exiting version to restart", func() bool {
		return must("docker inspect -f '{{.State.ExitCode}} {{gt .RestartCount 1}}' fhirlinebot-web-v5-exits") == "3 true" || strings.HasSuffix(must("docker inspect -f '{{.RestartCount}}' fhirlinebot-web-v5-exits"), "3")
	})
	boot("v6-oom")
	until(t, "the greedy version to be killed", func() bool {
		return must("docker inspect -f '{{.State.OOMKilled}} {{.State.ExitCode}}' fhirlinebot-web-v6-oom") == "true 137"
	})
	if out := f.Metrics("web-1"); !strings.Contains(out, `service="fhirlinebot-web",status="200"`) {
		t.Errorf("the metrics are %s", out)
	}
	if state := must("docker exec kamal-proxy cat /home/kamal-proxy/.config/kamal-proxy/kamal-proxy.state"); !strings.Contains(state, `"name":"fhirlinebot-web"`) {
		t.Errorf("the state file is %s", state)
	}
}

func TestHundredHostsAreCheap(t *testing.T) {
	f := start(t, Options{Hosts: 100, Clock: RealClock{}})
	before := runtime.NumGoroutine()
	for _, h := range f.Hosts() {
		if out, _, code := f.ssh(t, h.Name, "docker ps -q --filter label=service=fhirlinebot | wc -l"); code != 0 || out != "1\n" {
			t.Fatalf("%s runs %s containers (exit %d)", h.Name, out, code)
		}
	}
	if perHost := (runtime.NumGoroutine() - before) / len(f.Hosts()); perHost > 14 { // the client's own are among them
		t.Errorf("%d goroutines per connected host", perHost)
	}
	f.schedule.mu.Lock()
	defer f.schedule.mu.Unlock()
	if n := len(f.schedule.due); n != 0 {
		t.Errorf("an idle fleet has %d things to do", n)
	}
}

func TestFollowersShareOnePulse(t *testing.T) {
	t.Parallel()
	clock := NewManualClock(time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC))
	f := start(t, Options{Clock: clock})
	h := f.byName["web-1"]
	due := func() int {
		f.schedule.mu.Lock()
		defer f.schedule.mu.Unlock()
		return len(f.schedule.due)
	}
	for range 5 {
		stop := h.follow()
		h.follow()()
		stop()
	}
	if n := due(); n != 1 {
		t.Errorf("%d pulses wait", n)
	}
	until(t, "the pulse to end without followers", func() bool {
		clock.Advance(pulseEvery)
		return due() == 0
	})
}

// page gets a page through a host's proxy.
func (f *fleetUnderTest) page(t *testing.T, host, path string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+f.byName[host].front.listener.Addr().String()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "fhirlinebot.example.com"
	tr := &http.Transport{DisableKeepAlives: true}
	defer tr.CloseIdleConnections()
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestSameSeedSameFleet(t *testing.T) {
	t.Parallel()
	look := func(seed uint64) string {
		clock := NewManualClock(time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC))
		f := start(t, Options{Clock: clock, Seed: seed})
		var text strings.Builder
		for range 3 {
			clock.Advance(20 * time.Second)
			for host, line := range map[string]string{"web-2": "docker ps -a --no-trunc; docker logs --timestamps fhirlinebot-web-v2; docker logs kamal-proxy; uptime; cat .kamal/*.log", "job-1": "docker logs --timestamps fhirlinebot-job-v2; docker stats --no-stream"} {
				out, errOut, code := f.ssh(t, host, line)
				if code != 0 {
					t.Fatal(errOut)
				}
				if host == "web-2" {
					text.WriteString(out)
				}
			}
		}
		return text.String()
	}
	if a, b := look(7), look(7); a != b {
		t.Error("two fleets of one seed differ")
	}
	if look(7) == look(8) {
		t.Error("the seed changes nothing")
	}
	if lines := strings.Count(look(7), "Completed 200 OK"); lines < 100 {
		t.Errorf("three minutes of traffic left %d answers", lines)
	}
}

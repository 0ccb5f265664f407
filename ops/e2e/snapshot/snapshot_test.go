package snapshot

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"
)

func TestGoldenStatesEqualThemselves(t *testing.T) {
	for _, step := range []string{"01", "02", "03", "04", "07", "08", "13", "14", "15"} {
		a, err := Golden("simple", step)
		if err != nil {
			t.Fatal(err)
		}
		b, err := Golden("simple", step)
		if err != nil {
			t.Fatal(err)
		}
		if len(a) != 3 || len(a["vm1"].Containers) < 3 {
			t.Fatalf("step %s holds %d hosts", step, len(a))
		}
		if report := Report(Diff(a, b)); report != "" {
			t.Errorf("step %s differs from itself:\n%s", step, report)
		}
	}
}

func TestDiffNamesWhatDiffers(t *testing.T) {
	want, err := Golden("simple", "02")
	if err != nil {
		t.Fatal(err)
	}
	got, err := Golden("simple", "02")
	if err != nil {
		t.Fatal(err)
	}
	host := got["vm1"]
	host.Containers[1].Restart = "always"
	host.Images = host.Images[1:]
	host.Volumes = append(host.Volumes, "scratch")
	audit := "./.kamal/fhirlinebot-audit.log"
	host.Files[audit] = File{Mode: "644", Content: host.Files[audit].Content + "[TIME] [x] Extra\n"}
	got["vm1"] = host

	report := Report(Diff(want, got))
	for _, line := range []string{
		"vm1: containers/fhirlinebot-web-v1/restart is \"always\" and should be \"unless-stopped\"",
		"vm1: images/registry:5000/myapp:latest is missing",
		"vm1: volumes/scratch is there and should not be",
		"Extra",
	} {
		if !strings.Contains(report, line) {
			t.Errorf("the report lacks %q:\n%s", line, report)
		}
	}
	if n := len(Diff(want, got)); n != 4 {
		t.Errorf("%d differences, want 4:\n%s", n, report)
	}
	if left := Diff(want, got.WithoutAudit("Extra")); len(left) != 3 {
		t.Errorf("without the extra audit line %d differences remain, want 3", len(left))
	}
}

type listing string

func (l listing) Exec(context.Context, string) (string, error) { return string(l), nil }

func TestTakeMakesWhatVariesEqual(t *testing.T) {
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	details := encode("Locked by: ops at 2026-11-23T00:58:39Z\nVersion: 1dff49b51912abb34a4dc9b666729eff2526f3bc\nMessage: testing")
	text := `=== containers
[{"Name":"/app-web-v1_replaced_0123456789abcdef","State":{"Status":"exited"},
 "Config":{"Image":"127.9.9.250:5000/myapp:v1","Hostname":"vm1-0123456789ab","Cmd":["/app"],"Env":["PATH=/bin","B=2","A=1"],"Labels":{"service":"app"}},
 "HostConfig":{"RestartPolicy":{"Name":"unless-stopped"}},
 "NetworkSettings":{"Networks":{"kamal":{"Aliases":["0123456789ab","vm1-0123456789ab"]}}}}]
=== networks
bridge
host
kamal
none
=== volumes
` + strings.Repeat("ab", 32) + `
kamal-proxy-config
=== images
127.9.9.250:5000/myapp:v1
basecamp/kamal-proxy:v0.9.2
=== proxy
` + encode("\x1b[3;94mService\x1b[0m\n0123456789ab:80\n") + `
=== files
d755 .
d755 ./.kamal
644 ./.kamal/lock-app/details|` + encode(details+"\n") + `
=== end
`
	fleet, err := Take(t.Context(), map[string]Executor{"vm1": listing(text)}, "127.9.9.250:5000")
	if err != nil {
		t.Fatal(err)
	}
	want := Fleet{"vm1": {
		Containers: []Container{{
			Name: "app-web-v1_replaced_RANDOM", State: "exited", Image: "registry:5000/myapp:v1", Hostname: "vm1-RANDOM",
			Cmd: []string{"/app"}, Env: []string{"A=1", "B=2"}, Labels: map[string]string{"service": "app"},
			Restart: "unless-stopped", Networks: map[string][]string{"kamal": {"vm1-RANDOM"}},
		}},
		Networks: []string{"kamal"}, Volumes: []string{"kamal-proxy-config"}, Images: []string{"registry:5000/myapp:v1"},
		Proxy: "Service\nCONTAINER:80\n",
		Files: map[string]File{
			"./.kamal":                  {Mode: "d755"},
			"./.kamal/lock-app/details": {Mode: "644", Content: "Locked by: ops at [TIME]\nVersion: [COMMIT]\nMessage: testing"},
		},
	}}
	if report := Report(Diff(want, fleet)); report != "" {
		t.Error(report)
	}
}

func TestTakeRefusesAListingThatEndsEarly(t *testing.T) {
	_, err := Take(t.Context(), map[string]Executor{"vm1": listing("=== containers\n")}, "")
	if err == nil || !strings.Contains(err.Error(), "vm1") {
		t.Errorf("err = %v", err)
	}
}

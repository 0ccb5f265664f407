package lab

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestDeadTellsRunsThatNobodyOwnsAnyMore(t *testing.T) {
	self := thisProcess()
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	ended := self
	ended.pid = gone.Process.Pid
	reused := self
	reused.started = "1"
	elsewhere := self
	elsewhere.namespace, elsewhere.pid = "1", 1
	rebooted := self
	rebooted.boot = "another"
	for label, want := range map[string]bool{
		self.String(): false, keptOwner: false, elsewhere.String(): false,
		ended.String(): true, reused.String(): true, rebooted.String(): true, "nonsense": true,
	} {
		if got := dead(label); got != want {
			t.Errorf("dead(%q) = %v", label, got)
		}
	}
	if self.started == "none" || !strings.Contains(self.String(), fmt.Sprint(os.Getpid())) {
		t.Errorf("this process is %q", self)
	}
}

func TestAdaptPointsAProjectAtTheFleet(t *testing.T) {
	f := &Fleet{dir: "/run/x", arch: "arm64", block: block{n: 11, m: 22}}
	got := f.Adapt("image: app\nregistry:\n  server: registry:5000\nbuilder:\n  arch: amd64\n")
	want := "image: app\nregistry:\n  server: 127.11.22.250:5000\nbuilder:\n  arch: arm64\n  driver: docker\nssh:\n  config:\n    - /run/x/ssh/config\n"
	if got != want {
		t.Errorf("got\n%s", got)
	}
}

package command_test

import (
	"strings"
	"testing"
	"time"

	"binnacle/ops/command"
)

func TestLockIsWrittenAsKamalWritesIt(t *testing.T) {
	details := command.LockDetails{
		LockedBy: "ops", At: time.Date(2026, 11, 23, 1, 58, 39, 5, time.FixedZone("", 3600)),
		Version: "1dff49b51912abb34a4dc9b666729eff2526f3bc", Message: "testing",
	}
	want := `mkdir .kamal/lock-app && echo "TG9ja2VkIGJ5OiBvcHMgYXQgMjAyNi0xMS0yM1QwMDo1ODozOVoKVmVyc2lv
bjogMWRmZjQ5YjUxOTEyYWJiMzRhNGRjOWI2NjY3MjllZmYyNTI2ZjNiYwpN
ZXNzYWdlOiB0ZXN0aW5n
" > .kamal/lock-app/details`
	if got := command.NewLock(parse(t, "")).Acquire(details).String(); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	if dir := command.NewLock(parseFor(t, "staging", "")).Dir(); dir != ".kamal/lock-app-staging" {
		t.Errorf("with a destination: %s", dir)
	}
}

func TestLockLife(t *testing.T) {
	lock, home := command.NewLock(parse(t, "")), t.TempDir()
	details := command.LockDetails{LockedBy: "Ann at Home", At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Version: "v1", Message: command.AutomaticLockMessage}
	if _, err := sh(t, home, lock.Status()); err == nil {
		t.Error("a free lock has a status")
	}
	run(t, home, lock.EnsureDir())
	run(t, home, lock.Acquire(details))
	output, err := sh(t, home, lock.Acquire(details))
	if err == nil || !strings.Contains(output, "cannot create directory") {
		t.Errorf("taken twice: %v, %s", err, output)
	}
	status := run(t, home, lock.Status())
	if got, ok := command.ParseLockDetails(status); !ok || got != details || !got.Automatic() {
		t.Errorf("read %+v, %v from %q", got, ok, status)
	}
	run(t, home, lock.Release())
	if output, err := sh(t, home, lock.Release()); err == nil || !strings.Contains(output, "No such file or directory") {
		t.Errorf("released twice: %v, %s", err, output)
	}
	run(t, home, command.New("mkdir", lock.Dir()))
	if _, err := sh(t, home, lock.Release()); err == nil {
		t.Error("a lock without details was released as if it had some")
	}
	run(t, home, lock.ReleaseBare())
	run(t, home, lock.Acquire(details))
}

func TestParseLockDetails(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]command.LockDetails{
		"Locked by:  at 2026-01-02T03:04:05Z\nVersion: v1\nMessage: x": {At: at, Version: "v1", Message: "x"},
		"Locked by: Unknown at 2026-01-02T03:04:05Z\nVersion: \nMessage: two\nlines\n": {
			LockedBy: "Unknown", At: at, Message: "two\nlines"},
		"Locked by: somebody": {LockedBy: "somebody"},
	} {
		if got, ok := command.ParseLockDetails(text); !ok || got != want {
			t.Errorf("%q: %+v, %v", text, got, ok)
		}
	}
	if _, ok := command.ParseLockDetails("cat: no such file"); ok {
		t.Error("read details from an error")
	}
}

func TestAuditRecord(t *testing.T) {
	at, home := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), t.TempDir()
	auditor := command.NewAuditor(parseFor(t, "staging", ""))
	run(t, home, auditor.Record("ann@example.com", at, "web", `Executed cmd 'echo "$HOME"; `+"`id`"+`' on app version é`))
	run(t, home, auditor.Record("ann@example.com", at, "", "Pruned images"))
	want := `[2026-01-02T03:04:05Z] [ann@example.com] [staging] [web] Executed cmd 'echo "$HOME"; ` + "`id`" + `' on app version é` + "\n" +
		"[2026-01-02T03:04:05Z] [ann@example.com] [staging] Pruned images\n"
	if got := run(t, home, auditor.Reveal(50)); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	if auditor.LogFile() != ".kamal/app-staging-audit.log" {
		t.Error(auditor.LogFile())
	}
	if got := command.AuditLine("ann", at, "", "", "x"); got != "[2026-01-02T03:04:05Z] [ann] x" {
		t.Error(got)
	}
}

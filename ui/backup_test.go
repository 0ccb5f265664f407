package ui_test

import (
	"strings"
	"testing"
	"time"

	"binnacle/ops"
	"binnacle/ui"
)

// asked is what was planned last: the operation with its name and its id.
func asked(t *testing.T, w *world, s *ui.Stage) string {
	t.Helper()
	if len(w.requests) == 0 {
		t.Fatalf("nothing was planned:\n%s", plain(s.Frame()))
	}
	r := w.requests[len(w.requests)-1]
	return strings.TrimSpace(r.Operation + " " + r.Params.Text("NAME") + " " + r.Params.Text("ID"))
}

func TestRestorePicksThenWantsTheWordTyped(t *testing.T) {
	w := newWorld(scenes()["guarded"]...)
	w.plan = restoring()
	s := w.stage(t, 120, 34)
	s.Press("3")
	s.Press("X")
	has(t, s, "restore db from", "3h", "15h", "27h", "safety, encrypted", "the checksum differs")
	hasNot(t, s, "redis  web-1  redis:7  restored")
	s.Press("j")
	s.Press("enter")
	if got := asked(t, w, s); got != "restore db 20261122T210000Z-77aa" {
		t.Fatalf("planned %q", got)
	}
	w.now = w.now.Add(time.Second)
	has(t, s, "[ Cancel ]", "into", "a safety dump of today's data", "loses", "type production to go on")
	for _, wrong := range []string{"producton", " production", "PRODUCTION"} {
		s.Type(wrong)
		s.Press("shift+tab") // wraps to the last button that there is: the options
		hasNot(t, s, "Restore ]")
		s.Press("shift+tab")
		for range wrong {
			s.Press("backspace")
		}
	}
	s.Type("production")
	has(t, s, "[ Cancel ]")
	s.Press("shift+tab")
	has(t, s, "[ Restore ]")
	if len(w.started) != 0 {
		t.Fatal("typing the word started the restore")
	}
	s.Press("enter")
	if len(w.started) != 1 || w.started[0].Plan.Confirm != "production" {
		t.Fatalf("started %+v", w.started)
	}
}

func TestThePickerStartsOnTheNewestGoodBackup(t *testing.T) {
	w := newWorld(scenes()["neglected"]...)
	s := w.stage(t, 120, 34)
	s.Press(":")
	s.Type("restore")
	s.Press("enter")
	has(t, s, "db", "redis", "uploads", "uploads: seen 9 m ago, store not reached")
	s.Press("G")
	s.Press("enter")
	if got := asked(t, w, s); got != "restore uploads 20261123T060000Z-c0de" {
		t.Errorf("planned %q", got)
	}
	broken := scenes()["guarded"]
	first := kept("20261123T110000Z-dead", time.Hour, 1<<20, ops.Sized)
	first.Problem = "the archive ends early"
	broken = append(broken, ops.BackupsSeen{Backed: backed("db", "postgres", first, kept("20261123T100000Z-900d", 2*time.Hour, 1<<30, ops.Matched))})
	w = newWorld(broken...)
	s = w.stage(t, 120, 34)
	for _, k := range []string{"3", "X", "enter"} {
		s.Press(k)
	}
	if got := asked(t, w, s); got != "restore db 20261123T100000Z-900d" {
		t.Errorf("planned %q", got)
	}
}

func TestKeysOnBackupsAreAimed(t *testing.T) {
	tests := []struct{ name, keys, want string }{
		{"back an accessory up", "3 B", "backup create db"},
		{"the one below it", "3 j B", "backup create redis"},
		{"verify its newest", "3 V", "backup verify db"},
		{"drill its newest", "3 A", "backup drill db"},
		{"verify a row", "7 j V", "backup verify db 20261122T210000Z-77aa"},
		{"drill a row", "7 A", "backup drill db 20261123T090000Z-5f1c"},
		{"restore a row", "7 j j X", "restore db 20261122T090000Z-9b2e"},
		{"back up what a row is of", "7 j B", "backup create db"},
		{"back up what never was", "7 G B", "backup create redis"},
		{"prune what a row is of", "7 P", "backup prune db"},
		{"the largest, below what never was backed up", "7 o o j X", "restore db 20261123T090000Z-5f1c"},
		{"the smallest", "7 o o O j j X", "restore db 20261122T090000Z-9b2e"},
		{"what the filter leaves", "7 / 7 7 a a enter V", "backup verify db 20261122T210000Z-77aa"},
		{"what a pane elsewhere points at is no backup", "1 j : backup_verify enter", "backup verify"},
	}
	for _, tt := range tests {
		w := newWorld(scenes()["guarded"]...)
		w.plan = ops.Plan{Title: "a plan", Risk: ops.Change}
		s := w.stage(t, 140, 40)
		for _, k := range strings.Fields(tt.keys) {
			if len(k) > 6 {
				s.Type(strings.ReplaceAll(k, "_", " "))
				continue
			}
			s.Press(k)
		}
		if got := asked(t, w, s); got != tt.want {
			t.Errorf("%s: %s plans %q, want %q", tt.name, tt.keys, got, tt.want)
		}
	}
}

func TestTheBackupsOfOneAccessory(t *testing.T) {
	w := newWorld(scenes()["guarded"]...)
	s := w.stage(t, 140, 40)
	for _, k := range []string{"3", "j", "b"} {
		s.Press(k)
	}
	has(t, s, "Backups of redis", "no backups yet")
	hasNot(t, s, "2026-11-23 09:00")
	s.Press("X")
	has(t, s, "No backup of redis is kept")
	for _, k := range []string{"esc", "esc", "k", "b", "d"} {
		s.Press(k)
	}
	has(t, s, "Backup 20261123T090000Z-5f1c", "postgres 16.4", "6 restored", "1.2G stored, 4.7G dumped")
	s.Press("esc")
	has(t, s, "Backups of db", "the checksum differs") // still narrowed
	hasNot(t, s, "no backups yet")
	s.Press("7")
	s.Press("esc")
	s.Press("7")
	has(t, s, "Backups 4", "no backups yet")
}

// A backup has the name that the configuration gives it, and an accessory's row
// knows it.
func TestABackupOfAnotherName(t *testing.T) {
	orders := backed("orders", "postgres", kept("20261123T090000Z-5f1c", 3*time.Hour, 1<<30, ops.Fresh))
	orders.Accessory = "db"
	w := newWorld(append(scenes()["live"], ops.BackupsSeen{Backed: orders})...)
	w.plan = ops.Plan{Title: "a plan", Risk: ops.Change}
	s := w.stage(t, 140, 40)
	s.Press("3")
	has(t, s, "3h fresh")
	s.Press("B")
	if got := asked(t, w, s); got != "backup create orders" {
		t.Errorf("planned %q", got)
	}
}

// What no store was read of is left to the operation, which finds the newest.
func TestRestoreOfWhatIsNotKnown(t *testing.T) {
	w := newWorld(scenes()["live"]...)
	w.plan = restoring()
	s := w.stage(t, 120, 34)
	s.Press("3")
	hasNot(t, s, "BACKUP", "never")
	s.Press("X")
	if got := asked(t, w, s); got != "restore db" {
		t.Errorf("planned %q", got)
	}
}

func TestBackupsAreAlertsButDoNotDrownOthers(t *testing.T) {
	s := newWorld(scenes()["guarded"]...).stage(t, 160, 40)
	has(t, s, "2 alerts: job-1 disk 88% · redis never backed up")
	s = newWorld(append(scenes()["guarded"], ops.BackupsSeen{Backed: func() ops.Backed {
		b := backed("db", "postgres", kept("20261120T090000Z-5f1c", 75*time.Hour, 1<<30, ops.Checked))
		b.Alarm = "75 h old, at most 26 h"
		return b
	}()})...).stage(t, 200, 40)
	has(t, s, "backup of db: 75 h old, at most 26 h · redis never backed up")
	s = newWorld(scenes()["neglected"]...).stage(t, 160, 40)
	has(t, s, "job-1 disk 88% · 3 backups need a look")
}

package pane

import (
	"fmt"
	"time"

	"binnacle/ops"
	"binnacle/ui/kit"
	"binnacle/ui/theme"
	"binnacle/ui/widget"
)

// Private

// backedOn is what is known of the backups of an accessory on a host; of several,
// that which needs a look most.
func backedOn(a *ops.App, accessory, host string) (ops.Backed, bool) {
	worst := -1
	for i := range a.Backups {
		b := &a.Backups[i]
		if b.Accessory != accessory || b.Host != host && b.Host != "" {
			continue
		}
		if worst < 0 || graver(b, &a.Backups[worst]) {
			worst = i
		}
	}
	if worst < 0 {
		return ops.Backed{}, false
	}
	return a.Backups[worst], true
}

// graver reports that one needs a look more than the other.
func graver(b, than *ops.Backed) bool {
	if alarm, other := b.Alarm != "", than.Alarm != ""; alarm != other {
		return alarm
	}
	return b.Rung < than.Rung
}

// unread reports a store that nobody has looked at yet.
func unread(b *ops.Backed) bool { return b.SeenAt.IsZero() && b.Problem == "" }

// backupCell is the age and the rung of the newest backup; a question mark in
// front says that the store could not be read again.
func backupCell(b *ops.Backed, now time.Time, th theme.Theme) widget.Cell {
	if unread(b) {
		return widget.Cell{}
	}
	if b.SeenAt.IsZero() {
		return widget.Cell{Text: th.Unknown + " not read", Tone: theme.Warn}
	}
	doubt, alarm := "", ""
	if b.Problem != "" {
		doubt = th.Unknown + " "
	}
	if b.Alarm != "" {
		alarm = " " + th.Alert
	}
	newest, ok := b.Newest()
	switch {
	case !ok && len(b.Kept) > 0:
		return widget.Cell{Text: doubt + "none good " + th.Alert, Tone: theme.Bad}
	case !ok:
		return widget.Cell{Text: doubt + "never " + th.Alert, Tone: theme.Bad}
	}
	age, rung := now.Sub(newest.At), widget.Rung(newest.Rung, th)
	tone := rung.Tone
	if doubt != "" || alarm != "" {
		tone = theme.Warn
	}
	return widget.Cell{
		Text: doubt + kit.Span(age) + " " + rung.Text + alarm, Tone: tone,
		Shorter: [2]string{doubt + kit.Short(age) + " " + newest.Rung.String() + alarm, doubt + kit.Short(age) + " " + rung.Shorter[1] + alarm},
	}
}

// backupWords say the same in a sentence, for where there is no table; "" when
// nothing is known.
func backupWords(b *ops.Backed, now time.Time) string {
	newest, ok := b.Newest()
	switch {
	case unread(b):
		return ""
	case b.SeenAt.IsZero():
		return "backups not read"
	case !ok && len(b.Kept) > 0:
		return "no good backup"
	case !ok:
		return "never backed up"
	}
	return "backup " + ago(now, newest.At) + " " + newest.Rung.String()
}

// rungWords say what each rung of the ladder stands for, the weakest first.
func rungWords() []string {
	return []string{
		"the dump ended without an error", "its size is sane against those before it", "the store lists all of it",
		"read back, every checksum is right", "its archive lists what is in it", "it was restored into a throwaway container",
		"what was restored has the rows and the schema that were dumped", "all of that, and younger than it has to be",
	}
}

// accessory adds what is known of an accessory's backups.
func (s *sheet) accessory(a *ops.App, t kit.Target) {
	for i := range a.Backups {
		if b := &a.Backups[i]; t.Accessory != "" && b.Accessory == t.Accessory && (b.Host == t.Host || b.Host == "") {
			s.backups(b)
		}
	}
}

// fromStore is one backup: the title and the identifier.
func (s *sheet) fromStore(a *ops.App, t kit.Target) (title, id string) {
	for i := range a.Backups {
		b := &a.Backups[i]
		for j := range b.Kept {
			if k := &b.Kept[j]; b.Name == t.Backup && k.ID == t.Kept {
				s.kept(b, k)
				return "Backup " + k.ID, k.ID
			}
		}
	}
	s.text(theme.Warn, "this backup is not kept any more")
	return "Backup " + t.Kept, t.Kept
}

// backups adds what is known of one thing that is backed up.
func (s *sheet) backups(b *ops.Backed) {
	s.section("Backups of " + b.Name)
	s.toned("needs", b.Alarm, theme.Warn)
	s.toned("store", b.Store, theme.Text)
	if b.Problem != "" {
		s.toned("not reached", b.Problem, theme.Bad)
	}
	switch {
	case unread(b):
		s.toned("read", "not yet", theme.Dim)
		return
	case b.SeenAt.IsZero():
		s.toned("read", "never", theme.Warn)
		return
	}
	s.at("read", b.SeenAt)
	var size int64
	for i := range b.Kept {
		size += b.Kept[i].Size
	}
	if len(b.Kept) == 0 {
		s.toned("kept", "nothing: never backed up", theme.Bad)
		return
	}
	s.row("kept", fmt.Sprintf("%s, %s", kit.Plural(len(b.Kept), "backup"), kit.Bytes(size)))
	newest, ok := b.Newest()
	if !ok {
		s.toned("newest", "none is good", theme.Bad)
		return
	}
	s.at("newest", newest.At)
	s.toned("trust", widget.RungBar(newest.Rung, s.scene.Theme)+" "+newest.Rung.String(), widget.Rung(newest.Rung, s.scene.Theme).Tone)
	s.at("checked", newest.CheckedAt)
	if b.MaxAge > 0 {
		s.row("has to be", "younger than "+kit.Span(b.MaxAge))
	}
}

// kept adds one backup, with its place on the ladder of trust.
func (s *sheet) kept(b *ops.Backed, k *ops.Kept) {
	s.section("Backup of " + b.Name)
	s.toned("problem", k.Problem, theme.Bad)
	s.row("id", k.ID)
	s.at("begun", k.At)
	s.row("took", kit.Took(k.Took))
	s.row("by", k.By)
	if k.Safety {
		s.row("why", "taken before a restore or a migration")
	}
	s.row("store", b.Store)
	if b.Problem != "" {
		s.toned("not reached", b.Problem, theme.Bad)
		s.toned("facts", "from "+ago(s.scene.Now, b.SeenAt)+", not live", theme.Warn)
	}
	s.row("size", fmt.Sprintf("%s stored, %s dumped", kit.Bytes(k.Size), kit.Bytes(k.Plain)))
	encrypted := "no"
	if k.Encrypted {
		encrypted = "yes"
	}
	s.row("encrypted", encrypted)
	s.section("Holds")
	s.row("engine", joinWords(b.Engine, k.EngineVersion))
	s.row("schema", k.Schema)
	if k.Tables > 0 {
		s.row("tables", fmt.Sprint(k.Tables))
	}
	if k.Rows > 0 {
		s.row("rows", fmt.Sprint(k.Rows))
	}
	s.section("Ladder of trust")
	th := s.scene.Theme
	for i, words := range rungWords() {
		step := ops.Rung(i + 1)
		mark, tone := th.Waiting+" no ", theme.Dim
		if step <= k.Rung {
			mark, tone = th.Done+" yes", theme.Text
		}
		s.toned(fmt.Sprintf("%d %s", i+1, step), mark+"  "+words, tone)
	}
	s.at("last checked", k.CheckedAt)
}

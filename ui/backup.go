package ui

import (
	"slices"

	"binnacle/ops"
	"binnacle/ui/dialog"
	"binnacle/ui/kit"
)

// Private

// backupParams aim an operation on backups: at the backup that is pointed at, or
// at what is backed up of the accessory that is.
func (m *Model) backupParams(op ops.Operation, t kit.Target) ops.Params {
	shown := []kit.PaneID{kit.Accessories, kit.Details, kit.Logs, kit.Backups}
	if !slices.Contains(shown, m.current()) {
		return nil
	}
	if t.Backup == "" {
		t.Backup = t.Accessory // the operation says what it finds there
	}
	name, id, _ := kit.BackupParams(op)
	out := ops.Params{}
	if name != "" && t.Backup != "" {
		out[name] = t.Backup
	}
	if id != "" && t.Kept != "" {
		out[id] = t.Kept
	}
	return out
}

// restorable is the picker for a restore that was not told which backup; nil
// where nothing is known to pick from, and the operation finds the newest.
func (m *Model) restorable(op ops.Operation, r kit.Run) kit.Dialog {
	name, id, ok := kit.BackupParams(op)
	elsewhere := r.Params.Text("from") != "" // another destination's backups are not in the state
	if !ok || op.Name != "restore" || id == "" || r.Params.Text(id) != "" || elsewhere {
		return nil
	}
	app, _ := m.state.Fleet.App(m.app)
	known := slices.ContainsFunc(app.Backups, func(b ops.Backed) bool {
		return !b.SeenAt.IsZero() && (r.Params.Text(name) == "" || b.Name == r.Params.Text(name))
	})
	if !known {
		return nil
	}
	return dialog.NewRestore(r, name, id)
}

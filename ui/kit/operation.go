package kit

import (
	"strings"

	"binnacle/ops"
)

// VersionParam is the name under which an operation's version goes into
// Run.Params: that of its own parameter, or "version" for the operations that
// deploy and take it as a global flag; false when it is about no version.
func VersionParam(op ops.Operation) (string, bool) {
	for _, p := range op.Params {
		if p.Kind == ops.Version {
			return p.Name, true
		}
	}
	return "version", op.Group == "deploy"
}

// AccessoryParam is the name under which an operation on an accessory takes which
// one; false for every other operation.
func AccessoryParam(op ops.Operation) (string, bool) {
	for _, p := range op.Params {
		if op.Scope == ops.ScopeAccessory && p.Positional && p.Kind == ops.Text {
			return p.Name, true
		}
	}
	return "", false
}

// BackupParams are the names under which an operation on backups takes what was
// backed up and which backup of it, each "" where it takes none; false for every
// other operation.
func BackupParams(op ops.Operation) (name, id string, ok bool) {
	if op.Name != "restore" && !strings.HasPrefix(op.Name, "backup ") {
		return "", "", false
	}
	for _, p := range op.Params {
		switch p.Name {
		case "NAME":
			name = p.Name
		case "ID":
			id = p.Name
		}
	}
	return name, id, true
}

// Narrows reports an operation that can be narrowed to some roles and hosts.
func Narrows(op ops.Operation) bool {
	return op.Scope == ops.ScopeApp && op.Risk != ops.Read && op.Group != "lock"
}

package operation

import (
	"context"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/command"
)

// AccessoryDirectories makes the directories that an accessory mounts.
func AccessoryDirectories() ops.Operation {
	return accessoryVerb{
		verb: "directories", summary: "Make an accessory's directories on its hosts", risk: ops.Change, hidden: true,
		lines: command.Accessory.Directories,
		run: func(_ *story, ctx context.Context, r *ops.Run, _ *config.Accessory, a command.Accessory) error {
			return r.Exec(ctx, a.Directories()...)
		},
	}.operation()
}

// AccessoryUpload uploads the files that an accessory mounts.
func AccessoryUpload() ops.Operation {
	return accessoryVerb{
		verb: "upload", summary: "Upload an accessory's files to its hosts", risk: ops.Change, hidden: true, sources: true,
		lines: func(a command.Accessory) []command.Line {
			var out []command.Line
			for _, upload := range a.Uploads() {
				out = append(append(out, upload.Before...), upload.After...)
			}
			return out
		},
		run: (*story).uploadAccessoryFiles,
	}.operation()
}

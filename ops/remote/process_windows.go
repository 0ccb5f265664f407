package remote

import (
	"os/exec"
	"syscall"
)

func shellCommand(_, line string) *exec.Cmd { return exec.Command("cmd", "/C", line) }

// detach keeps the command out of the console's reach: a Ctrl-C meant for
// this program must not cut the connection that its cleanup needs.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

func kill(cmd *exec.Cmd) { _ = cmd.Process.Kill() }

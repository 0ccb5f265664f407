//go:build unix

package remote

import (
	"os/exec"
	"syscall"
)

func shellCommand(shell, line string) *exec.Cmd {
	if shell == "" {
		shell = "/bin/sh"
	}
	return exec.Command(shell, "-c", "exec "+line)
}

// detach keeps the command out of the terminal's reach: a Ctrl-C meant for
// this program must not cut the connection that its cleanup needs.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// kill ends the command with its children.
func kill(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

//go:build unix

package live

import (
	"os/exec"
	"syscall"
)

// inOwnGroup lets a cancel reach what the command started, and keeps the
// terminal's ctrl-c away from it: we decide when it stops.
func inOwnGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
}

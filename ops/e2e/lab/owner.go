package lab

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// owner names the process that a run belongs to, well enough to tell later
// whether it still lives: machine boot, pid namespace, pid and start time.
type owner struct {
	boot, namespace, started string
	pid                      int
}

const keptOwner = "kept" // the run stays until it is taken down by hand

func thisProcess() owner {
	return processNamed(os.Getpid())
}

func (o owner) String() string {
	return fmt.Sprintf("%s/%s/%d/%s", o.boot, o.namespace, o.pid, o.started)
}

// dead reports whether the process behind an owner label has ended. A process
// in another pid namespace cannot be judged and counts as alive.
func dead(label string) bool {
	if label == keptOwner {
		return false
	}
	parts := strings.Split(label, "/")
	if len(parts) != 4 {
		return true
	}
	pid, err := strconv.Atoi(parts[2])
	if err != nil {
		return true
	}
	self := thisProcess()
	if parts[0] != self.boot {
		return true
	}
	if parts[1] != self.namespace {
		return false
	}
	return processNamed(pid).String() != label
}

// Helpers

func processNamed(pid int) owner {
	o := owner{pid: pid, started: "none"}
	if b, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		o.boot = strings.TrimSpace(string(b))
	}
	if link, err := os.Readlink("/proc/self/ns/pid"); err == nil {
		o.namespace = strings.Trim(strings.TrimPrefix(link, "pid:"), "[]")
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return o
	}
	// The command name stands in brackets and may hold spaces; the start time
	// is the 20th field after it (proc(5), starttime).
	_, rest, _ := strings.Cut(string(b), ") ")
	if fields := strings.Fields(rest); len(fields) > 19 {
		o.started = fields[19]
	}
	return o
}

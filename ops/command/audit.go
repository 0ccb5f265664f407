package command

import (
	"path"
	"strconv"
	"strings"
	"time"

	"binnacle/config"
)

// Auditor builds the commands for the app's audit log on each host.
type Auditor struct{ cfg *config.Config }

// NewAuditor is the auditor of the app.
func NewAuditor(cfg *config.Config) Auditor { return Auditor{cfg: cfg} }

// LogFile is the audit log on a host.
func (a Auditor) LogFile() string {
	return path.Join(a.cfg.RunDirectory(), a.cfg.ServiceAndDestination()+"-audit.log")
}

// Record writes a line to the log. The role may be empty.
func (a Auditor) Record(performer string, at time.Time, role, message string) Line {
	line := AuditLine(performer, at, a.cfg.Destination(), role, message)
	return And(EnsureRunDirectory(a.cfg), Append(New("echo", Escape(line)), a.LogFile()))
}

// Reveal prints the last lines of the log; Kamal asks for 50.
func (a Auditor) Reveal(lines int) Line {
	return New("tail", "-n", strconv.Itoa(lines), a.LogFile())
}

// AuditLine is one line of the log: time, performer, destination and role in
// brackets as far as there are any, then the message.
func AuditLine(performer string, at time.Time, destination, role, message string) string {
	var b strings.Builder
	for _, tag := range []string{timestamp(at), performer, destination, role} {
		if tag != "" {
			b.WriteString("[" + tag + "] ")
		}
	}
	return b.String() + message
}

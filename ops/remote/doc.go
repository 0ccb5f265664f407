// Package remote reaches the hosts of a fleet over SSH: one connection per
// host, shared by everything that wants something of it.
//
// A [Pool] hands out one [Client] per host. A Client dials on first use, is
// kept alive, dials again (with backoff) after a loss, runs commands, uploads
// files, opens interactive sessions and tunnels. Where to dial and how to log
// in is decided as ssh(1) decides it, from ssh_config, with the ssh: section
// of deploy.yml ([Settings]) over it. Host keys are always checked; there is
// no way to turn that off.
//
// The package imports the standard library, golang.org/x/crypto/ssh and
// golang.org/x/sync, and nothing else of this module: it knows hosts, bytes and
// exit codes, neither Docker nor operations nor a terminal.
package remote

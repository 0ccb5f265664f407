// Package e2e holds the tests that run against a real fleet: real sshd, real
// dockerd, a real registry. They are behind a build tag:
//
//	go test -tags e2e -timeout 30m ./ops/e2e
//
// One fleet is started for all tests and removed after them, with what a run
// that was killed before left. Without a Docker engine the tests are left out
// on a person's machine and fail where CI=true. BINNACLE_KAMAL_PROXY names a
// real kamal-proxy binary to use in place of the stand-in. BINNACLE_E2E_FLEET
// names the folder of a fleet that stands already, which the tests then use,
// empty and leave standing; BINNACLE_PROGRAM a binary to test in place of one
// built from the source.
//
// The pieces: lab is the fleet and what can be done to its hosts, snapshot
// reads and compares the state that a deploy leaves, golden is what the gem
// left, traffic sends requests and counts those that fail, image makes the
// images, and app, argv and kamalproxy are programs that run on the hosts.
// Command fleet puts the same fleet up for people.
//
// Builds run on BuildKit itself, in a container here and on another host; see
// lab.Builders. Buildpacks and Docker's cloud cannot be had without a registry
// of their own: their plans are held by goldens of ops/operation, their commands
// by a script of the command line with stand-ins.
//
// A test gets an empty fleet from freshFleet, a project from
// (*lab.Fleet).Project, and runs binnacle in it with (*lab.Fleet).Run; those of
// the program itself use the type project. BINNACLE_BENCH=1 makes TestSpeed
// measure, BINNACLE_BENCH_GB=5 makes the large database that large, and
// BINNACLE_KILLS=20 breaks backups at as many moments.
//
// Tests of backups use the type protectedProject: real PostgreSQL, MariaDB and
// Redis, an SQLite database and a folder, with an S3 service and a folder of
// another host to keep them in; see lab.BackupProject.
//
// It may import every package of the program; nothing imports it.
package e2e

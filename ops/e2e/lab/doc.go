// Package lab runs a real fleet on one machine: hosts with sshd and dockerd in
// containers, a registry, and images to deploy. Nothing in it is simulated
// except, unless a real binary is named, kamal-proxy.
//
// # What a run consists of
//
// Every run has an id. It takes a free block of loopback addresses, 127.N.M.x:
// host vm1 answers on .1, vm2 on .2, and the registry on .250. The registry
// has the same address here and inside every host (each host forwards it), and
// Docker speaks plain http to 127.0.0.0/8, so an image has one name everywhere.
// Containers, volumes and the network carry the run's id as a label; removing
// a run is removing what carries the label. A run records which process owns
// it, and Start removes runs whose owner is dead. No file outside the run's
// folder and the cache folder is written; the machine's hosts file and ~/.ssh
// stay as they are.
//
// # What is cached
//
// The host image is Debian bookworm with openssh-server and docker.io, made by
// debootstrap from the mirror that apt uses here, or from a pulled Debian image
// where debootstrap is missing. It is named by the hash of its recipe. The
// buildx plugin is built from its Go module once, and so is BuildKit when a test
// first asks for Builders; its image is kept as an archive. The images of database
// servers, asked for by Databases, are Debian's packages in one layer, made like the
// host image. All stay after a run.
//
// # Needs
//
// Linux, Docker 20.10 or later, Go, git and ssh; debootstrap with root, or a
// Docker that can pull. Hosts run with the capabilities of a nested engine
// rather than --privileged.
//
// The environment sets two things: BINNACLE_KAMAL_PROXY, the path of a real
// kamal-proxy binary to use in place of the stand-in, and
// BINNACLE_DEBIAN_MIRROR, a mirror in place of apt's.
//
// It may import ops/e2e/image, ops/e2e/golden, golang.org/x/crypto/ssh and
// golang.org/x/sync.
package lab

// Package sim is the demo fleet: a server side that needs nothing but the process it runs in.
//
// Every host is a loopback SSH server with a virtual file system, a shell, one container engine behind two
// doors (the Engine API on its socket and the `docker` command line) and, on web hosts, a kamal-proxy with
// traffic. Clients reach it exactly as they reach a real host: TCP, the SSH protocol, HTTP.
//
// It may import the standard library, golang.org/x/crypto/ssh, golang.org/x/term, mvdan.cc/sh, the types of
// github.com/moby/moby/api and what these are made of. It knows no operation and no user interface.
//
// Nothing runs while nobody looks. What programs print and visitors do follows from the seed and the time, so
// it is worked out when a log is read or a state changes; only what must happen by itself, such as a crash or
// a restart, waits in the fleet's one schedule.
package sim

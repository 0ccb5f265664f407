// Package sim is the demo fleet: a server side that needs nothing but the process it runs in.
//
// Every host is a loopback SSH server with a virtual file system, a shell, one container engine behind two
// doors (the Engine API on its socket and the `docker` command line) and, on web hosts, a kamal-proxy with
// traffic. Clients reach it exactly as they reach a real host: TCP, the SSH protocol, HTTP.
//
// It may import the standard library, golang.org/x/crypto/ssh, golang.org/x/term, mvdan.cc/sh and the types
// of github.com/moby/moby/api. It knows no operation and no user interface.
package sim

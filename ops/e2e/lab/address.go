package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"strconv"
)

// block is 127.N.M.0/24, of which one run has the use.
type block struct{ n, m int }

func (b block) ip(last int) string { return fmt.Sprintf("127.%d.%d.%d", b.n, b.m, last) }

const (
	registryIP   = 250
	registryPort = 5000
)

// ports are what a host publishes. They are the well-known ones unless a
// program of this machine holds one on all addresses.
type ports struct{ ssh, http, https int }

// chooseBlock finds a block whose addresses are free for so many hosts.
func chooseBlock(hosts int) (block, ports, error) {
	for range 50 {
		b := block{n: 10 + rand.IntN(240), m: rand.IntN(256)}
		if !free(b.ip(registryIP), registryPort) {
			continue
		}
		p := ports{ssh: first(b.ip(1), 22, 2222), http: first(b.ip(1), 80, 8080), https: first(b.ip(1), 443, 8443)}
		usable := p.ssh != 0 && p.http != 0 && p.https != 0
		for i := 2; i <= hosts && usable; i++ {
			usable = free(b.ip(i), p.ssh) && free(b.ip(i), p.http) && free(b.ip(i), p.https)
		}
		if usable {
			return b, p, nil
		}
	}
	return block{}, ports{}, fmt.Errorf("no free block of loopback addresses for %d hosts: 127.N.M.1 must have ports 22 or 2222, 80 or 8080, 443 or 8443 free, and this user must be allowed to bind them", hosts)
}

// Helpers

func first(ip string, candidates ...int) int {
	for _, port := range candidates {
		if free(ip, port) {
			return port
		}
	}
	return 0
}

// free dials as well as binds: without root the low ports cannot be bound by
// us, though Docker can.
func free(ip string, port int) bool {
	address := net.JoinHostPort(ip, strconv.Itoa(port))
	if port < 1024 {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
			return false
		}
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return errors.Is(err, fs.ErrPermission) && port < 1024
	}
	return listener.Close() == nil
}

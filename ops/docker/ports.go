package docker

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strconv"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// portLines writes ports as `docker ps` does: `0.0.0.0:80->80/tcp`, with runs
// of neighbouring ports as one range.
func portLines(ports []container.PortSummary) []string {
	ports = slices.Clone(ports)
	slices.SortFunc(ports, func(a, b container.PortSummary) int {
		return cmp.Or(
			a.IP.Compare(b.IP), cmp.Compare(a.Type, b.Type),
			cmp.Compare(min(a.PublicPort, 1), min(b.PublicPort, 1)),
			cmp.Compare(a.PrivatePort, b.PrivatePort), cmp.Compare(a.PublicPort, b.PublicPort),
		)
	})
	var out []string
	for i := 0; i < len(ports); {
		j := i + 1
		for j < len(ports) && follows(ports[j-1], ports[j]) {
			j++
		}
		out = append(out, portLine(ports[i], ports[j-1]))
		i = j
	}
	return out
}

// publishedPorts is an inspection's port table in the form of a listing.
func publishedPorts(table network.PortMap) []container.PortSummary {
	var out []container.PortSummary
	for port, bindings := range table {
		p := container.PortSummary{PrivatePort: port.Num(), Type: string(port.Proto())}
		if len(bindings) == 0 {
			out = append(out, p)
		}
		for _, b := range bindings {
			p.IP = b.HostIP
			if n, err := strconv.ParseUint(b.HostPort, 10, 16); err == nil {
				p.PublicPort = uint16(n)
			}
			out = append(out, p)
		}
	}
	return out
}

// Helpers

func follows(a, b container.PortSummary) bool {
	sameBinding := a.IP == b.IP && a.Type == b.Type && b.PrivatePort == a.PrivatePort+1
	if a.PublicPort == 0 {
		return sameBinding && b.PublicPort == 0
	}
	return sameBinding && b.PublicPort == a.PublicPort+1
}

func portLine(first, last container.PortSummary) string {
	inside := span(first.PrivatePort, last.PrivatePort) + "/" + first.Type
	if first.PublicPort == 0 {
		return inside
	}
	outside := span(first.PublicPort, last.PublicPort)
	if first.IP.IsValid() {
		outside = net.JoinHostPort(first.IP.String(), outside)
	}
	return outside + "->" + inside
}

func span(from, to uint16) string {
	if from == to {
		return strconv.Itoa(int(from))
	}
	return fmt.Sprintf("%d-%d", from, to)
}

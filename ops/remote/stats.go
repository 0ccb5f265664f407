package remote

import "sync/atomic"

// Stats counts what was asked of a host over SSH.
type Stats struct {
	Dials    int64 // connections opened, log-in included
	Sessions int64 // session channels: one per command, upload or shell
	Tunnels  int64 // direct-tcpip and direct-streamlocal channels
	Requests int64 // requests within channels (exec, pty-req, signal …), answered or not
	Globals  int64 // requests to the connection: keepalive, remote forwards
	Waits    int64 // round trips that somebody waited for: channel opens and answered requests; dials apart
}

// Private

func (s Stats) plus(o Stats) Stats {
	return Stats{
		Dials: s.Dials + o.Dials, Sessions: s.Sessions + o.Sessions, Tunnels: s.Tunnels + o.Tunnels,
		Requests: s.Requests + o.Requests, Globals: s.Globals + o.Globals, Waits: s.Waits + o.Waits,
	}
}

type counters struct {
	dials, sessions, tunnels, requests, globals, waits atomic.Int64
}

func (c *counters) read() Stats {
	return Stats{
		Dials: c.dials.Load(), Sessions: c.sessions.Load(), Tunnels: c.tunnels.Load(),
		Requests: c.requests.Load(), Globals: c.globals.Load(), Waits: c.waits.Load(),
	}
}

// request counts a request within a channel.
func (c *counters) request(answered bool) {
	c.requests.Add(1)
	if answered {
		c.waits.Add(1)
	}
}

package remote

import (
	"io"
	"net"
	"sync"

	"golang.org/x/crypto/ssh"
)

const agentChannel = "auth-agent@openssh.com"

// Private

// serveAgent lets processes on the host use the agent here, as ssh -A does.
func (c *Client) serveAgent(l *link, socket string) {
	asked := l.conn.HandleChannelOpen(agentChannel)
	if asked == nil {
		return
	}
	l.forwardsAgent = c.pool.spawn(func() {
		for request := range asked {
			local, err := (&net.Dialer{}).DialContext(c.pool.ctx, "unix", socket)
			if err != nil {
				_ = request.Reject(ssh.ConnectionFailed, "the agent is not reachable")
				continue
			}
			ch, requests, err := request.Accept()
			if err != nil {
				_ = local.Close()
				continue
			}
			go ssh.DiscardRequests(requests)
			if !c.pool.spawn(func() { join(ch, local) }) {
				_, _ = ch.Close(), local.Close()
			}
		}
	})
}

// Helpers

// join copies both ways until both ends are done.
func join(a, b io.ReadWriteCloser) {
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(a, b)
		closeWrite(a)
	})
	both.Go(func() {
		_, _ = io.Copy(b, a)
		closeWrite(b)
	})
	both.Wait()
	_, _ = a.Close(), b.Close()
}

func closeWrite(w io.Closer) {
	if half, ok := w.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
		return
	}
	_ = w.Close()
}

package remote

import (
	"io"
	"net"
	"testing"
)

// A port on the host leads to one here until it is closed, and the failure of
// this side is told at the end.
func TestForwardLeadsHere(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.server()
	host := b.pool().Host("vm1")
	here := listen(t)
	serveEcho(t, here)

	free := listen(t)
	there := free.Addr().String()
	_ = free.Close()
	forward, err := host.Forward(within(t), there, here.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		conn, err := net.Dial("tcp", there)
		if err != nil {
			t.Fatal(err)
		}
		echo(t, conn, "there and back")
		_ = conn.Close()
	}
	open, err := net.Dial("tcp", there)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(open, "half a message"); err != nil {
		t.Fatal(err)
	}
	if err := forward.Close(); err != nil {
		t.Errorf("closing says %v", err)
	}
	_, _ = io.ReadAll(open) // it ends, cleanly or not
	_ = open.Close()
	if conn, err := net.Dial("tcp", there); err == nil {
		_ = conn.Close()
		t.Error("the host still listens")
	}

	_ = here.Close()
	if forward, err = host.Forward(within(t), there, here.Addr().String()); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", there)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := io.ReadAll(conn); len(got) > 0 {
		t.Errorf("nobody listens here, and it says %q", got)
	}
	if err := forward.Close(); err == nil {
		t.Error("it does not tell that nothing answered here")
	}
}

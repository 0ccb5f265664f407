package remote

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"
)

// The first packet of SFTP and of its answer: length, type, version 3.
const (
	sftpInit    = "\x00\x00\x00\x05\x01\x00\x00\x00\x03"
	sftpVersion = "\x02\x00\x00\x00\x03"
)

func TestSubsystemIsAStream(t *testing.T) {
	b := newBench(t)
	b.server("Subsystem sftp internal-sftp", "MaxSessions 1")
	client := b.pool().Host("vm1")
	for range 2 { // the second needs the session that the first had
		stream, err := client.Subsystem(within(t), "sftp")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(stream, sftpInit); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, 4+len(sftpVersion))
		if _, err := io.ReadFull(stream, answer); err != nil || string(answer[4:]) != sftpVersion {
			t.Errorf("sftp answered %q, %v", answer, err)
		}
		if err := stream.Close(); err != nil {
			t.Error(err)
		}
		if _, err := stream.Write([]byte("x")); err == nil {
			t.Error("a closed stream takes more")
		}
	}
}

func TestSubsystemThatTheServerHasNot(t *testing.T) {
	b := newBench(t)
	b.server()
	_, err := b.pool().Host("vm1").Subsystem(within(t), "sftp")
	wantKind(t, err, Refused)
}

func TestSubsystemEndsWithTheConnection(t *testing.T) {
	b := newBench(t)
	s := b.server("Subsystem sftp internal-sftp")
	stream, err := b.pool().Host("vm1").Subsystem(within(t), "sftp")
	if err != nil {
		t.Fatal(err)
	}
	s.cut()
	if _, err := io.ReadAll(stream); err != nil {
		t.Errorf("the end of the stream is %v", err)
	}
	eventually(t, "writing fails", func() bool {
		_, err := io.WriteString(stream, sftpInit)
		return err != nil
	})
	if err := stream.Close(); err != nil {
		t.Error(err)
	}
}

// TestSubsystemOfASilentHost holds that neither a cancel nor Close waits for a
// host that says nothing, and that the pool can be closed with a stream open.
func TestSubsystemOfASilentHost(t *testing.T) {
	b, s := newMemBench(t)
	pool := b.pool()
	pool.dialNet = s.dial
	defer s.stop()
	client := pool.Host("vm1")
	stream, err := client.Subsystem(within(t), "quiet")
	if err != nil {
		t.Fatal(err)
	}
	left, err := client.Subsystem(within(t), "quiet")
	if err != nil {
		t.Fatal(err)
	}
	s.freeze()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = client.Subsystem(ctx, "quiet")
	wantKind(t, err, Timeout)
	wrote := make(chan error, 1)
	go func() {
		for {
			if _, err := stream.Write(make([]byte, 1<<20)); err != nil {
				wrote <- err
				return
			}
		}
	}()
	read := make(chan error, 1)
	go func() {
		_, err := stream.Read(make([]byte, 1))
		read <- err
	}()
	if err := stream.Close(); err != nil {
		t.Error(err)
	}
	for name, ended := range map[string]chan error{"writing": wrote, "reading": read} {
		if err := <-ended; !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%s ended with %v", name, err)
		}
	}
	if err := pool.Close(); err != nil {
		t.Error(err)
	}
	if _, err := left.Read(make([]byte, 1)); err == nil {
		t.Error("a stream goes on after its pool")
	}
}

package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/pkg/sftp"
)

// TestSSHTellsWhatIsNotDurable holds that only a server which cannot flush at all
// is taken at its word; one that fails to has stored nothing.
func TestSSHTellsWhatIsNotDurable(t *testing.T) {
	const (
		ok, denied, failure, unsupported = 0, 3, 4, 8
	)
	for _, c := range []struct {
		name                  string
		code                  uint32
		keepsFile, keepsNames bool
	}{
		{"done", ok, true, true},
		{"unsupported", unsupported, true, true},
		{"failed", failure, false, true},
		{"denied", denied, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			far := flushing(t, c.code)
			root := t.TempDir()
			if err := far.write(t.Context(), filepath.ToSlash(root)+"/dump", strings.NewReader("content")); (err == nil) != c.keepsFile {
				t.Errorf("a file: %v", err)
			}
			if err := far.sync(filepath.ToSlash(root)); (err == nil) != c.keepsNames {
				t.Errorf("a folder: %v", err)
			}
			objects := &folder{root: filepath.ToSlash(root), at: "there", use: func(context.Context) (disk, func(error), error) {
				return far, func(error) {}, nil
			}}
			if err := objects.Put(t.Context(), "shop/db/1/dump", strings.NewReader("content")); (err == nil) != (c.keepsFile && c.keepsNames) {
				t.Errorf("an object: %v", err)
			}
		})
	}
}

// flushing is a disk whose server answers requests to flush with a status.
func flushing(t *testing.T, code uint32) sshDisk {
	t.Helper()
	near, client := net.Pipe()
	far, server := net.Pipe()
	served, err := sftp.NewServer(server)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	m := &flusher{client: near, server: far, code: code}
	all.Go(func() { _ = served.Serve() })
	all.Go(m.requests)
	all.Go(m.answers)
	files, err := sftp.NewClientPipe(client, client)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = files.Close()
		for _, end := range []io.Closer{client, near, far, server} {
			_ = end.Close()
		}
		all.Wait()
	})
	return sshDisk{session: &session{stream: client, files: files}}
}

// flusher is between a client and a server that knows nothing of flushing.
type flusher struct {
	client, server io.ReadWriteCloser
	code           uint32
	mu             sync.Mutex // of what goes to the client
}

const flushName = "fsync@openssh.com"

func (f *flusher) requests() {
	const extended, status = 200, 101
	for {
		packet, err := readPacket(f.client)
		if err != nil {
			_ = f.server.Close()
			return
		}
		if packet[0] != extended || !bytes.HasPrefix(packet[5:], text(flushName)) {
			_ = writePacket(f.server, packet)
			continue
		}
		answer := append([]byte{status}, packet[1:5]...)
		answer = binary.BigEndian.AppendUint32(answer, f.code)
		f.mu.Lock()
		_ = writePacket(f.client, append(append(answer, text("flushing")...), text("")...))
		f.mu.Unlock()
	}
}

func (f *flusher) answers() {
	const version = 2
	for {
		packet, err := readPacket(f.server)
		if err != nil {
			_ = f.client.Close()
			return
		}
		if packet[0] == version {
			packet = append(append(packet, text(flushName)...), text("1")...)
		}
		f.mu.Lock()
		_ = writePacket(f.client, packet)
		f.mu.Unlock()
	}
}

// Helpers

func readPacket(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	packet := make([]byte, binary.BigEndian.Uint32(size[:]))
	_, err := io.ReadFull(r, packet)
	return packet, err
}

func writePacket(w io.Writer, packet []byte) error {
	_, err := w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(packet))), packet...))
	return err
}

func text(s string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(s))), s...)
}

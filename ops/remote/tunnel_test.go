package remote

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestASocketOnTheHost(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		sshd     []string
		sessions int64
	}{
		{"forwarded", nil, 0},
		{"where sshd forwards nothing", []string{"DisableForwarding yes"}, 2},
		{"where sshd forwards no sockets", []string{"AllowStreamLocalForwarding no"}, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			socket := echoSocket(t)
			// A docker that does what `docker system dial-stdio` does.
			bin := t.TempDir()
			writeFile(t, bin+"/docker", fmt.Sprintf("#!/bin/sh\n[ \"$*\" = '-H unix://%s system dial-stdio' ] || exit 9\nexec %s -test.run=^TestHelperBridge$ -- %s\n", socket, os.Args[0], socket))
			if err := os.Chmod(bin+"/docker", 0o700); err != nil {
				t.Fatal(err)
			}
			b.server(append(tc.sshd, "SetEnv SHLVL=9 PATH="+bin+":/usr/bin:/bin BRIDGE_HELPER=1")...)
			pool := b.pool()
			host := pool.Host("vm1")
			for range 2 {
				conn, err := host.DialUnix(within(t), socket)
				if err != nil {
					t.Fatal(err)
				}
				echo(t, conn, strings.Repeat("hello ", 1<<15))
				if err := conn.Close(); err != nil {
					t.Error(err)
				}
			}
			if stats := pool.Stats()["vm1"]; stats.Sessions != tc.sessions || tc.sessions > 0 && stats.Tunnels != 1 {
				t.Errorf("%+v", stats)
			}
		})
	}
}

func TestASocketThatIsNotThere(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	bin := t.TempDir()
	writeFile(t, bin+"/docker", "#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2; exit 1\n")
	if err := os.Chmod(bin+"/docker", 0o700); err != nil {
		t.Fatal(err)
	}
	b.server("SetEnv SHLVL=9 PATH=" + bin + ":/usr/bin:/bin")
	conn, err := b.pool().Host("vm1").DialUnix(within(t), "/no/such.sock")
	if err == nil {
		_, err = conn.Read(make([]byte, 1))
		_ = conn.Close()
	}
	var refused *ConnError
	if !errors.As(err, &refused) || refused.Kind != Refused || !strings.Contains(err.Error(), "Cannot connect to the Docker daemon") {
		t.Errorf("got %v", err)
	}
}

func TestADeadlineEndsATunnel(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.server()
	conn, err := b.pool().Host("vm1").DialUnix(within(t), echoSocket(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	_ = conn.Close()
}

func TestTCPBothWays(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.server()
	host := b.pool().Host("vm1")
	remote, err := host.ListenTCP(within(t), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveEcho(t, remote)
	conn, err := host.DialTCP(within(t), remote.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	echo(t, conn, "there and back")
	_ = conn.Close()

	closed := listen(t)
	_ = closed.Close()
	var refused *ConnError
	if _, err := host.DialTCP(within(t), closed.Addr().String()); !errors.As(err, &refused) || refused.Kind != Refused {
		t.Errorf("to a closed port: %v", err)
	}
	if _, err := host.ListenTCP(within(t), remote.Addr().String()); !errors.As(err, &refused) || refused.Kind != Refused {
		t.Errorf("on a taken port: %v", err)
	}
}

func TestUpload(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.server()
	host := b.pool().Host("vm1")
	content := make([]byte, 1<<20)
	for i := range content {
		content[i] = byte(i * i >> 3)
	}
	dir := t.TempDir()
	for _, tc := range []struct {
		name    string
		path    string
		content []byte
		size    int64
		mode    os.FileMode
	}{
		{"a megabyte of bytes", dir + "/plain", content, 1 << 20, 0o640},
		{"an awkward name", dir + "/it's a $(file) \"name\" -n", []byte("x"), 1, 0o600},
		{"an empty file", dir + "/empty", nil, 0, 0o755},
		{"of unknown size", dir + "/stream", content, -1, 0o600},
		{"over another file", dir + "/plain", []byte("second"), 6, 0o644},
	} {
		if err := host.Upload(within(t), bytes.NewReader(tc.content), tc.size, tc.path, tc.mode); err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		info, err := os.Stat(tc.path)
		if err != nil || info.Mode().Perm() != tc.mode || !bytes.Equal([]byte(readFile(t, tc.path)), tc.content) {
			t.Errorf("%s: %v, %v", tc.name, info, err)
		}
	}
	for _, tc := range []struct {
		name, path string
		r          io.Reader
		size       int64
		says       string
	}{
		{"too short", dir + "/short", strings.NewReader("abc"), 5, "only 3 of the announced 5 bytes"},
		{"too long", dir + "/long", strings.NewReader("abcdefg"), 5, "more than the announced 5 bytes"},
		{"no folder", dir + "/none/file", strings.NewReader("abc"), 3, "none/file"},
		{"a folder in the way", dir, strings.NewReader("abc"), 3, "there is a folder of this name"},
		{"a reader that breaks", dir + "/broken", io.MultiReader(strings.NewReader("ab"), errReader{errors.New("disk on fire")}), -1, "disk on fire"},
	} {
		err := host.Upload(within(t), tc.r, tc.size, tc.path, 0o600)
		if err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v", tc.name, err)
		}
		if _, err := os.Stat(tc.path); err == nil && tc.path != dir {
			t.Errorf("%s: the file is there", tc.name)
		}
	}
	eventually(t, "no part is left", func() bool {
		parts, _ := filepath.Glob(dir + "/*.part")
		return len(parts) == 0
	})
}

func TestUploadIsRelativeToTheHome(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		".kamal/x": `'./.kamal/x'`, "~/.kamal/x": `"$HOME"/'.kamal/x'`, "/etc/x": `'/etc/x'`, "-n": `'./-n'`, "~bob/x": `'./~bob/x'`,
	} {
		if got := quotePath(path); got != want {
			t.Errorf("%s becomes %s, want %s", path, got, want)
		}
	}
}

func TestShellOnATerminal(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("an sshd that is not root cannot give a terminal away")
	}
	b := newBench(t)
	b.server()
	host := b.pool().Host("vm1")
	in, typing := io.Pipe()
	out := &lockedBuffer{}
	resize := make(chan Size)
	type end struct {
		result Result
		err    error
	}
	ended := make(chan end, 1)
	go func() {
		result, err := host.Shell(within(t), Pty{Term: "vt100", Size: Size{Width: 91, Height: 17}, Resize: resize, Stdin: in, Stdout: out}, "/bin/sh")
		_ = in.CloseWithError(err) // whoever still types hears of it
		ended <- end{result, err}
	}()
	say := func(line string) {
		if _, err := io.WriteString(typing, line+"\n"); err != nil {
			t.Fatalf("%v; the shell ended with %+v", err, <-ended)
		}
	}
	say("stty size; echo term=$TERM")
	eventually(t, "the first size", func() bool {
		return strings.Contains(out.String(), "17 91") && strings.Contains(out.String(), "term=vt100")
	})
	resize <- Size{Width: 133, Height: 44}
	eventually(t, "the second size", func() bool { say("stty size"); return strings.Contains(out.String(), "44 133") })
	say("exit 5")
	e := <-ended
	var exit *ExitError
	if !errors.As(e.err, &exit) || exit.Code != 5 || e.result.ExitCode != 5 {
		t.Errorf("ended with %+v, %v", e.result, e.err)
	}
	_ = typing.Close()
}

// TestHelperBridge is the program behind the docker of TestASocketOnTheHost.
func TestHelperBridge(t *testing.T) {
	if os.Getenv("BRIDGE_HELPER") != "1" {
		t.Skip("only run as a program")
	}
	conn, err := net.Dial("unix", os.Args[len(os.Args)-1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	join(conn, stdio{})
	os.Exit(0)
}

type stdio struct{}

func (stdio) Read(b []byte) (int, error)  { return os.Stdin.Read(b) }
func (stdio) Write(b []byte) (int, error) { return os.Stdout.Write(b) }
func (stdio) CloseWrite() error           { return os.Stdout.Close() }
func (stdio) Close() error                { return os.Stdin.Close() }

// echoSocket serves an echo of all input once that has ended.
func echoSocket(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "echo")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l, err := net.Listen("unix", dir+"/s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	serveEcho(t, l)
	return dir + "/s"
}

func serveEcho(t *testing.T, l net.Listener) {
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				text, _ := io.ReadAll(bufio.NewReader(conn))
				_, _ = conn.Write(text)
				_ = conn.Close()
			}()
		}
	}()
}

// echo needs both directions, and the end of one before the other.
func echo(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok {
		t.Fatal("the connection has no CloseWrite")
	}
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	if err := half.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if err != nil || string(got) != text {
		t.Errorf("%d bytes came back of %d: %v", len(got), len(text), err)
	}
}

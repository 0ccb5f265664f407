package remote

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"
)

// Upload writes a file on the host: size bytes of r to path with mode. path is
// relative to the remote user's home unless it is absolute; a leading ~/ means
// the home too. The folder has to exist. The file appears under its name only
// when it is whole. size below 0 means that it is not known, which costs one
// more round trip. The content goes through stdin and never into an argv.
func (c *Client) Upload(ctx context.Context, r io.Reader, size int64, path string, mode fs.FileMode) error {
	u := upload{client: c, path: path, mode: mode, r: &counted{r: r}}
	var name [6]byte
	_, _ = rand.Read(name[:]) // never fails
	u.temp = path + "." + hex.EncodeToString(name[:]) + ".part"
	if size >= 0 {
		u.r.r = &exact{r: r, left: size, size: size}
		return u.run(ctx, receive(u.temp)+finish(u.temp, path, mode, size), u.r)
	}
	if err := u.run(ctx, receive(u.temp)+"trap - EXIT\n", u.r); err != nil {
		u.discard(ctx)
		return err
	}
	return u.run(ctx, cleanUp(u.temp)+finish(u.temp, path, mode, u.r.n), nil)
}

// Private

// discardLimit bounds the cleaning up after a failed upload.
const discardLimit = 5 * time.Second

type upload struct {
	client *Client
	path   string
	temp   string
	mode   fs.FileMode
	r      *counted
}

func (u *upload) run(ctx context.Context, script string, stdin io.Reader) error {
	stderr := tail{limit: 1 << 10}
	_, err := u.client.Run(ctx, Command{Shell: "sh -c " + quote(script), Stdin: stdin, Stderr: &stderr})
	var exit *ExitError
	if errors.As(err, &exit) {
		exit.Stderr = stderr.String()
		return fmt.Errorf("uploading %s: %w: %s", u.path, err, strings.TrimSpace(exit.Stderr))
	}
	if err != nil {
		return fmt.Errorf("uploading %s: %w", u.path, err)
	}
	return nil
}

// discard removes what has come so far: the host cannot tell that it is not
// the whole.
func (u *upload) discard(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardLimit)
	defer cancel()
	if err := u.run(ctx, "rm -f "+quotePath(u.temp), nil); err != nil {
		u.client.pool.log.Warn("part of an upload may be left", "host", u.client.name, "path", u.temp, "err", err)
	}
}

// counted counts what is read.
type counted struct {
	r io.Reader
	n int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

// exact fails when its reader gives more or fewer bytes than announced.
type exact struct {
	r          io.Reader
	left, size int64
}

func (e *exact) Read(b []byte) (int, error) {
	n, err := e.r.Read(b)
	e.left -= int64(n)
	switch {
	case e.left < 0:
		return 0, fmt.Errorf("there are more than the announced %d bytes", e.size)
	case errors.Is(err, io.EOF) && e.left > 0:
		return 0, fmt.Errorf("only %d of the announced %d bytes came", e.size-e.left, e.size)
	}
	return n, err
}

// Helpers

// receive writes stdin to a new file that only the user can read.
func receive(temp string) string {
	return "set -e\numask 077\n" + cleanUp(temp) + "cat > " + quotePath(temp) + "\n"
}

func cleanUp(temp string) string {
	return "set -e\ntrap 'rm -f \"$t\"' EXIT\ntrap 'exit 143' HUP INT TERM\nt=" + quotePath(temp) + "\n"
}

// finish puts the file in its place if all of it has come: when a connection
// breaks, the host sees no more than an early end of stdin.
func finish(temp, path string, mode fs.FileMode, size int64) string {
	return fmt.Sprintf(`if [ "$(wc -c < %[1]s)" -ne %[2]d ]; then echo 'the file did not come through whole' >&2; exit 1; fi
if [ -d %[3]s ]; then echo 'there is a folder of this name' >&2; exit 1; fi
chmod %[4]o %[1]s
mv -f %[1]s %[3]s
`, quotePath(temp), size, quotePath(path), mode.Perm())
}

// quote makes text one word of a POSIX shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// quotePath is quote that keeps a leading ~/ and guards a leading dash.
func quotePath(path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		return `"$HOME"/` + quote(rest)
	}
	if !strings.HasPrefix(path, "/") {
		path = "./" + path
	}
	return quote(path)
}

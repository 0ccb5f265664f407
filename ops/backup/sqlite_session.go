package backup

import (
	"bufio"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// Private

// sqliteSession is one sqlite3 that answers scripts one after another. Its
// context ends when it does.
type sqliteSession struct {
	at    Place
	ctx   context.Context
	fail  context.CancelCauseFunc
	stdin *io.PipeWriter
	out   *io.PipeReader
	said  *bufio.Reader
	ended chan struct{}
}

func openSQLite(ctx context.Context, at Place) (*sqliteSession, error) {
	in, stdin := io.Pipe()
	out, stdout := io.Pipe()
	s := &sqliteSession{at: at, stdin: stdin, out: out, said: bufio.NewReader(out), ended: make(chan struct{})}
	s.ctx, s.fail = context.WithCancelCause(ctx)
	go func() {
		defer close(s.ended)
		err := at.stream(s.ctx, "reading the database", at.sqlite(), in, stdout)
		s.fail(explainSQLite(cmp.Or(err, errEnded)))
		_ = stdout.Close()
		_ = in.Close()
	}()
	if err := s.run(".timeout 60000"); err != nil {
		return nil, s.close(err)
	}
	return s, nil
}

// run runs a script whose answer is of no matter.
func (s *sqliteSession) run(script string) error {
	_, err := s.ask(script)
	return err
}

// ask runs a script and returns the rows that it answers. sqlite3 keeps what it
// prints until a pipe that it opened is closed.
func (s *sqliteSession) ask(script string) ([][]string, error) {
	if _, err := fmt.Fprintf(s.stdin, ".output |cat\n%s\nSELECT '%s';\n.output\n", script, sqliteMark); err != nil {
		return nil, s.why(err)
	}
	var rows [][]string
	size := 0
	for {
		text, err := s.said.ReadString('\x1e')
		if err != nil {
			return nil, s.why(err)
		}
		if size += len(text); size > maxAnswer {
			return nil, fmt.Errorf("sqlite3 answers more than %d MiB", maxAnswer>>20)
		}
		text = text[:len(text)-1]
		if strings.HasSuffix(text, sqliteMark) {
			if rest := strings.TrimSuffix(text, sqliteMark); rest != "" {
				rows = append(rows, []string{rest})
			}
			return rows, nil
		}
		rows = append(rows, strings.Split(text, "\x1f"))
	}
}

// close ends the session, waits for it and returns the first of what went wrong.
func (s *sqliteSession) close(err error) error {
	_ = s.stdin.Close()
	if err != nil {
		s.fail(err)
	}
	_, _ = io.Copy(io.Discard, s.said)
	<-s.ended
	if cause := context.Cause(s.ctx); err == nil && !errors.Is(cause, errEnded) {
		err = cause
	}
	return err
}

// why waits for the end of a session that broke off and tells its cause.
func (s *sqliteSession) why(err error) error {
	_ = s.stdin.Close()
	_, _ = io.Copy(io.Discard, s.said)
	<-s.ended
	if cause := context.Cause(s.ctx); cause != nil {
		return cause
	}
	return err
}

const sqliteMark = "binnacle: that is all"

var errEnded = errors.New("sqlite3 ended early")

var hexLines = regexp.MustCompile(`(?:(?: [0-9a-f]{2}){1,16}\n?)+`)

// sqliteIndex is what matters of the index of a write-ahead log.
type sqliteIndex struct {
	valid      bool   // it was read whole, while nobody changed it
	page       int64  // bytes
	frames     uint32 // of the log that are committed
	backfilled uint32 // of these, in the file
	salt       string // of the log, another one each time that it is begun anew
}

// size is how many bytes of the log are committed: its header, and a header and a
// page in each frame.
func (i sqliteIndex) size() int64 { return 32 + int64(i.frames)*(24+i.page) }

// counting counts what is written through it.
type counting struct {
	w io.Writer
	n int64
}

func (c *counting) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// Helpers

// readSQLiteIndex reads the first 136 bytes of an index, in the byte order of
// the machine that wrote it.
func readSQLiteIndex(b []byte) sqliteIndex {
	if len(b) < 136 || string(b[:48]) != string(b[48:96]) {
		return sqliteIndex{}
	}
	order := hostOrder(b)
	if order == nil {
		return sqliteIndex{}
	}
	page := int64(order.Uint16(b[14:]))
	if page == 1 {
		page = 64 << 10
	}
	return sqliteIndex{valid: true, page: page, frames: order.Uint32(b[16:]), backfilled: order.Uint32(b[96:]), salt: string(b[32:40])}
}

func fromHex(text string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return nil
	}
	return b
}

package docker

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"bufio"

	"github.com/moby/moby/client"

	"binnacle/ops"
)

// LogOptions choose which lines of a container's log to read.
type LogOptions struct {
	Since  time.Time // zero: from the beginning
	Until  time.Time // zero: to the end
	Tail   int       // the last n lines only; 0 is all, NoTail none
	Follow bool      // go on until the container ends or the context does
}

// NoTail leaves out what was logged before following.
const NoTail = -1

// LogLine is one line that a container wrote.
type LogLine struct {
	At     time.Time // when the engine got it
	Stream ops.Stream
	Text   string // without its line end; control sequences are kept
}

// Logs calls line for each line of a container's log, in the engine's order,
// from this goroutine. With a terminal everything is Stdout. It returns when
// the log is read, or the container ended while following.
func (e *Engine) Logs(ctx context.Context, name string, options LogOptions, line func(LogLine)) error {
	bound := readTimeout
	if options.Follow || options.Tail == 0 {
		bound = 0
	}
	return e.call(ctx, bound, logCommand(name, options), func(ctx context.Context) error {
		request := client.ContainerLogsOptions{
			ShowStdout: true, ShowStderr: true, Timestamps: true, Follow: options.Follow,
			Since: stamp(options.Since), Until: stamp(options.Until),
		}
		if options.Tail != 0 {
			request.Tail = strconv.Itoa(max(options.Tail, 0))
		}
		stream, err := e.api().ContainerLogs(ctx, name, request)
		if err != nil {
			return err
		}
		defer stream.Close()
		if err := readLog(stream, line); err != nil {
			return errors.Join(ctx.Err(), err)
		}
		return ctx.Err()
	})
}

// Tail returns the last n lines that a container logged, both streams.
func (e *Engine) Tail(ctx context.Context, name string, n int) ([]string, error) {
	if n <= 0 {
		return nil, nil
	}
	var out []string
	err := e.Logs(ctx, name, LogOptions{Tail: n}, func(l LogLine) { out = append(out, l.Text) })
	return out, err
}

// Private

// longestLine bounds what is kept of one line; a longer one comes in pieces.
const longestLine = 1 << 20

// readLog tells the two formats apart by the first byte: a frame of several
// streams starts with the stream's number, the plain text of a terminal with
// the digit of a timestamp.
func readLog(r io.Reader, line func(LogLine)) error {
	in := bufio.NewReader(r)
	first, err := in.Peek(1)
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	case first[0] <= streamError:
		return readFrames(in, line)
	}
	return readText(in, line)
}

// The numbers of the streams in a frame's header.
const (
	streamStderr byte = 2
	streamError  byte = 3
)

// readFrames reads frames of 8 bytes of header and one message each. Messages
// are stamped one by one, even the pieces of a line that was too long for the
// logging driver: only the first stamp of a line counts.
func readFrames(in *bufio.Reader, line func(LogLine)) error {
	outs := map[ops.Stream]*lineBuffer{
		ops.Stdout: {stream: ops.Stdout, line: line}, ops.Stderr: {stream: ops.Stderr, line: line},
	}
	defer outs[ops.Stdout].flush()
	defer outs[ops.Stderr].flush()
	var header [8]byte
	var frame []byte
	for {
		if _, err := io.ReadFull(in, header[:]); err != nil {
			return ended(err)
		}
		size := binary.BigEndian.Uint32(header[4:])
		if header[0] > streamError || size > 64<<20 {
			return fmt.Errorf("the log stream is damaged: frame of stream %d with %d bytes", header[0], size)
		}
		if uint32(cap(frame)) < size {
			frame = make([]byte, size)
		}
		frame = frame[:size]
		if _, err := io.ReadFull(in, frame); err != nil {
			return ended(err)
		}
		switch header[0] {
		case streamError:
			return errors.New(string(bytes.TrimSpace(frame)))
		case streamStderr:
			outs[ops.Stderr].add(frame)
		default:
			outs[ops.Stdout].add(frame)
		}
	}
}

func readText(in *bufio.Reader, line func(LogLine)) error {
	buffer := lineBuffer{stream: ops.Stdout, line: line, terminal: true}
	defer buffer.flush()
	for {
		piece, err := in.ReadSlice('\n')
		if len(piece) > 0 {
			buffer.add(piece)
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return ended(err)
		}
	}
}

// lineBuffer makes lines of stamped messages.
type lineBuffer struct {
	stream   ops.Stream
	terminal bool
	line     func(LogLine)
	at       time.Time
	text     []byte
	open     bool // a line has begun
}

func (b *lineBuffer) add(message []byte) {
	if !b.terminal || !b.open {
		if at, rest, ok := stamped(message); ok {
			message = rest
			if !b.open {
				b.at = at
			}
		}
	}
	b.open = true
	for {
		text, rest, whole := bytes.Cut(message, []byte{'\n'})
		b.text = append(b.text, text...)
		if !whole {
			break
		}
		b.emit()
		if message = rest; len(message) == 0 {
			return
		}
		b.open = true
	}
	if len(b.text) >= longestLine {
		b.emit()
		b.open = true // what follows belongs to the same line
	}
}

func (b *lineBuffer) emit() {
	text := b.text
	if b.terminal {
		text = bytes.TrimSuffix(text, []byte{'\r'})
	}
	b.line(LogLine{At: b.at, Stream: b.stream, Text: string(text)})
	b.text, b.open = b.text[:0], false
}

func (b *lineBuffer) flush() {
	if len(b.text) > 0 {
		b.emit()
	}
}

// Helpers

func stamped(message []byte) (time.Time, []byte, bool) {
	word, rest, found := bytes.Cut(message, []byte{' '})
	if !found || len(word) > len(time.RFC3339Nano) {
		return time.Time{}, nil, false
	}
	at, err := time.Parse(time.RFC3339Nano, string(word))
	return at, rest, err == nil
}

// ended takes the end of a stream for what it is: containers end, and so may
// the daemon in the middle of a frame.
func ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func logCommand(name string, options LogOptions) string {
	command := "docker logs --timestamps"
	if !options.Since.IsZero() {
		command += " --since " + stamp(options.Since)
	}
	if !options.Until.IsZero() {
		command += " --until " + stamp(options.Until)
	}
	if options.Tail != 0 {
		command += " --tail " + strconv.Itoa(max(options.Tail, 0))
	}
	if options.Follow {
		command += " --follow"
	}
	return command + " " + name
}

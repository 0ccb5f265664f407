package sim

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

// terminal is the kernel's side of a pseudo terminal: it turns line ends around, gives lines to edit at a
// prompt, and lets Ctrl-C end the command in front.
type terminal struct {
	raw    io.Writer
	keys   chan []byte
	gone   chan struct{}
	once   sync.Once
	editor *term.Terminal

	mu    sync.Mutex
	rest  []byte
	front func() // ends the command in front
	eater *eater // gives keys to the command in front
	size  struct{ width, height int }
}

// newTerminal starts to read keys from in; it stops when in ends.
func newTerminal(in io.Reader, out io.Writer, f *Fleet) *terminal {
	t := &terminal{raw: out, keys: make(chan []byte), gone: make(chan struct{})}
	t.editor = term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{keyReader{t}, out}, "")
	f.spawn(func() {
		defer close(t.keys)
		buf := make([]byte, 1024)
		for {
			n, err := in.Read(buf)
			if n > 0 && !t.interrupted(buf[:n]) {
				// At the prompt, Ctrl-C gives the line up: the editor takes it for the end.
				keys := bytes.ReplaceAll(buf[:n], []byte{3}, []byte{21, '\r'})
				select {
				case t.keys <- keys:
				case <-t.gone:
					return
				}
			}
			if err != nil {
				return
			}
		}
	})
	return t
}

// run gives a command the terminal until it ends: keys are echoed and come line by line.
func (t *terminal) run(ctx context.Context, command func(ctx context.Context, in io.Reader, out io.Writer) int) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, w, err := os.Pipe()
	if err != nil {
		return 1
	}
	defer func() { _ = r.Close() }()
	eating, enough := context.WithCancel(ctx)
	eats := &eater{stop: enough}
	t.mu.Lock()
	outer, others := t.front, t.eater
	t.front, t.eater = cancel, eats
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		t.front, t.eater = outer, others
		t.mu.Unlock()
	}()
	eats.work.Go(func() { t.feed(eating, w) })
	code := command(ctx, r, crlfWriter{t.raw})
	if ctx.Err() != nil {
		code = 130
	}
	cancel()
	eats.work.Wait()
	return code
}

// eater is what takes the keys for a command.
type eater struct {
	stop context.CancelFunc
	work sync.WaitGroup
}

// alone leaves the keys to the line editor: the command in front is a shell.
func (t *terminal) alone() {
	t.mu.Lock()
	eats := t.eater
	t.mu.Unlock()
	if eats != nil {
		eats.stop()
		eats.work.Wait()
	}
}

// readLine gives a line to edit; open is false when there will be no more.
func (t *terminal) readLine() (line string, open bool) {
	line, err := t.editor.ReadLine()
	return line, err == nil
}

// resize tells the terminal's new size in cells.
func (t *terminal) resize(width, height int) {
	if width > 0 && height > 0 {
		_ = t.editor.SetSize(width, height)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.size.width, t.size.height = width, height
}

func (t *terminal) print(text string) { _, _ = io.WriteString(crlfWriter{t.raw}, text) }

// close gives the reading of keys up.
func (t *terminal) close() { t.once.Do(func() { close(t.gone) }) }

// interactive is a shell with a prompt.
func (pl place) interactive(ctx context.Context, t *terminal, env []string, dir string) int {
	pl.tty = t
	t.alone()
	return pl.withRunner(ctx, env, dir, nil, crlfWriter{t.raw}, crlfWriter{t.raw}, func(r *interp.Runner) error {
		parser := syntax.NewParser(syntax.Variant(syntax.LangBash))
		var last error
		for ctx.Err() == nil && !r.Exited() {
			t.editor.SetPrompt("root@" + pl.name + ":" + strings.Replace(r.Dir, homeDir, "~", 1) + "# ")
			line, open := t.readLine()
			if !open {
				t.print("logout\n")
				return last
			}
			file, err := parser.Parse(strings.NewReader(line), "")
			if err != nil {
				t.print("bash: " + err.Error() + "\n")
				continue
			}
			t.run(ctx, func(ctx context.Context, in io.Reader, out io.Writer) int {
				_ = interp.StdIO(in, out, out)(r)
				last = r.Run(ctx, file)
				return 0
			})
		}
		return last
	})
}

// Private

// interrupted ends the command in front when Ctrl-C was among the keys.
func (t *terminal) interrupted(keys []byte) bool {
	if !bytes.Contains(keys, []byte{3}) {
		return false
	}
	t.mu.Lock()
	front := t.front
	t.mu.Unlock()
	if front == nil {
		return false
	}
	t.print("^C\n")
	front()
	return true
}

// feed echoes keys and passes whole lines on, until ctx ends.
func (t *terminal) feed(ctx context.Context, w *os.File) {
	defer func() { _ = w.Close() }()
	var line []byte
	for {
		keys, ok := t.next(ctx)
		if !ok {
			return
		}
		for _, k := range keys {
			switch k {
			case '\r', '\n':
				t.print("\n")
				if _, err := w.Write(append(line, '\n')); err != nil {
					return
				}
				line = nil
			case 4: // Ctrl-D
				if len(line) == 0 {
					return
				}
			case 127, 8:
				if len(line) > 0 {
					line = line[:len(line)-1]
					t.print("\b \b")
				}
			default:
				line = append(line, k)
				_, _ = t.raw.Write([]byte{k})
			}
		}
	}
}

// next waits for keys.
func (t *terminal) next(ctx context.Context) ([]byte, bool) {
	t.mu.Lock()
	rest := t.rest
	t.rest = nil
	t.mu.Unlock()
	if len(rest) > 0 {
		return rest, true
	}
	select {
	case keys, ok := <-t.keys:
		return keys, ok
	case <-t.gone:
		return nil, false
	case <-ctx.Done():
		return nil, false
	}
}

// keyReader gives the keys to the line editor.
type keyReader struct{ t *terminal }

// Read waits for keys.
func (k keyReader) Read(p []byte) (int, error) {
	k.t.mu.Lock()
	defer k.t.mu.Unlock()
	if len(k.t.rest) == 0 {
		k.t.mu.Unlock()
		var keys []byte
		ok := false
		select {
		case keys, ok = <-k.t.keys:
		case <-k.t.gone:
		}
		k.t.mu.Lock()
		if !ok {
			return 0, io.EOF
		}
		k.t.rest = keys
	}
	n := copy(p, k.t.rest)
	k.t.rest = k.t.rest[n:]
	return n, nil
}

// crlfWriter turns line ends into what terminals want.
type crlfWriter struct{ w io.Writer }

// Write sends CR LF for LF.
func (c crlfWriter) Write(p []byte) (int, error) {
	if _, err := c.w.Write(bytes.ReplaceAll(p, []byte("\n"), []byte("\r\n"))); err != nil {
		return 0, err
	}
	return len(p), nil
}

package operation

import (
	"bytes"
	"context"
	"sync"

	"binnacle/ops"
	"binnacle/ops/command"
)

// capture runs a read-only Line without a transcript and returns its standard
// output.
func capture(ctx context.Context, remote ops.Remote, line command.Line) (string, error) {
	var out stdout
	if err := remote.Run(ctx, line, &out); err != nil {
		return out.String(), err
	}
	return out.String(), nil
}

type stdout struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write keeps standard output and drops the rest.
func (o *stdout) Write(stream ops.Stream, text []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if stream == ops.Stdout {
		o.buf.Write(text)
	}
}

func (o *stdout) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

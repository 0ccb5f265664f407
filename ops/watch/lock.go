package watch

import (
	"context"
	"fmt"
	"strings"
	"time"

	"binnacle/ops"
)

// probeLocks looks at all locks on a host with one command, in their order.
func probeLocks(ctx context.Context, conn Connection, locks []Lock) ([]ops.Lock, error) {
	ctx, cancel := context.WithTimeout(ctx, sideTimeout)
	defer cancel()
	probes := make([]string, len(locks))
	for i, l := range locks {
		probes[i] = l.Probe.Shell()
	}
	out, err := conn.Output(ctx, strings.Join(probes, "; echo '"+lockDivider+"'; "))
	if err != nil {
		return nil, fmt.Errorf("looking at the deploy lock on %s: %w", locks[0].Host, err)
	}
	parts := strings.Split(out, lockDivider+"\n")
	if len(parts) != len(locks) {
		return nil, fmt.Errorf("looking at %d deploy locks on %s gave %d answers", len(locks), locks[0].Host, len(parts))
	}
	seen := make([]ops.Lock, len(locks))
	for i, l := range locks {
		seen[i] = ops.ParseLockProbe(parts[i], l.Host, time.Now())
	}
	return seen, nil
}

// lockDivider stands between the answers for two locks.
const lockDivider = "==binnacle=="

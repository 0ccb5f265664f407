package remote

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// Pool holds one Client per host and all that they share: settings, keys that
// were unlocked, the limit on connections being opened at once.
type Pool struct {
	settings Settings
	local    Local
	log      *slog.Logger
	ask      Asker

	ctx     context.Context // ends when the Pool is closed
	cancel  context.CancelFunc
	running sync.WaitGroup
	starts  *semaphore.Weighted // handshakes under way
	asking  *semaphore.Weighted // one question at a time
	config  func() ([]*configFile, error)
	keys    keyring
	storing sync.Mutex // known_hosts is being added to

	mu      sync.Mutex
	clients map[string]*Client
	closed  bool

	dialNet func(ctx context.Context, network, address string) (net.Conn, error)
	jitter  func(time.Duration) time.Duration
}

// errPoolClosed is the cause when a closed Pool is used.
var errPoolClosed = errors.New("the connection pool is closed")

const defaultMaxStarts = 30

// NewPool prepares a Pool; nothing is dialed or read yet. All connections end
// with ctx or at Close. ask may be nil (nobody to ask), log too.
func NewPool(ctx context.Context, settings Settings, local Local, ask Asker, log *slog.Logger) *Pool {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	starts := settings.MaxConcurrentStarts
	if starts <= 0 {
		starts = defaultMaxStarts
	}
	p := &Pool{
		settings: settings, local: local.filled(), log: log, ask: ask,
		starts: semaphore.NewWeighted(int64(starts)), asking: semaphore.NewWeighted(1),
		clients: map[string]*Client{},
		dialNet: (&net.Dialer{}).DialContext, jitter: jitter,
	}
	p.ctx, p.cancel = context.WithCancel(ctx)
	p.config = sync.OnceValues(p.readConfig)
	return p
}

// Host returns the Client of a host as deploy.yml writes it:
// "[user@]host[:port]". It does not dial. The same name gives the same Client.
func (p *Pool) Host(name string) *Client {
	d, err := parseDestination(name)
	if err != nil {
		d = destination{host: name}
	}
	return p.client(name, d, err)
}

// Plain returns the Client of a machine as plain ssh reaches it: the user, port
// and proxy of the Settings do not apply, and without a user it is this login's.
func (p *Pool) Plain(name string) *Client {
	d, err := parseDestination(name)
	if err != nil {
		d = destination{host: name}
	}
	d.jump = true
	return p.client(name, d, err)
}

// Prewarm connects to all hosts side by side and returns when each is
// connected or has failed. The error joins one *ConnError per failed host.
func (p *Pool) Prewarm(ctx context.Context, hosts []string) error {
	errs := make([]error, len(hosts))
	var group sync.WaitGroup
	for i, host := range hosts {
		group.Go(func() { errs[i] = p.Host(host).Connect(ctx) })
	}
	group.Wait()
	return errors.Join(errs...)
}

// Stats returns what each Client has done so far, jump hosts included, by
// the Client's name.
func (p *Pool) Stats() map[string]Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make(map[string]Stats, len(p.clients))
	for _, c := range p.clients {
		all[c.name] = all[c.name].plus(c.counts.read())
	}
	return all
}

// Close ends every connection and waits until nothing of the Pool runs.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.cancel()
	p.running.Wait()
	p.keys.wipe()
	return nil
}

// Private

func (p *Pool) client(name string, d destination, unusable error) *Client {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := d.key()
	if c, ok := p.clients[key]; ok {
		return c
	}
	c := newClient(p, name, d)
	c.unusable = unusable
	p.clients[key] = c
	return c
}

// spawn runs f in a goroutine that Close waits for; false when it is too late.
func (p *Pool) spawn(f func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.running.Go(f)
	return true
}

// filled takes from the process what is not given.
func (l Local) filled() Local {
	if l.Getenv == nil {
		l.Getenv = os.Getenv
	}
	if l.Home == "" {
		l.Home, _ = os.UserHomeDir()
	}
	if l.Dir == "" {
		l.Dir, _ = os.Getwd()
	}
	if l.User == "" {
		if u, err := user.Current(); err == nil {
			l.User = u.Username
		} else {
			l.User = l.Getenv("USER")
		}
	}
	if l.SystemDir == "" {
		l.SystemDir = filepath.FromSlash("/etc/ssh")
	}
	return l
}

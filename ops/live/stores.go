package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"binnacle/config"
	"binnacle/config/secret"
	"binnacle/ops"
	"binnacle/ops/backup/store"
	"binnacle/ops/remote"
)

// Backups is what a project's stores need from around it.
type Backups struct {
	Config *config.Config // for the secrets that stores name, and for its own hosts
	Home   string         // what ~ is
	Data   string         // the folder for a local store without a path; may be empty
}

// Store opens the place where backups are kept. Its credentials are looked up at
// the first call; later ones give the same store.
func (w *World) Store(ctx context.Context, at config.Store) (ops.Objects, error) {
	return w.stores.get(ctx, w, at)
}

// Private

// stores are those that have been opened.
type stores struct {
	backups Backups

	mu   sync.Mutex
	open map[config.Store]*opened
}

// opened is one of them. Its lock is held while it is being opened: whoever is
// asked for a credential may take a while, and other stores do not wait for that.
type opened struct {
	mu      sync.Mutex
	objects ops.Objects // nil until it was opened
}

func (s *stores) get(ctx context.Context, w *World, at config.Store) (ops.Objects, error) {
	s.mu.Lock()
	one := s.open[at]
	if one == nil {
		one = new(opened)
		s.open[at] = one
	}
	s.mu.Unlock()
	one.mu.Lock()
	defer one.mu.Unlock()
	if one.objects != nil {
		return one.objects, nil
	}
	o := store.Options{Dir: w.local.dir, Home: s.backups.Home, Default: s.backups.Data}
	var err error
	if o.AccessKey, err = s.secret(ctx, at, at.AccessKey); err != nil {
		return nil, err
	}
	if o.SecretKey, err = s.secret(ctx, at, at.SecretKey); err != nil {
		return nil, err
	}
	if at.Type == config.SSHStore {
		o.Host = s.host(w, at)
	}
	objects, err := store.Open(ctx, at, o)
	if err != nil {
		return nil, err
	}
	one.objects = objects
	return objects, nil
}

// secret is the value of a secret that a store names; empty when it names none.
func (s *stores) secret(ctx context.Context, at config.Store, name string) (secret.Value, error) {
	if name == "" {
		return secret.Value{}, nil
	}
	value, err := s.backups.Config.Secrets().Get(ctx, name)
	if err != nil {
		return secret.Value{}, &ops.Error{Summary: "store " + store.Location(at), Cause: err}
	}
	if value.Empty() {
		return secret.Value{}, &ops.Error{Summary: "store " + store.Location(at), Cause: fmt.Errorf("the secret %s is empty", name)}
	}
	return value, nil
}

// host is the connection to a store's host: the fleet's own where it is one of
// its hosts and nothing else is asked for.
func (s *stores) host(w *World, at config.Store) *remote.Client {
	if at.User == "" && at.Port == 0 && slices.Contains(s.backups.Config.AllHosts(), at.Host) {
		return w.pool.Host(at.Host)
	}
	to := url.URL{Scheme: "ssh", Host: at.Host}
	if at.Port != 0 {
		to.Host = net.JoinHostPort(at.Host, strconv.Itoa(at.Port))
	}
	if at.User != "" {
		to.User = url.User(at.User)
	}
	return w.outside.Plain(to.String())
}

// close ends the connections that stores keep.
func (s *stores) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, one := range s.open {
		one.mu.Lock()
		if c, ok := one.objects.(io.Closer); ok {
			errs = append(errs, c.Close())
		}
		one.mu.Unlock()
	}
	clear(s.open)
	return errors.Join(errs...)
}

// Helpers

// backupDir is the program's own folder for backups; empty where it has none.
func backupDir(dataDir string) string {
	if dataDir == "" {
		return ""
	}
	return filepath.Join(dataDir, "backups")
}

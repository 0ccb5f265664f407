// Package store keeps backups: objects in a folder of this machine, in a bucket
// of an S3-compatible service, or in a folder of an SSH host. It may import
// config, config/secret, ops and ops/remote.
package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"binnacle/config"
	"binnacle/config/secret"
	"binnacle/ops"
	"binnacle/ops/remote"
)

// Options is what a store needs besides its place.
type Options struct {
	// Dir is where a relative path of a local store starts: the project. Home
	// takes the place of its leading ~/, and Default is its folder when it names none.
	Dir, Home, Default string
	// AccessKey and SecretKey are the values of the secrets that an S3 store names.
	AccessKey, SecretKey secret.Value
	// Host is the connection to the host of an SSH store.
	Host *remote.Client
}

// Open makes a store ready. Nothing is read, written or dialled yet, and nothing
// has to be there: what is wrong with a store shows when it is used. A store that
// keeps connections has a method Close.
func Open(ctx context.Context, at config.Store, o Options) (ops.Objects, error) {
	switch at.Type {
	case config.LocalStore:
		return newLocal(at, o)
	case config.S3Store:
		return newBucket(ctx, at, o, usualLimits())
	case config.SSHStore:
		return newSSH(at, o)
	}
	return nil, fmt.Errorf("store %s: there is no type %q", at.Name, at.Type)
}

// Location names a store for people: a path, s3://BUCKET/PREFIX or ssh://HOST/PATH.
func Location(at config.Store) string {
	switch at.Type {
	case config.S3Store:
		return strings.TrimSuffix("s3://"+at.Bucket+"/"+strings.Trim(at.Path, "/"), "/")
	case config.SSHStore:
		host := at.Host
		if at.User != "" {
			host = at.User + "@" + host
		}
		if at.Port != 0 {
			host += ":" + strconv.Itoa(at.Port)
		}
		return "ssh://" + host + "/" + strings.TrimPrefix(at.Path, "/")
	}
	return at.Path
}

// Helpers

// errKey refuses a name that would leave the store.
var errKey = errors.New("this is no name for an object: it has to be a relative path with slashes that stays below its start")

func checkKey(key string) error {
	if key == "." || !fs.ValidPath(key) || !filepath.IsLocal(filepath.FromSlash(key)) || isPart(key) {
		return fmt.Errorf("%q: %w", key, errKey)
	}
	return nil
}

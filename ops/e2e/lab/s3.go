package lab

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

const s3Module = "github.com/versity/versitygw@v1.8.0"

// S3 is an S3-compatible service of this machine, on files below a folder. Its
// methods are not for several goroutines, except Stop.
type S3 struct {
	Endpoint  string
	Bucket    string
	AccessKey string
	SecretKey string
	// Files is the folder with the bucket's objects.
	Files string

	program string
	dir     string
	address string

	mu      sync.Mutex
	running *exec.Cmd
	hold    io.Closer // it runs as long as this is open, so never longer than we
}

// serve runs a program until standard input ends, then kills it.
const serve = `"$@" </dev/null & cat >/dev/null; kill -KILL $!; wait`

// StartS3 starts a service below dir with an empty bucket. A files folder of its
// own, such as a small disk, can be given. Stop it.
func StartS3(ctx context.Context, dir, files string, note func(string, ...any)) (*S3, error) {
	program, err := s3Program(ctx, note)
	if err != nil {
		return nil, err
	}
	s := &S3{Bucket: "backups", AccessKey: "lab", program: program, dir: dir, Files: files}
	if s.Files == "" {
		s.Files = filepath.Join(dir, "files")
	}
	var key [16]byte
	_, _ = rand.Read(key[:]) // never fails
	s.SecretKey = hex.EncodeToString(key[:])
	for _, folder := range []string{filepath.Join(s.Files, s.Bucket), s.metadata()} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, err
		}
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.address = listener.Addr().String()
	s.Endpoint = "http://" + s.address
	return s, errors.Join(listener.Close(), s.Start(ctx))
}

// Start starts the service and waits until it answers.
func (s *S3) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	log, err := os.OpenFile(filepath.Join(s.dir, "s3.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	// Not CommandContext: the service ends at Stop, whatever becomes of the start.
	cmd := exec.Command("sh", "-c", serve, "sh", s.program, "--port", s.address, "--health", "/health", "--quiet",
		"posix", "--sidecar", s.metadata(), s.Files)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+s.AccessKey, "ROOT_SECRET_KEY="+s.SecretKey)
	cmd.Stdout, cmd.Stderr = log, log
	hold, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.running, s.hold = cmd, hold
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for !s.answers(ctx) {
		select {
		case <-ctx.Done():
			said, _ := os.ReadFile(log.Name())
			return fmt.Errorf("the S3 service does not answer: %w: %s", ctx.Err(), clip(string(said), 2000))
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

// Stop kills the service as a power cut does; its files stay.
func (s *S3) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil {
		_ = s.hold.Close()
		_ = s.running.Wait()
		s.running = nil
	}
}

// Private

func (s *S3) metadata() string { return filepath.Join(s.dir, "metadata") }

func (s *S3) answers(ctx context.Context) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Endpoint+"/health", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, response.Body)
	return response.Body.Close() == nil && response.StatusCode == http.StatusOK
}

// Helpers

// s3Program builds the service when the cache does not have it.
func s3Program(ctx context.Context, note func(string, ...any)) (string, error) {
	cache, err := cacheFolder()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(cache, filepath.Base(s3Module))
	program := filepath.Join(folder, "versitygw")
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	note("building the S3 service (once, about two minutes)")
	return program, buildModule(ctx, s3Module, folder, runtime.GOARCH, map[string]string{"./cmd/versitygw": "versitygw"})
}

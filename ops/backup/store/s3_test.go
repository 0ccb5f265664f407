package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"binnacle/config"
	"binnacle/config/secret"
	"binnacle/ops"
)

// faulty is a service that does what a real one cannot be brought to do.
type faulty struct {
	t      *testing.T
	answer func(w http.ResponseWriter, r *http.Request, call int)

	mu    sync.Mutex
	calls []string // method and what the query asks for
}

func (f *faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	name := r.Method
	for _, asked := range []string{"uploads", "partNumber", "uploadId"} {
		if r.URL.Query().Has(asked) {
			name += " " + asked
			break
		}
	}
	f.mu.Lock()
	f.calls = append(f.calls, name)
	call := len(f.calls)
	f.mu.Unlock()
	f.answer(w, r, call)
}

func (f *faulty) called(name string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.calls {
		if c == name {
			n++
		}
	}
	return n
}

// open is a store at the service, which does not wait long.
func (f *faulty) open(at config.Store) *bucket {
	f.t.Helper()
	f.t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	f.t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	server := httptest.NewServer(f)
	f.t.Cleanup(server.Close)
	at.Type, at.Endpoint, at.Bucket, at.Path, at.PathStyle = config.S3Store, server.URL, "kept", "shop", true
	l := usualLimits()
	l.backoff = time.Millisecond
	b, err := newBucket(f.t.Context(), at, Options{AccessKey: secret.New("AKID"), SecretKey: secret.New("hunter2-hunter2")}, l)
	if err != nil {
		f.t.Fatal(err)
	}
	return b
}

func TestDownloadGoesOnWhereItBroke(t *testing.T) {
	const text = "the quick brown fox jumps over the lazy dog"
	var ranges []string
	f := &faulty{t: t, answer: func(w http.ResponseWriter, r *http.Request, call int) {
		from := 0
		if asked := r.Header.Get("Range"); asked != "" {
			ranges = append(ranges, asked+" "+r.Header.Get("If-Match"))
			_, _ = fmt.Sscanf(asked, "bytes=%d-", &from)
		}
		w.Header().Set("ETag", `"one"`)
		w.Header().Set("Content-Length", strconv.Itoa(len(text)-from))
		status := map[bool]int{true: http.StatusPartialContent, false: http.StatusOK}[from > 0]
		w.WriteHeader(status)
		end := min(from+20, len(text))
		_, _ = io.WriteString(w, text[from:end])
		if end < len(text) {
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
	}}
	if got := read(t, f.open(config.Store{}), "db/1/dump"); got != text {
		t.Errorf("read %q", got)
	}
	if want := `bytes=20- "one", bytes=40- "one"`; strings.Join(ranges, ", ") != want {
		t.Errorf("asked for %v, want %s", ranges, want)
	}
}

func TestDownloadThatCannotGoOn(t *testing.T) {
	for name, c := range map[string]struct {
		resume func(w http.ResponseWriter)
		want   string
	}{
		"replaced meanwhile": {func(w http.ResponseWriter) { refuse(w, http.StatusPreconditionFailed, "PreconditionFailed") }, "replaced"},
		"no ranges": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "0123456789")
		}, "cannot go on in the middle"},
		"breaks again": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "5")
			w.WriteHeader(http.StatusPartialContent)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, "after 5 of 10 bytes"},
	} {
		f := &faulty{t: t, answer: func(w http.ResponseWriter, r *http.Request, _ int) {
			if r.Header.Get("Range") != "" {
				c.resume(w)
				return
			}
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "01234")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}}
		r, err := f.open(config.Store{}).Open(t.Context(), "db/1/dump")
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if told := new(ops.Error); string(got) != "01234" || !errors.As(err, &told) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: read %q, %v", name, got, err)
		}
	}
}

func TestPartIsSentAgain(t *testing.T) {
	refused := map[string]bool{}
	f := &faulty{t: t, answer: func(w http.ResponseWriter, r *http.Request, call int) { takes(w, r) }}
	var mu sync.Mutex
	whole := f.answer
	f.answer = func(w http.ResponseWriter, r *http.Request, call int) {
		part := r.URL.Query().Get("partNumber")
		mu.Lock()
		first := part != "" && !refused[part]
		refused[part] = true
		mu.Unlock()
		if first {
			refuse(w, http.StatusServiceUnavailable, "SlowDown")
			return
		}
		whole(w, r, call)
	}
	if err := f.open(config.Store{}).Put(t.Context(), "db/1/dump", zeros(20<<20)); err != nil {
		t.Fatal(err)
	}
	if got := f.called("PUT partNumber"); got != 6 {
		t.Errorf("3 parts took %d calls, want 6", got)
	}
	if got := f.called("DELETE uploadId"); got != 0 {
		t.Error("it was aborted")
	}
}

func TestFailedPartsAreTakenBack(t *testing.T) {
	broken := errors.New("the dump failed")
	ctx, cancel := context.WithCancel(t.Context())
	for name, c := range map[string]struct {
		ctx  context.Context
		body io.Reader
		fail bool
		want string
	}{
		"service": {t.Context(), zeros(40 << 20), true, "store s3://kept/shop: UploadPart: the service answered 501 NotImplemented: as it is"},
		"reader":  {t.Context(), io.MultiReader(zeros(20<<20), readerFunc(func([]byte) (int, error) { return 0, broken })), false, "the dump failed"},
		"cancel":  {ctx, io.MultiReader(zeros(20<<20), call(cancel), zeros(20<<20)), false, "context canceled"},
	} {
		f := &faulty{t: t, answer: func(w http.ResponseWriter, r *http.Request, _ int) {
			if c.fail && r.URL.Query().Get("partNumber") == "2" {
				refuse(w, http.StatusNotImplemented, "NotImplemented")
				return
			}
			takes(w, r)
		}}
		err := f.open(config.Store{}).Put(c.ctx, "db/1/dump", c.body)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
		if f.called("DELETE uploadId") != 1 || f.called("POST uploadId") != 0 {
			t.Errorf("%s: the calls were %v", name, f.calls)
		}
	}
}

// TestLostAnswer holds that an object which is there is not called a failure.
func TestLostAnswer(t *testing.T) {
	for name, mine := range map[string]bool{"of this upload": true, "of an earlier one": false} {
		var kept string
		f := &faulty{t: t, answer: func(w http.ResponseWriter, r *http.Request, _ int) {
			switch {
			case r.Method == http.MethodPost && r.URL.Query().Has("uploads"):
				if mine {
					kept = r.Header.Get("X-Amz-Meta-Upload")
				}
				takes(w, r)
			case r.Method == http.MethodPost:
				refuse(w, http.StatusNotFound, "NoSuchUpload") // as when the first answer was lost
			case r.Method == http.MethodHead:
				w.Header().Set("X-Amz-Meta-Upload", kept)
			default:
				takes(w, r)
			}
		}}
		err := f.open(config.Store{}).Put(t.Context(), "db/1/dump", zeros(20<<20))
		if mine && err != nil || !mine && err == nil {
			t.Errorf("with an object %s: %v", name, err)
		}
	}
}

func TestCredentialsThatEnd(t *testing.T) {
	named := config.Store{AccessKey: "S3_KEY", SecretKey: "S3_SECRET"}
	for _, c := range []struct {
		code   string
		status int
		at     config.Store
		want   string
	}{
		{"ExpiredToken", 400, config.Store{}, "store s3://kept/shop: the credentials have expired (aws sso login, or new keys in .kamal/secrets or the environment)"},
		{"ExpiredToken", 400, named, "store s3://kept/shop: the credentials have expired (new keys for S3_KEY and S3_SECRET in .kamal/secrets)"},
		{"RequestTimeTooSkewed", 403, named, "store s3://kept/shop: the service refuses the time of this machine (set the clock)"},
		{"XMinioStorageFull", 507, named, "store s3://kept/shop: the disk is full (make room there; `binnacle backup prune` removes what need not be kept)"},
	} {
		f := &faulty{t: t, answer: func(w http.ResponseWriter, _ *http.Request, _ int) { refuse(w, c.status, c.code) }}
		b := f.open(c.at)
		if err := b.Put(t.Context(), "db/1/dump", zeros(20<<20)); err == nil || err.Error() != c.want {
			t.Errorf("Put: got %v, want %s", err, c.want)
		}
		if _, err := b.List(t.Context(), ""); err == nil || err.Error() != c.want {
			t.Errorf("List: got %v, want %s", err, c.want)
		}
	}
}

func TestServerSideEncryptionIsAskedFor(t *testing.T) {
	var got []string
	f := &faulty{t: t, answer: func(w http.ResponseWriter, r *http.Request, _ int) {
		if r.Header.Get("X-Amz-Server-Side-Encryption") != "" {
			got = append(got, r.Header.Get("X-Amz-Server-Side-Encryption")+" "+r.Header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"))
		}
		takes(w, r)
	}}
	b := f.open(config.Store{SSE: "aws:kms", KMSKey: "alias/backups"})
	for _, size := range []int{1, 20 << 20} {
		if err := b.Put(t.Context(), "db/1/dump", zeros(size)); err != nil {
			t.Fatal(err)
		}
	}
	if want := "aws:kms alias/backups, aws:kms alias/backups"; strings.Join(got, ", ") != want {
		t.Errorf("asked for %v", got)
	}
}

// TestPartsHoldTheLargestDatabase holds both ends: small ones cost little memory,
// and 5 TiB fit into the parts that there may be.
func TestPartsHoldTheLargestDatabase(t *testing.T) {
	var all, gigabytes int
	for n := 1; n <= mostParts; n++ {
		if all += growing(n); all < 6<<30 {
			gigabytes = growing(n)
		}
	}
	if all < 5<<40 || gigabytes != 8<<20 || growing(mostParts) > 5<<30 {
		t.Errorf("all parts hold %d, one of the first 6 GiB %d, the last %d", all, gigabytes, growing(mostParts))
	}
}

// Helpers

// takes answers as a service does that takes everything.
func takes(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("ETag", `"x"`)
	switch {
	case r.Method == http.MethodPost && r.URL.Query().Has("uploads"):
		_, _ = io.WriteString(w, `<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>`)
	case r.Method == http.MethodPost:
		_, _ = io.WriteString(w, `<CompleteMultipartUploadResult><ETag>"x"</ETag></CompleteMultipartUploadResult>`)
	case r.Method == http.MethodDelete:
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodHead:
		w.WriteHeader(http.StatusNotFound)
	}
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `<Error><Code>%s</Code><Message>as it is</Message></Error>`, code)
}

func zeros(n int) io.Reader {
	return io.LimitReader(readerFunc(func(b []byte) (int, error) { return len(b), nil }), int64(n))
}

package secret

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
)

func TestRedactorKnowsTheFormsOfASecret(t *testing.T) {
	const text = "p@ss \"w0rd\"\t$x`#{y}<&\\é"
	quoted, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	for name, form := range map[string]string{
		"as it is":      text,
		"env file":      "p@ss \"w0rd\"\\t$x`#{y}<&\\\\é",
		"double quotes": "p@ss \\\"w0rd\\\"\\t\\$x\\`\\#{y}<&\\\\é",
		"ruby dump":     "p@ss \\\"w0rd\\\"\\t$x`\\#{y}<&\\\\é",
		"json":          strings.Trim(string(quoted), `"`),
		"query":         url.QueryEscape(text),
		"path":          url.PathEscape(text),
		"user info":     strings.TrimPrefix(url.UserPassword("u", text).String(), "u:"),
		"base64":        base64.StdEncoding.EncodeToString([]byte(text)),
	} {
		var r Redactor
		r.Add(New(text))
		if got := r.Redact("before " + form + " after"); got != "before [REDACTED] after" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestRedactor(t *testing.T) {
	tests := []struct {
		name    string
		secrets []string
		in, out string
	}{
		{"nothing known", nil, "hunter2", "hunter2"},
		{"short ones stay", []string{"five5"}, "five5", "five5"},
		{"six characters go", []string{"sixsix"}, "xsixsixx", "x[REDACTED]x"},
		{"longest first", []string{"secret1", "secret1-and-more"}, "secret1-and-more secret1", "[REDACTED] [REDACTED]"},
		{"lines of a key", []string{"-----BEGIN\nabcdefghij\nxy\n-----END KEY"}, "got abcdefghij and xy", "got [REDACTED] and xy"},
		{"crlf", []string{"first-line\r\nsecond-line"}, "second-line", "[REDACTED]"},
		{"single quotes", []string{"it's-secret"}, `'it'\''s-secret'`, "'[REDACTED]'"},
		{"twice", []string{"hunter22"}, "hunter22hunter22", "[REDACTED][REDACTED]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var r Redactor
			for _, s := range test.secrets {
				r.Add(New(s))
			}
			if got := r.Redact(test.in); got != test.out {
				t.Errorf("got %q, want %q", got, test.out)
			}
			if got := string(r.RedactBytes([]byte(test.in))); got != test.out {
				t.Errorf("bytes: got %q, want %q", got, test.out)
			}
		})
	}
}

func TestRedactorIsSafeForManyGoroutines(t *testing.T) {
	var r Redactor
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 20 {
				text := fmt.Sprintf("secret-%d-%d", i, j)
				r.Add(New(text))
				if got := r.Redact(text); got != Redacted {
					t.Errorf("%s is shown as %s", text, got)
				}
			}
		})
	}
	group.Wait()
}

func BenchmarkRedactLine(b *testing.B) {
	var r Redactor
	for i := range 50 {
		r.Add(New(fmt.Sprintf("a-rather-long-secret-value-%d", i)))
	}
	line := strings.Repeat("GET /up 200 in 3ms from 10.0.0.1 ", 5)
	for b.Loop() {
		r.Redact(line)
	}
}

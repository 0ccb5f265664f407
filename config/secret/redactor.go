package secret

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// MinRedactable is the length in bytes from which a secret is recognised by its
// value. Shorter ones would blank out ordinary words; they are hidden by the
// place they stand in.
const MinRedactable = 6

// Redactor replaces every secret it knows by [REDACTED], wherever in a text it
// stands and in the forms in which commands and files spell it. The zero
// Redactor is ready to use, by any number of goroutines.
type Redactor struct {
	mu       sync.Mutex
	known    map[string]bool
	replacer atomic.Pointer[strings.Replacer]
}

// Add makes the redactor know a secret. Values under six bytes are ignored, as
// are the lines of that length in a secret of several lines.
func (r *Redactor) Add(v Value) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.learn(v.Reveal()) {
		r.replacer.Store(r.build())
	}
}

// Redact returns s without any known secret. It is cheap enough to call for
// every line of output.
func (r *Redactor) Redact(s string) string {
	if replacer := r.replacer.Load(); replacer != nil {
		return replacer.Replace(s)
	}
	return s
}

// RedactBytes is Redact for a byte slice. The result does not share memory with
// b unless nothing is known yet.
func (r *Redactor) RedactBytes(b []byte) []byte {
	if r.replacer.Load() == nil {
		return b
	}
	return []byte(r.Redact(string(b)))
}

// Private

func (r *Redactor) learn(text string) bool {
	if len(text) < MinRedactable {
		return false
	}
	if r.known == nil {
		r.known = map[string]bool{}
	}
	before := len(r.known)
	r.learnForms(text)
	if strings.ContainsAny(text, "\r\n") {
		for line := range strings.FieldsFuncSeq(text, func(c rune) bool { return c == '\n' || c == '\r' }) {
			if line = strings.TrimSpace(line); len(line) >= MinRedactable {
				r.learnForms(line)
			}
		}
	}
	return len(r.known) > before
}

func (r *Redactor) learnForms(text string) {
	for _, form := range forms(text) {
		r.known[form] = true
	}
}

// build orders longer forms before their own parts: the replacer takes the
// first pair that matches at a place.
func (r *Redactor) build() *strings.Replacer {
	forms := make([]string, 0, len(r.known))
	for form := range r.known {
		forms = append(forms, form)
	}
	slices.SortFunc(forms, func(a, b string) int {
		if d := len(b) - len(a); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	pairs := make([]string, 0, 2*len(forms))
	for _, form := range forms {
		pairs = append(pairs, form, Redacted)
	}
	return strings.NewReplacer(pairs...)
}

// Helpers

// forms lists the spellings of a secret that turn up in output: as it is, in an
// env file, in Ruby's and the shell's double quotes, in single quotes, in JSON,
// in a URL and in base64.
func forms(text string) []string {
	list := []string{text}
	add := func(form string) {
		if form != "" && !slices.Contains(list, form) {
			list = append(list, form)
		}
	}
	dump := dumpEscape(text)
	add(dump)
	add(strings.ReplaceAll(strings.ReplaceAll(dump, `\"`, `"`), `\#`, `#`))
	shell := strings.ReplaceAll(strings.ReplaceAll(dump, "`", "\\`"), "$", `\$`)
	add(shell)
	add(escapeEach(text, "\"\\$`"))
	add(strings.ReplaceAll(text, `'`, `'\''`))
	add(jsonEscape(text, true))
	add(jsonEscape(text, false))
	add(url.QueryEscape(text))
	add(url.PathEscape(text))
	if user := url.UserPassword("", text).String(); len(user) > 2 {
		add(user[1:])
	}
	add(base64.StdEncoding.EncodeToString([]byte(text)))
	add(base64.RawURLEncoding.EncodeToString([]byte(text)))
	return list
}

// dumpEscape writes text as the inside of Ruby's String#dump, leaving runs of
// non-ASCII characters as they are, as Kamal does.
func dumpEscape(text string) string {
	const hex = "0123456789ABCDEF"
	named := map[byte]string{'\n': `\n`, '\r': `\r`, '\t': `\t`, '\f': `\f`, '\v': `\v`, '\b': `\b`, '\a': `\a`, 0x1b: `\e`, '"': `\"`, '\\': `\\`}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case named[c] != "":
			b.WriteString(named[c])
		case c == '#' && i+1 < len(text) && strings.IndexByte("{$@", text[i+1]) >= 0:
			b.WriteString(`\#`)
		case c < 0x20 || c == 0x7f:
			b.WriteString(`\x` + string(hex[c>>4]) + string(hex[c&15]))
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func escapeEach(text, chars string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if strings.IndexByte(chars, text[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

func jsonEscape(text string, html bool) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(html)
	if err := encoder.Encode(text); err != nil {
		return ""
	}
	quoted := strings.TrimSuffix(b.String(), "\n")
	return quoted[1 : len(quoted)-1]
}

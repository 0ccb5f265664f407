package logs

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", "GET /up 200", "GET /up 200"},
		{"tab stays", "a\tb", "a\tb"},
		{"line end", "text\r\n", "text"},
		{"colour", "\x1b[1;31mERROR\x1b[0m done", "ERROR done"},
		{"cursor", "a\x1b[2Jb\x1b[10;10Hc", "abc"},
		{"title by BEL", "\x1b]0;owned\x07text", "text"},
		{"title by ST", "\x1b]0;owned\x1b\\text", "text"},
		{"hyperlink", "\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"},
		{"DCS", "\x1bP1$r0m\x1b\\after", "after"},
		{"open OSC hides nothing", "\x1b]0;rest stays", "0;rest stays"},
		{"charset", "\x1b(Bx", "x"},
		{"lone escape at the end", "x\x1b", "x"},
		{"bell", "a\x07b", "a␇b"},
		{"backspace", "ab\x08c", "ab␈c"},
		{"NUL", "a\x00b", "a␀b"},
		{"DEL", "a\x7fb", "a␡b"},
		{"8-bit CSI", "a\u009b31mb", "a\uFFFD31mb"},
		{"broken UTF-8", "a\xff\xfeb", "a\uFFFD\uFFFDb"},
		{"direction override", "a\u202eb", "a\uFFFDb"},
		{"progress keeps the last frame", "10%\r50%\r100%", "100%"},
		{"emoji with joiner", "👩‍🚀 ok", "👩‍🚀 ok"},
		{"wide", "日本語", "日本語"},
		{"accents", "Grüße", "Grüße"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Clean(c.in); got != c.want {
				t.Errorf("Clean(%q) = %q, want %q", c.in, got, c.want)
			}
		})
	}
}

func TestCleanCutsMonsters(t *testing.T) {
	got := Clean(strings.Repeat("é", LongestLine))
	if len(got) > LongestLine+60 || !strings.Contains(got, "bytes more were cut") || !utf8.ValidString(got) {
		t.Errorf("%d bytes, ends %q", len(got), got[len(got)-40:])
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"", "\x1b[", "\x1b]0;", "\x1bP", "a\rb", "\x1b\x1b[m", "\xc2\x9b1m", "\x1b[\x1b[31m"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got := Clean(in)
		if !utf8.ValidString(got) {
			t.Fatalf("Clean(%q) = %q is not UTF-8", in, got)
		}
		for _, r := range got {
			if r < ' ' && r != '\t' || r >= 0x7f && r <= 0x9f {
				t.Fatalf("Clean(%q) = %q holds control %U", in, got, r)
			}
		}
		if again := Clean(got); again != got {
			t.Fatalf("cleaning twice: %q then %q", got, again)
		}
	})
}

func BenchmarkClean(b *testing.B) {
	text := "14:02:11 web-1 INFO  GET /patients 200 38ms rid=5f1c " + strings.Repeat("x", 80)
	for b.Loop() {
		Clean(text)
	}
}

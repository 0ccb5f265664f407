package kit_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"binnacle/ui/kit"
)

func TestKeymapRefusesClashes(t *testing.T) {
	global := kit.KeySpec{ID: "quit", Keys: []string{"q"}}
	for name, specs := range map[string][]kit.KeySpec{
		"two everywhere":       {global, {ID: "other", Keys: []string{"q"}}},
		"two in a pane":        {{ID: "a", Keys: []string{"x"}, Pane: kit.Logs}, {ID: "b", Keys: []string{"x"}, Pane: kit.Logs}},
		"pane over everywhere": {{ID: "a", Keys: []string{"q"}, Pane: kit.Logs}, global},
	} {
		_, err := kit.NewKeymap(specs)
		var clash *kit.Clash
		if !errors.As(err, &clash) {
			t.Errorf("%s: %v", name, err)
		}
	}
	m, err := kit.NewKeymap([]kit.KeySpec{global, {ID: "a", Keys: []string{"x"}, Pane: kit.Logs}, {ID: "b", Keys: []string{"x"}, Pane: kit.Hosts}})
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := m.Find(kit.Hosts, "x"); !ok || s.ID != "b" {
		t.Errorf("x in hosts is %q", s.ID)
	}
	if s, ok := m.Find(kit.Tasks, "q"); !ok || s.ID != "quit" {
		t.Errorf("q in tasks is %q", s.ID)
	}
	if _, ok := m.Find(kit.Tasks, "x"); ok {
		t.Error("x means something in tasks")
	}
}

func TestMotionsNeverChangeAnything(t *testing.T) {
	for _, key := range []string{"ctrl+d", "ctrl+u", "ctrl+k", "ctrl+h", "ctrl+l", "ctrl+j", "ctrl+a", "ctrl+b", "ctrl+w", "enter"} {
		if _, err := kit.NewKeymap([]kit.KeySpec{{ID: "remove", Keys: []string{key}, Danger: true}}); err == nil {
			t.Errorf("%s may remove", key)
		}
		if _, err := kit.NewKeymap([]kit.KeySpec{{ID: "deploy", Keys: []string{key}, Changes: true}}); err == nil {
			t.Errorf("%s may deploy", key)
		}
	}
}

func TestFilter(t *testing.T) {
	for _, c := range []struct {
		filter, text string
		want         bool
	}{
		{"", "anything", true}, {"web", "WEB-1", true}, {"Web", "web-1", false}, {"web", "job", false},
		{"!web", "job", true}, {"!web", "web-1", false}, {"!", "anything", true},
		{"web-[12]$", "web-2", true}, {"web-[12]$", "web-3", false}, {"50[0-9]", "502", true},
		{"(", "f(x)", true}, {"[", "no bracket", false}, {"!(", "f(x)", false},
	} {
		if got := kit.NewFilter(c.filter).Match(c.text); got != c.want {
			t.Errorf("/%s on %q: %v", c.filter, c.text, got)
		}
	}
	if spans := kit.NewFilter("a.").Spans("abcabd"); len(spans) != 2 {
		t.Errorf("spans %v", spans)
	}
	if spans := kit.NewFilter("!a").Spans("abc"); spans != nil {
		t.Errorf("an inverted filter has spans %v", spans)
	}
}

func TestListKeepsTheThing(t *testing.T) {
	var l kit.List[string]
	l.Sync([]string{"c", "d"}, 2)
	l.Sync([]string{"a", "b", "c", "d"}, 2)
	if k, _ := l.Key(); k != "a" {
		t.Errorf("rows that arrived moved the untouched cursor to %q", k)
	}
	l.Move(kit.Bottom)
	if from, to := l.Window(); from != 2 || to != 4 {
		t.Errorf("window %d-%d", from, to)
	}
	l.Sync([]string{"d", "x", "a", "b", "c"}, 2)
	if k, _ := l.Key(); k != "d" || l.Index() != 0 {
		t.Errorf("cursor on %q at %d", k, l.Index())
	}
	l.Sync([]string{"x", "a"}, 2)
	if k, _ := l.Key(); k != "x" {
		t.Errorf("the gone thing's place has %q", k)
	}
	l.Sync(nil, 2)
	if _, ok := l.Key(); ok {
		t.Error("an empty list has a cursor")
	}
	l.Sync([]string{"a", "b", "c"}, 3)
	l.Move(kit.Top)
	l.Toggle()
	l.Toggle()
	if got := l.Marked(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("marked %v", got)
	}
	l.Sync([]string{"b", "c"}, 3)
	if got := l.Marked(); !slices.Equal(got, []string{"b"}) {
		t.Errorf("marked %v after a went", got)
	}
	if l.At(5) || !l.At(1) {
		t.Error("lines below the rows can be chosen, or rows cannot")
	}
}

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"plain": "plain", "a\tb\nc": "a b c", "\x1b[31mred\x1b[0m": "red", "bell\a": "bell", "e\u0301": "e\u0301", "z\u200bw\u200dj": "zwj",
		"bad\xffutf": "bad?utf", "漢字": "漢字", "\x1b]0;title\x07x": "x",
	} {
		if got := kit.Clean(in); got != want {
			t.Errorf("Clean(%q) = %q", in, got)
		}
	}
	for _, c := range []struct{ got, want string }{
		{kit.Cut("hello", 4, "…"), "hel…"}, {kit.Cut("hello", 5, "…"), "hello"}, {kit.Cut("漢字です", 5, "…"), "漢字…"}, {kit.Cut("x", 0, "…"), ""},
		{kit.Pad("漢", 3, "…"), "漢 "}, {kit.PadLeft("7", 3, "…"), "  7"}, {kit.PadLeft("12345", 3, "…"), "12…"},
		{kit.Fit([]string{"abc", "d", "e"}, 2, 2), "ab\nd"}, {kit.Fit([]string{"a"}, 2, 3), "a\n\n"}, {kit.Fit(nil, 2, 0), ""},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestMeasures(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{kit.Span(3 * time.Minute), "3 m"}, {kit.Span(-time.Second), "0 s"}, {kit.Short(41 * 24 * time.Hour), "41d"}, {kit.Short(47 * time.Hour), "47h"},
		{kit.Took(400 * time.Millisecond), "0.4 s"}, {kit.Took(72 * time.Second), "1 m 12 s"}, {kit.Took(125 * time.Minute), "2 h 05 m"}, {kit.Took(59 * time.Second), "59 s"},
		{kit.Bytes(212 << 20), "212M"}, {kit.Bytes(12 << 28), "3.0G"}, {kit.Bytes(512), "512B"}, {kit.Bytes(1023 << 20), "1.0G"},
		{kit.Percent(1, 0), ""}, {kit.Percent(88, 100), "88%"}, {kit.Plural(1, "host"), "1 host"}, {kit.Plural(0, "host"), "0 hosts"},
		{kit.Count(0), "0"}, {kit.Count(9999), "9999"}, {kit.Count(12_449), "12.4k"}, {kit.Count(999_499), "999k"}, {kit.Count(999_500), "1.0M"}, {kit.Count(5_991_862_000), "6.0G"},
		{kit.About(0), "1 s"}, {kit.About(9400 * time.Millisecond), "9 s"}, {kit.About(42 * time.Second), "40 s"}, {kit.About(98 * time.Second), "1 m 40 s"},
		{kit.About(25 * time.Minute), "25 m"}, {kit.About(127 * time.Minute), "2 h 05 m"},
		{kit.Version("9f31c2e8a0b1c2d3e4f5a6b7c8d9e0f1a2b3c4d5"), "9f31c2e"}, {kit.Version("9f31c2e8a0b1c2d3e4f5a6b7c8d9e0f1a2b3c4d5_uncommitted_ab12"), "9f31c2e+"},
		{kit.Version("v2"), "v2"}, {kit.Version("a-release-name-that-is-longer-than-forty-characters"), "a-release-name-that-is-longer-than-forty-characters"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

package widget

import (
	"testing"

	"binnacle/ops/logs"
)

func TestCondensed(t *testing.T) {
	full, none, timeOnly := gutter{time: 8, level: 5}, gutter{}, gutter{time: 8}
	for _, c := range []struct {
		name, in string
		g        gutter
		want     string
	}{
		{"rails", "I, [2026-11-23T02:45:20.070139 #1]  INFO -- : [1c78] Started POST \"/x\"", full, "[1c78] Started POST \"/x\""},
		{"rails with a program", "W, [2026-11-23T02:45:20.070139 #1]  WARN -- Sidekiq: slow: very", full, "Sidekiq: slow: very"},
		{"rails without columns", "I, [2026-11-23T02:45:20 #1]  INFO -- : x", none, "I, [2026-11-23T02:45:20 #1]  INFO -- : x"},
		{"not rails", "I, [robot] am -- not: it", full, "I, [robot] am -- not: it"},
		{"no prefix at all", "I, [robot am", full, "I, [robot am"},
		{"json", `{"time":"2026","level":"INFO","msg":"Request","status":200,"path":"/a b","host":"x"}`, full, `Request  status=200  path="/a b"  host=x`},
		{"json keeps what has no column", `{"time":"2026","level":"INFO","msg":"Request"}`, timeOnly, `Request  level=INFO`},
		{"json without a message", `{"level":"ERROR","a":{"b":[1,2]},"c":""}`, full, `a={"b":[1,2]}  c=""`},
		{"json escapes stay", `{"msg":"a\u001b[31mb \"c\"","k":"\n"}`, full, `a\u001b[31mb \"c\"  k="\n"`},
		{"broken json", `{"level":"ERROR","a":`, full, `{"level":"ERROR","a":`},
		{"json and more", `{"msg":"a"} tail`, full, `{"msg":"a"} tail`},
		{"ISO time", "2026-11-23T14:02:11.123Z started", full, "started"},
		{"postgres", "2026-11-23 02:00:00.123 UTC [1] FATAL:  no role", full, "[1] FATAL:  no role"},
		{"time alone stays", "2026-11-23T14:02:11Z", full, "2026-11-23T14:02:11Z"},
		{"level", "ERROR: boom", full, "boom"},
		{"level alone stays", "ERROR", full, "ERROR"},
		{"level stays without its column", "ERROR: boom", timeOnly, "ERROR: boom"},
		{"a word that only begins so", "ERRORS everywhere", full, "ERRORS everywhere"},
		{"nothing", "", full, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := condensed(c.in, logs.DetectLevel(c.in), c.g); got != c.want {
				t.Errorf("condensed(%q) = %q, want %q", c.in, got, c.want)
			}
		})
	}
}

func TestMessage(t *testing.T) {
	for in, want := range map[string]string{
		"E, [2026-11-23T02:50:36.569946 #1] ERROR -- : [db5db79a-b84d-4ca0-a34a-c513eb4cb755] PG::ConnectionBad (no)": "PG::ConnectionBad (no)",
		"[ActiveJob] [120ec388] x":                       "[ActiveJob] [120ec388] x",
		"\x1b[31mERROR\x1b[0m boom":                      "boom",
		`{"level":"fatal","msg":"no database","code":3}`: "no database  code=3",
	} {
		if got := Message(in); got != want {
			t.Errorf("Message(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzCondensed(f *testing.F) {
	for _, s := range []string{`{"a":1}`, "I, [", "I, [] -- : ", "2026-11-23 14:02:11 ", `{"msg":null}`, `{}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		if got := condensed(in, logs.LevelInfo, gutter{time: 8, level: 5}); len(got) > len(in)+2*len(in) {
			t.Fatalf("%q grew to %q", in, got)
		}
	})
}

func BenchmarkCondensedJSON(b *testing.B) {
	line := `{"time":"2026-11-23T02:45:34.68019364Z","level":"INFO","msg":"Request","host":"x.example","port":443,"path":"/patients","request_id":"5f1c","status":200,"service":"app-web","target":"5e9c729759dc:80","duration":38000000,"method":"GET","req_content_length":0,"resp_content_length":1234,"remote_addr":"10.0.0.1"}`
	for b.Loop() {
		condensed(line, logs.LevelInfo, gutter{time: 8, level: 5})
	}
}

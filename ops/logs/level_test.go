package logs

import "testing"

func TestDetectLevel(t *testing.T) {
	for _, c := range []struct {
		text string
		want Level
	}{
		{"INFO  GET /patients 200 38ms", LevelInfo},
		{"2026-11-23T10:00:00Z WARN slow query", LevelWarn},
		{"E, [2026-11-23T10:00:00.1 #7] ERROR -- : boom", LevelError},
		{"I, [2026-11-23T10:00:00.1 #7]  INFO -- : fine", LevelInfo},
		{"2026-11-23 02:00:00.123 UTC [1] FATAL:  role \"x\" does not exist", LevelFatal},
		{"2026-11-23 02:00:00.123 UTC [1] LOG:  checkpoint starting", LevelInfo},
		{"2026-11-23 02:00:00.123 UTC [1] PANIC:  could not write", LevelFatal},
		{"[error] 7#7: connect() failed", LevelError},
		{"[warning] low memory", LevelWarn},
		{"error: cannot open file", LevelError},
		{`{"time":"…","level":"ERROR","msg":"Request failed"}`, LevelError},
		{`{"severity": "WARNING", "message": "x"}`, LevelWarn},
		{`{"level":50,"time":1,"msg":"pino"}`, LevelError},
		{`{"level":30,"msg":"ERROR in text"}`, LevelInfo},
		{`{"level":500,"msg":"x"}`, LevelNone},
		{`{"msg":"ERROR in text only"}`, LevelNone},
		{`time=2026 level=warn msg="x"`, LevelWarn},
		{`level="fatal" msg=x`, LevelFatal},
		{"DEBUG cache hit", LevelDebug},
		{"GET /errors/error.html 200", LevelNone},
		{"there was no error at all", LevelNone},
		{"information about it", LevelNone},
		{"MyApp::ERROR_CODE set", LevelNone},
		{"NoError", LevelNone},
		{"", LevelNone},
	} {
		if got := DetectLevel(c.text); got != c.want {
			t.Errorf("DetectLevel(%q) = %v, want %v", c.text, got, c.want)
		}
	}
}

func BenchmarkDetectLevel(b *testing.B) {
	for b.Loop() {
		DetectLevel("192.168.0.1 - - [23/Nov/2026:10:00:00 +0000] \"GET /patients/1 HTTP/1.1\" 200 1234 \"-\" \"curl/8\" 38ms rid=5f1c nothing here")
	}
}

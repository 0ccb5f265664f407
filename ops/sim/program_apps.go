package sim

import (
	"fmt"
	"math"
	"time"
)

func railsProgram(ready time.Duration) *script {
	return &script{
		boot: railsBoot(ready), ready: ready, status: 200, stopTime: 320 * time.Millisecond,
		words: []string{"- Gracefully stopping, waiting for requests to finish", "=== puma shutdown: {rails} ===", "- Goodbye!"},
		cpu:   0.11, memory: 212 << 20,
	}
}

func railsBoot(ready time.Duration) []spoken {
	return []spoken{
		{120 * time.Millisecond, "=> Booting Puma"},
		{120 * time.Millisecond, "=> Rails 8.0.2 application starting in production"},
		{121 * time.Millisecond, "=> Run `bin/rails server --help` for more startup options"},
		{ready - 90*time.Millisecond, "Puma starting in single mode..."},
		{ready - 90*time.Millisecond, "* Puma version: 6.6.0 (\"Return to Forever\")"},
		{ready - 89*time.Millisecond, "* Ruby version: ruby 3.4.4 (2025-05-14 revision a38531fd3f) +YJIT +PRISM [x86_64-linux]"},
		{ready - 89*time.Millisecond, "*  Min threads: 3"},
		{ready - 89*time.Millisecond, "*  Max threads: 3"},
		{ready - 88*time.Millisecond, "*  Environment: production"},
		{ready - 88*time.Millisecond, "*          PID: 1"},
		{ready, "* Listening on http://0.0.0.0:80"},
		{ready, "Use Ctrl-C to stop"},
	}
}

func brokenProgram(ready time.Duration) *script {
	s := railsProgram(ready)
	s.status, s.period = 503, time.Second
	s.chatter = func(c *container, k int64, _ time.Time) []spoken {
		tag := "E, {rails} ERROR -- : [" + requestID(c.seed, k) + "] "
		return []spoken{
			{0, tag + `PG::ConnectionBad (connection to server at "fhirlinebot-db" (172.18.0.2), port 5433 failed: Connection refused`},
			{0, tag + `	Is the server running on that host and accepting TCP/IP connections?)`},
			{time.Millisecond, tag + `app/controllers/health_controller.rb:7:in 'HealthController#show'`},
		}
	}
	return s
}

func exitingProgram() *script {
	return &script{
		toStderr: true,
		boot: []spoken{
			{120 * time.Millisecond, "=> Booting Puma"},
			{850 * time.Millisecond, "! Unable to load application: KeyError: key not found: \"FHIR_BASE_URL\""},
			{851 * time.Millisecond, "config/initializers/fhir.rb:3:in 'Hash#fetch': key not found: \"FHIR_BASE_URL\" (KeyError)"},
			{852 * time.Millisecond, "\tfrom config/initializers/fhir.rb:3:in '<top (required)>'"},
			{853 * time.Millisecond, "\tfrom config/environment.rb:5:in '<main>'"},
		},
		end: &planned{900 * time.Millisecond, ending{code: 3}}, cpu: 0.8, memory: 120 << 20,
	}
}

// greedyProgram is killed while it starts, before it listens.
func greedyProgram() *script {
	return &script{
		boot: []spoken{
			{120 * time.Millisecond, "=> Booting Puma"},
			{700 * time.Millisecond, "I, {rails}  INFO -- : Terminology: loading SNOMED CT (352 MB) into memory"},
			{1500 * time.Millisecond, "I, {rails}  INFO -- : Terminology: loading LOINC (118 MB) into memory"},
			{2200 * time.Millisecond, "W, {rails}  WARN -- : heap grew to 3611 MB"},
		},
		end: &planned{2600 * time.Millisecond, ending{code: 137, oom: true}}, cpu: 0.9, memory: 300 << 20, grows: 1400 << 20,
	}
}

func jobProgram(ready time.Duration) *script {
	return &script{
		boot: []spoken{
			{ready, "I, {rails}  INFO -- : SolidQueue-1.1.5 Started Supervisor (312.4ms)  pid: 1, hostname: \"job\""},
			{ready + 40*time.Millisecond, "I, {rails}  INFO -- : SolidQueue-1.1.5 Started Dispatcher (48.2ms)  pid: 14, polling_interval: 1, batch_size: 500"},
			{ready + 55*time.Millisecond, "I, {rails}  INFO -- : SolidQueue-1.1.5 Started Worker (63.9ms)  pid: 18, polling_interval: 0.1, queues: \"*\", thread_pool_size: 3"},
		},
		ready: ready, period: 2300 * time.Millisecond, chatter: jobChatter, stopTime: 600 * time.Millisecond,
		words: []string{"I, {rails}  INFO -- : SolidQueue-1.1.5 Shutdown Supervisor (213.0ms)  pid: 1"}, cpu: 0.07, memory: 188 << 20,
	}
}

func jobChatter(c *container, k int64, at time.Time) []spoken {
	kinds := []string{"SyncJob", "SyncJob", "SyncJob", "DigestMailerJob", "ExpireSessionsJob"}
	roll := dice(c.seed^0x51ed, k)
	kind, id := kinds[roll%5], requestID(c.seed^0x0b, k)
	head := fmt.Sprintf(", {rails}  INFO -- : [ActiveJob] [%s] [%s] ", kind, id)
	took := 18*time.Millisecond + time.Duration(roll%4200)*100*time.Microsecond
	out := []spoken{{0, fmt.Sprintf("I%sPerforming %s (Job ID: %s) from SolidQueue(default) enqueued at %s with arguments: %d", head, kind, id, at.Add(-400*time.Millisecond).Format(time.RFC3339Nano), 1000+roll%9000)}}
	if roll%37 == 0 {
		out = append(out, spoken{took / 2, fmt.Sprintf("W, {rails}  WARN -- : [ActiveJob] [%s] [%s] FHIR server answered 429, retrying in 3s (attempt 1 of 5)", kind, id)})
	}
	return append(out, spoken{took, fmt.Sprintf("I%sPerformed %s (Job ID: %s) from SolidQueue(default) in %.2fms", head, kind, id, float64(took.Microseconds())/1000)})
}

func proxyProgram() *script {
	return &script{
		boot: []spoken{{30 * time.Millisecond, `{"time":"{json}","level":"INFO","msg":"Server started","http":80,"https":443}`}},
		// The proxy answers for its services; it is no target itself.
		ready: 30 * time.Millisecond, stopTime: 150 * time.Millisecond, cpu: 0.02, memory: 21 << 20,
	}
}

func postgresProgram() *script {
	return &script{
		boot: []spoken{
			{80 * time.Millisecond, "PostgreSQL Database directory appears to contain a database; Skipping initialization"},
			{110 * time.Millisecond, "{pg} [1] LOG:  starting PostgreSQL 16.9 (Debian 16.9-1.pgdg120+1) on x86_64-pc-linux-gnu, compiled by gcc (Debian 12.2.0-14) 12.2.0, 64-bit"},
			{111 * time.Millisecond, "{pg} [1] LOG:  listening on IPv4 address \"0.0.0.0\", port 5432"},
			{111 * time.Millisecond, "{pg} [1] LOG:  listening on IPv6 address \"::\", port 5432"},
			{112 * time.Millisecond, "{pg} [1] LOG:  listening on Unix socket \"/var/run/postgresql/.s.PGSQL.5432\""},
			{150 * time.Millisecond, "{pg} [29] LOG:  database system was shut down at {pg}"},
			{190 * time.Millisecond, "{pg} [1] LOG:  database system is ready to accept connections"},
		},
		ready: 200 * time.Millisecond, toStderr: true, period: 30 * time.Second, stopTime: 260 * time.Millisecond,
		words: []string{"{pg} [1] LOG:  received fast shutdown request", "{pg} [27] LOG:  checkpoint complete: wrote 12 buffers (0.1%)", "{pg} [1] LOG:  database system is shut down"},
		cpu:   0.05, memory: 164 << 20,
		chatter: func(c *container, k int64, _ time.Time) []spoken {
			roll := dice(c.seed^0x77, k)
			if k%10 == 0 {
				buffers := 20 + roll%900
				wrote := time.Duration(buffers) * 100 * time.Millisecond
				return []spoken{
					{0, "{pg} [27] LOG:  checkpoint starting: time"},
					{wrote, fmt.Sprintf("{pg} [27] LOG:  checkpoint complete: wrote %d buffers (%.1f%%); 0 WAL file(s) added, 0 removed, 0 recycled; write=%.3f s, sync=0.004 s, total=%.3f s", buffers, float64(buffers)/164, wrote.Seconds(), wrote.Seconds()+0.031)},
				}
			}
			if roll%3 == 0 {
				return []spoken{{0, fmt.Sprintf("{pg} [%d] LOG:  duration: %d.%03d ms  statement: SELECT \"observations\".* FROM \"observations\" WHERE \"observations\".\"patient_id\" = %d ORDER BY \"effective_at\" DESC", 60+roll%40, 250+roll%900, roll%1000, 1+roll%5000)}}
			}
			return nil
		},
	}
}

func redisProgram() *script {
	return &script{
		boot: []spoken{
			{20 * time.Millisecond, "1:C {redis} * oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo"},
			{20 * time.Millisecond, "1:C {redis} * Redis version=7.4.3, bits=64, commit=00000000, modified=0, pid=1, just started"},
			{31 * time.Millisecond, "1:M {redis} * monotonic clock: POSIX clock_gettime"},
			{33 * time.Millisecond, "1:M {redis} * Running mode=standalone, port=6379."},
			{35 * time.Millisecond, "1:M {redis} * Server initialized"},
			{36 * time.Millisecond, "1:M {redis} * Ready to accept connections tcp"},
		},
		ready: 40 * time.Millisecond, period: 60 * time.Second, stopTime: 120 * time.Millisecond,
		words: []string{"1:signal-handler Received SIGTERM scheduling shutdown...", "1:M {redis} * DB saved on disk", "1:M {redis} # Redis is now ready to exit, bye bye..."},
		cpu:   0.015, memory: 14 << 20,
		chatter: func(c *container, k int64, _ time.Time) []spoken {
			pid := 20 + k%900
			return []spoken{
				{0, fmt.Sprintf("1:M {redis} * %d changes in 60 seconds. Saving...", 100+dice(c.seed^0x99, k)%700)},
				{time.Millisecond, fmt.Sprintf("1:M {redis} * Background saving started by pid %d", pid)},
				{14 * time.Millisecond, fmt.Sprintf("%d:C {redis} * DB saved on disk", pid)},
				{101 * time.Millisecond, "1:M {redis} * Background saving terminated with success"},
			}
		},
	}
}

// Helpers

// smooth is a slow wave between 0 and 1, different for every seed.
func smooth(seed uint64, now time.Time) float64 {
	t, phase := waveTime(seed, now)
	return 0.5 + 0.3*math.Sin(t/37+phase) + 0.2*math.Sin(t/11+2*phase)
}

// waveArea is the integral of smooth over time, in seconds.
func waveArea(seed uint64, now time.Time) float64 {
	t, phase := waveTime(seed, now)
	return 0.5*t - 0.3*37*math.Cos(t/37+phase) - 0.2*11*math.Cos(t/11+2*phase)
}

func waveTime(seed uint64, now time.Time) (t, phase float64) {
	return float64(now.UnixMilli()) / 1000, float64(seed%628) / 100
}

// requestID looks like a UUID.
func requestID(seed uint64, k int64) string {
	a, b := dice(seed, k), dice(seed^0xabcd, k)
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", uint32(a), uint16(a>>32), uint16(a>>48)&0xfff, 0x8000|uint16(b)&0x3fff, b>>16)
}

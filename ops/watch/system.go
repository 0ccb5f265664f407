package watch

import (
	"math"
	"strconv"
	"strings"
	"time"

	"binnacle/ops"
)

// systemCommand reads a host's figures with three small processes. The disk is
// the one that Docker fills.
const systemCommand = "cat /proc/uptime /proc/loadavg /proc/meminfo; nproc; " +
	"df -P -k /var/lib/docker 2>/dev/null || df -P -k /"

// parseSystem reads what systemCommand printed, knowing each line by its form;
// ok is false when it is none of that.
func parseSystem(out string) (facts ops.SystemFacts, ok bool) {
	memory := map[string]int64{}
	for _, line := range strings.Split(out, "\n") {
		words := strings.Fields(line)
		switch {
		case len(words) == 2 && !strings.HasSuffix(words[0], ":"): // 12345.67 23456.78
			facts.Uptime = seconds(words[0])
		case len(words) == 5 && strings.Contains(words[3], "/"): // 0.10 0.20 0.30 1/234 5678
			facts.Load, _ = strconv.ParseFloat(words[0], 64)
		case len(words) >= 2 && strings.HasSuffix(words[0], ":"): // MemTotal: 123 kB
			memory[words[0]] = kilobytes(words[1])
		case len(words) == 1:
			facts.CPUs, _ = strconv.Atoi(words[0])
		case len(words) >= 6 && strings.HasSuffix(words[len(words)-2], "%"): // device 1000 400 600 40% /
			facts.DiskTotal, facts.DiskUsed = kilobytes(words[len(words)-5]), kilobytes(words[len(words)-4])
		}
	}
	facts.MemTotal = memory["MemTotal:"]
	available, found := memory["MemAvailable:"]
	if !found { // kernels before 3.14
		available = memory["MemFree:"] + memory["Buffers:"] + memory["Cached:"]
	}
	facts.MemUsed = max(0, facts.MemTotal-available)
	return facts, facts.Uptime > 0 && facts.MemTotal > 0
}

// Helpers

func seconds(text string) time.Duration {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(n) || n < 0 || n > 1e10 {
		return 0
	}
	return time.Duration(n * float64(time.Second))
}

func kilobytes(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/1024 {
		return 0
	}
	return n * 1024
}

package operation

import (
	"encoding/json"
	"strings"
)

// lastHealthAnswer finds in kamal-proxy's JSON log why the last health check of
// a target failed; "" when there is none.
func lastHealthAnswer(lines []string, target string) string {
	for i := len(lines) - 1; i >= 0; i-- {
		var record struct {
			Msg    string `json:"msg"`
			URL    string `json:"url"`
			Error  string `json:"error"`
			Status int    `json:"status"`
		}
		line := lines[i]
		if start := strings.IndexByte(line, '{'); start >= 0 {
			line = line[start:]
		}
		if json.Unmarshal([]byte(line), &record) != nil || record.Msg != "Healthcheck failed" {
			continue
		}
		if target == "" || strings.Contains(record.URL, target) {
			return "→ " + record.Error + " (" + record.URL + ")"
		}
	}
	return ""
}

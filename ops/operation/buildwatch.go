package operation

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"binnacle/ops"
)

// buildWatch reads the progress records of `docker buildx build
// --progress=rawjson` (BuildKit's SolveStatus, a JSON object per line) and turns
// them into steps done of steps known, and readable output.
type buildWatch struct {
	run      *ops.Run
	vertices map[string]*vertex
	failed   string // the message of the vertex that failed
	logs     []string
}

type vertex struct {
	name      string
	announced bool
	done      bool
}

type solveStatus struct {
	Vertexes []struct {
		Digest    string     `json:"digest"`
		Name      string     `json:"name"`
		Started   *time.Time `json:"started"`
		Completed *time.Time `json:"completed"`
		Cached    bool       `json:"cached"`
		Error     string     `json:"error"`
	} `json:"vertexes"`
	Logs []struct {
		Vertex string `json:"vertex"`
		Data   string `json:"data"` // base64
	} `json:"logs"`
}

// line takes one line of output; what is no progress record is shown as it is.
func (w *buildWatch) line(stream ops.Stream, text string) {
	var status solveStatus
	if !strings.HasPrefix(text, "{") || json.Unmarshal([]byte(text), &status) != nil {
		w.keep(text)
		w.run.Line(stream, text)
		return
	}
	current := ""
	for _, v := range status.Vertexes {
		seen := w.vertices[v.Digest]
		if seen == nil {
			seen = &vertex{name: v.Name}
			w.vertices[v.Digest] = seen
		}
		if v.Started != nil && !seen.announced {
			seen.announced, current = true, v.Name
			w.run.Line(ops.Stdout, v.Name)
		}
		seen.done = seen.done || v.Completed != nil
		if v.Error != "" && !strings.Contains(v.Error, "context canceled") {
			w.failed = v.Error
		}
	}
	for _, l := range status.Logs {
		w.log(l.Data)
	}
	w.progress(current)
}

// explain adds to a failed build what failed and what it printed last.
func (w *buildWatch) explain(err error) error {
	var known *ops.Error
	if !errors.As(err, &known) {
		return err
	}
	told := *known
	told.Cause = w.plain(known.Cause)
	if w.failed != "" {
		told.Summary = "build: " + w.failed
	}
	if len(w.logs) > 0 {
		told.Evidence = append(told.Evidence, ops.Evidence{Title: "last build output", Lines: w.logs})
	}
	return &told
}

// Private

// plain takes the progress records out of a failure. In their base64 a secret
// that the build printed would not be recognised.
func (w *buildWatch) plain(cause error) error {
	var exit *ops.ExitError
	if !errors.As(cause, &exit) {
		return cause
	}
	readable := *exit
	readable.Output = ""
	if w.failed == "" {
		readable.Output = strings.Join(w.logs[max(0, len(w.logs)-3):], "\n")
	}
	return &readable
}

func (w *buildWatch) log(data string) {
	text, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return
	}
	for l := range strings.Lines(string(text)) {
		l = strings.TrimRight(l, "\r\n")
		w.keep(l)
		w.run.Line(ops.Stdout, l)
	}
}

func (w *buildWatch) keep(line string) {
	w.logs = append(w.logs, line)
	if len(w.logs) > evidenceLines {
		w.logs = w.logs[1:]
	}
}

func (w *buildWatch) progress(current string) {
	done := 0
	for _, v := range w.vertices {
		if v.done {
			done++
		}
	}
	w.run.Progress(ops.Progress{Done: int64(done), Total: int64(len(w.vertices)), Unit: "steps", Text: current})
}

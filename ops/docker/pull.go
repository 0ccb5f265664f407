package docker

import (
	"fmt"
	"strings"

	"github.com/moby/moby/api/types/jsonstream"

	"binnacle/ops"
)

// pullFold turns the messages of a pull into one figure. A total is told only
// once the size of every layer announced so far is known; what is done never
// goes back, although a layer that is tried again starts over.
type pullFold struct {
	layers map[string]*layer
	done   int64
}

type layer struct {
	total      int64
	current    int64
	sized      bool // total is known, or the layer needs no bytes
	extracting bool
	complete   bool
}

func newPullFold() *pullFold { return &pullFold{layers: map[string]*layer{}} }

func (f *pullFold) add(m jsonstream.Message) ops.Progress {
	if m.ID != "" {
		f.layer(m)
	}
	return f.progress(m)
}

// Private

func (f *pullFold) layer(m jsonstream.Message) {
	l := f.layers[m.ID]
	if l == nil {
		if !aboutLayer(m.Status) {
			return
		}
		l = &layer{}
		f.layers[m.ID] = l
	}
	switch m.Status {
	case "Already exists":
		l.sized, l.complete = true, true
	case "Downloading":
		l.download(m.Progress)
	case "Verifying Checksum", "Download complete":
		l.current, l.sized = max(l.current, l.total), true
	case "Extracting": // counts the same bytes once more
		l.download(m.Progress)
		l.current, l.sized, l.extracting = max(l.current, l.total), true, true
	case "Pull complete":
		l.current, l.sized, l.complete, l.extracting = max(l.current, l.total), true, true, false
	}
}

func (l *layer) download(p *jsonstream.Progress) {
	if p == nil {
		return
	}
	l.current = max(l.current, p.Current)
	if p.Total > 0 {
		l.total, l.sized = max(l.total, p.Total), true
	}
}

func (f *pullFold) progress(m jsonstream.Message) ops.Progress {
	var done, total int64
	sized, complete, extracting := true, 0, false
	for _, l := range f.layers {
		done += l.current
		total += max(l.total, l.current)
		sized = sized && l.sized
		extracting = extracting || l.extracting
		if l.complete {
			complete++
		}
	}
	f.done = max(f.done, done)
	p := ops.Progress{Done: f.done, Unit: "bytes", Text: m.Status}
	if len(f.layers) == 0 {
		return p
	}
	if sized {
		p.Total = max(total, f.done)
	}
	verb := "downloading"
	switch {
	case complete == len(f.layers):
		verb = "pulled"
	case extracting && sized && done == total:
		verb = "extracting"
	}
	p.Text = fmt.Sprintf("%s, %d of %d layers", verb, complete, len(f.layers))
	return p
}

// Helpers

// aboutLayer tells a layer's first message from remarks that use the id field
// for a tag, such as "Pulling from library/app".
func aboutLayer(status string) bool {
	switch status {
	case "Already exists", "Pulling fs layer", "Waiting", "Downloading", "Extracting",
		"Verifying Checksum", "Download complete", "Pull complete":
		return true
	}
	return strings.HasPrefix(status, "Retrying")
}

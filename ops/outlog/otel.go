package outlog

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"binnacle/config"
	"binnacle/ops"
)

// shipper sends one task's log records to an OTLP receiver, in batches beside
// the task: a slow receiver slows nothing.
type shipper struct {
	options  Options
	endpoint string // with /v1/logs
	shown    string // as it may be shown
	runID    string
	resource []attribute
	began    time.Time
	command  string
	deploy   bool

	records chan logRecord
	report  chan []Report
	stop    context.CancelFunc
}

var _ sink = (*shipper)(nil)

// How records are batched and how long a receiver may take: as Kamal has it.
const (
	batchSize   = 100
	batchEvery  = 5 * time.Second
	shipTimeout = 7 * time.Second
	queued      = 10_000
)

func newShipper(ctx context.Context, o Options, e ops.TaskStarted) *shipper {
	endpoint := strings.TrimSuffix(o.Config.Output().OTelEndpoint, "/")
	s := &shipper{
		options: o, endpoint: endpoint + "/v1/logs", shown: shown(endpoint), runID: newRunID(), began: e.At,
		command: e.Operation, deploy: slices.Contains([]string{"deploy", "redeploy", "rollback", "setup"}, e.Operation),
		records: make(chan logRecord, queued), report: make(chan []Report, 1),
	}
	s.resource = s.origin(e)
	ctx, s.stop = context.WithCancel(ctx)
	go s.ship(ctx)
	return s
}

func (s *shipper) write(e ops.Event) {
	switch e := e.(type) {
	case ops.TaskStarted:
		s.add(s.event(e.At, "kamal.start", severityInfo, s.deployment("")))
	case ops.TaskFinished:
		runtime := attribute{"kamal.runtime", doubleValue(seconds(e.At.Sub(s.began)))}
		if e.Status == ops.Done {
			s.add(s.event(e.At, "kamal.complete", severityInfo, append([]attribute{runtime}, s.deployment("succeeded")...)))
			return
		}
		kind, text := failure(e)
		s.add(s.event(e.At, "kamal.failed", severityError, append([]attribute{
			runtime, {"exception.type", stringValue(kind)}, {"exception.message", stringValue(text)},
		}, s.deployment("failed")...)))
	default:
		for _, entry := range entries(e) {
			s.add(recordOf(entry))
		}
	}
}

func (s *shipper) close() []Report {
	close(s.records)
	late := time.AfterFunc(shipTimeout, s.stop)
	defer late.Stop()
	defer s.stop()
	return <-s.report
}

// Private

// add queues a record. Of a receiver that hangs, what comes after many thousand
// records is dropped.
func (s *shipper) add(r logRecord) {
	select {
	case s.records <- r:
	default:
	}
}

func (s *shipper) ship(ctx context.Context) {
	var failed error
	var batch []logRecord
	flush := func() {
		if len(batch) > 0 {
			if err := s.post(ctx, batch); err != nil && failed == nil {
				failed = err
			}
			batch = nil
		}
	}
	ticker := time.NewTicker(batchEvery)
	defer ticker.Stop()
	for {
		select {
		case r, open := <-s.records:
			if !open {
				flush()
				s.report <- s.told(failed)
				return
			}
			if batch = append(batch, r); len(batch) >= batchSize {
				flush()
			}
		case <-ticker.C:
			flush()
		}
	}
}

func (s *shipper) told(failed error) []Report {
	if failed != nil {
		return []Report{{Text: fmt.Sprintf("sending logs to %s failed: %v", s.shown, failed), Failed: true}}
	}
	return []Report{{Text: "Logs sent to " + s.shown}}
}

func (s *shipper) post(ctx context.Context, batch []logRecord) error {
	body, err := json.Marshal(payload{ResourceLogs: []resourceLogs{{
		Resource: resource{Attributes: s.resource},
		ScopeLogs: []scopeLogs{{
			Scope: scope{Name: "kamal", Version: config.KamalVersion}, LogRecords: batch,
		}},
	}}})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, shipTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.endpoint, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%s is no address", s.shown)
	}
	req.Header.Set("Content-Type", "application/json")
	client := s.options.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return unwrapURL(err)
	}
	defer func() { _ = resp.Body.Close() }() // read to its end already
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16))
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("HTTP %s", resp.Status)
	}
	return nil
}

// origin are the attributes of all of a task's records.
func (s *shipper) origin(e ops.TaskStarted) []attribute {
	cfg := s.options.Config
	version := e.Version
	if version == "" {
		version, _ = cfg.Version() // a task that is about no version tells the configuration's, if any
	}
	out := []attribute{
		{"service.name", stringValue("kamal")},
		{"service.version", stringValue(config.KamalVersion)},
		{"kamal.run_id", stringValue(s.runID)},
		{"kamal.performer", stringValue(s.options.Performer())},
	}
	if cfg.Destination() != "" {
		out = append(out, attribute{"deployment.environment.name", stringValue(cfg.Destination())})
	}
	return append(out, attribute{"kamal.deploy_version", stringValue(version)}, attribute{"service.namespace", stringValue(cfg.Service())})
}

// deployment are the attributes of deploys and the like.
func (s *shipper) deployment(status string) []attribute {
	if !s.deploy {
		return nil
	}
	out := []attribute{
		{"deployment.id", stringValue(s.runID)},
		{"deployment.name", stringValue(s.command + " " + s.options.Config.Service())},
	}
	if status != "" {
		out = append(out, attribute{"deployment.status", stringValue(status)})
	}
	return out
}

func (s *shipper) event(at time.Time, name string, sev severity, attributes []attribute) logRecord {
	r := newRecord(at, name, sev)
	r.EventName = name
	r.Attributes = append([]attribute{{"kamal.command", stringValue(s.command)}}, attributes...)
	return r
}

// Helpers

func recordOf(e entry) logRecord {
	sev := severityInfo
	switch {
	case e.failed:
		sev = severityError
	case e.detail:
		sev = severityDebug
	}
	r := newRecord(e.at, e.text, sev)
	if e.host != "" {
		r.Attributes = append(r.Attributes, attribute{"server.address", stringValue(e.host)})
	}
	if e.detail {
		r.Attributes = append(r.Attributes, attribute{"log.iostream", stringValue("std" + string(e.stream))})
	}
	return r
}

func newRecord(at time.Time, text string, sev severity) logRecord {
	nano := strconv.FormatInt(at.UnixNano(), 10)
	return logRecord{
		TimeUnixNano: nano, ObservedTimeUnixNano: nano, SeverityNumber: sev, SeverityText: sev.String(), Body: stringValue(text),
	}
}

// newRunID is a random UUID.
func newRunID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// shown is an address without the password that it may hold.
func shown(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "the OTLP receiver"
	}
	return u.Redacted()
}

// unwrapURL drops the address from an error: it is told already, without its
// password.
func unwrapURL(err error) error {
	if u, ok := err.(*url.Error); ok { //nolint:errorlint // the client returns it as it is
		return u.Err
	}
	return err
}

package outlog

// The shapes of OTLP's JSON, as far as logs need them.

type payload struct {
	ResourceLogs []resourceLogs `json:"resourceLogs"`
}

type resourceLogs struct {
	Resource  resource    `json:"resource"`
	ScopeLogs []scopeLogs `json:"scopeLogs"`
}

type resource struct {
	Attributes []attribute `json:"attributes"`
}

type scopeLogs struct {
	Scope      scope       `json:"scope"`
	LogRecords []logRecord `json:"logRecords"`
}

type scope struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

type logRecord struct {
	TimeUnixNano         string      `json:"timeUnixNano"`
	ObservedTimeUnixNano string      `json:"observedTimeUnixNano"`
	SeverityNumber       severity    `json:"severityNumber"`
	SeverityText         string      `json:"severityText"`
	Body                 value       `json:"body"`
	EventName            string      `json:"eventName,omitempty"`
	Attributes           []attribute `json:"attributes,omitempty"`
}

type attribute struct {
	Key   string `json:"key"`
	Value value  `json:"value"`
}

type value struct {
	String *string  `json:"stringValue,omitempty"`
	Double *float64 `json:"doubleValue,omitempty"`
}

func stringValue(s string) value { return value{String: &s} }

func doubleValue(f float64) value { return value{Double: &f} }

type severity int

// The severities in use.
const (
	severityDebug severity = 5
	severityInfo  severity = 9
	severityError severity = 17
)

func (s severity) String() string {
	switch s {
	case severityDebug:
		return "DEBUG"
	case severityError:
		return "ERROR"
	}
	return "INFO"
}

// Package secret holds values that must never be shown: a Value that prints
// itself as [REDACTED], a Redactor that removes such values from other text,
// and the reader of .kamal/secrets files.
//
// It may import the standard library only.
package secret

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

// Redacted is what stands wherever a secret would have been shown.
const Redacted = "[REDACTED]"

// Value is a secret string. Printing, formatting, logging and encoding it all
// give [REDACTED]; Reveal is the only way to the text. The zero Value is empty.
type Value struct{ text *string }

// New wraps text so that it cannot be printed by accident.
func New(text string) Value { return Value{text: &text} }

// Reveal returns the secret itself. Call it only where the value leaves for its
// destination: standard input of a command, or a file of mode 0600.
func (v Value) Reveal() string {
	if v.text == nil {
		return ""
	}
	return *v.text
}

// Empty tells whether there is nothing in the value.
func (v Value) Empty() bool { return v.Reveal() == "" }

// String implements fmt.Stringer with [REDACTED].
func (v Value) String() string { return Redacted }

// GoString implements fmt.GoStringer with [REDACTED].
func (v Value) GoString() string { return Redacted }

// Format implements fmt.Formatter with [REDACTED] for every verb and flag.
func (v Value) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(Redacted)) }

// MarshalJSON implements json.Marshaler with "[REDACTED]".
func (v Value) MarshalJSON() ([]byte, error) { return json.Marshal(Redacted) }

// MarshalText implements encoding.TextMarshaler with [REDACTED].
func (v Value) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// MarshalYAML implements the yaml.Marshaler of go.yaml.in/yaml with [REDACTED].
func (v Value) MarshalYAML() (any, error) { return Redacted, nil }

// LogValue implements slog.LogValuer with [REDACTED].
func (v Value) LogValue() slog.Value { return slog.StringValue(Redacted) }

package cli

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"binnacle/ops"
)

func TestWhatLosesDataIsConfirmedByItsName(t *testing.T) {
	tests := []struct {
		word     string // what the plan wants typed
		terminal bool
		typed    string
		goes     bool
		err      error
	}{
		{"shop", true, "shop\n", true, nil},
		{"shop", true, " shop \n", true, nil},
		{"shop", true, "y\n", false, nil},
		{"shop", true, "yes\n", false, nil},
		{"shop", true, "\n", false, nil},
		{"shop", true, "", false, io.EOF},
		{"shop", false, "y\n", true, nil}, // a pipe answers as it does for Kamal
		{"shop", false, "shop\n", false, nil},
		{"", true, "y\n", true, nil},
		{"", true, "n\n", false, nil},
	}
	for _, tt := range tests {
		var said bytes.Buffer
		p := Program{Stdin: strings.NewReader(tt.typed), Stderr: &said, Terminal: tt.terminal}
		goes, err := p.agree(t.Context(), "Are you sure?", ops.Plan{Confirm: tt.word})
		if goes != tt.goes || !errors.Is(err, tt.err) {
			t.Errorf("%+v: goes %v, %v", tt, goes, err)
		}
		if asks := strings.Contains(said.String(), "Type shop"); asks != (tt.terminal && tt.word != "") || !strings.HasPrefix(said.String(), "Are you sure?") {
			t.Errorf("%+v: it asks %q", tt, said.String())
		}
	}
}

// What only looks, such as the plan of what would be dangerous, runs unasked where
// nobody is there.
func TestWhatOnlyLooksIsNotAskedAbout(t *testing.T) {
	op := ops.Operation{Name: "migrate rollback", Question: "Are you sure?", Risk: ops.DataLoss}
	for risk, want := range map[ops.Risk]bool{ops.Read: true, ops.Change: false, ops.DataLoss: false} {
		p := Program{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard}
		ok, err := p.agreed(t.Context(), &flags{}, op, nil, ops.Plan{Risk: risk, Confirm: "shop"})
		if ok != want || (err == nil) != want {
			t.Errorf("%s: %v, %v", risk, ok, err)
		}
	}
}

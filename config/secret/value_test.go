package secret

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestValueNeverPrintsItself(t *testing.T) {
	const text = "hunter2-correct-horse"
	v := New(text)
	var logged strings.Builder
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "v", v, "p", &v, "in", struct{ V Value }{v})
	asJSON, err := json.Marshal(map[string]any{"v": v, "p": &v, "l": []Value{v}})
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(map[string]any{"v": v})
	if err != nil {
		t.Fatal(err)
	}
	shown := []string{
		v.String(), v.GoString(), logged.String(), string(asJSON), string(asYAML),
		fmt.Sprint(v, &v, []Value{v}, struct{ V Value }{v}), fmt.Sprintf("%s %v %+v %#v %q %x %d %10s", v, v, v, v, v, v, v, v),
		fmt.Sprintf("%#v %+v", struct{ v Value }{v}, &struct{ V *Value }{&v}), fmt.Errorf("x: %v", v).Error(),
	}
	for _, s := range shown {
		if strings.Contains(s, text) || strings.Contains(s, fmt.Sprintf("%x", text)) {
			t.Errorf("shows the secret: %s", s)
		}
	}
	if v.Reveal() != text || v.Empty() || !(Value{}).Empty() || (Value{}).Reveal() != "" {
		t.Error("Reveal and Empty do not fit the value")
	}
}

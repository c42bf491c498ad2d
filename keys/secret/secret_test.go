package secret

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// TestNothingPrintsASecret: by no verb, encoder or log handler, also deep inside of other values.
func TestNothingPrintsASecret(t *testing.T) {
	const text = "hunter2hunter2"
	type credential struct {
		Hidden
		token string
	}
	type inner struct{ v Value[string] }
	v := Of(text)
	for name, value := range map[string]any{
		"Value": v, "*Value": &v, "[]Value": []Value[string]{v}, "unexported field": inner{v}, "Hidden": credential{token: text}, "*Hidden": &credential{token: text},
	} {
		var printed []string
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			printed = append(printed, fmt.Sprintf(verb, value))
		}
		data, err := json.Marshal(value)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", value)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", value)
		for _, s := range append(printed, string(data), log.String()) {
			if strings.Contains(s, text) || strings.Contains(s, fmt.Sprintf("%x", text)) {
				t.Errorf("%s: printed %s", name, s)
			}
		}
	}
	if v.Reveal() != text || v.IsZero() {
		t.Error("the secret is lost")
	}
	if zero := (Value[string]{}); !zero.IsZero() {
		t.Error("the zero Value holds something")
	}
}

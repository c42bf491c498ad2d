package https

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"signet/server/upstream"
)

// FuzzAnswer: no body but "no" is a refusal, and whatever is accepted reads as one object with the same members.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{`"no"`, `{"id":1}`, `{"id":"a","claims":{"b":[1,{"c":null}]},"disabled":true}`, `{"id":1,"id":2}`,
		`{}`, `null`, `{"id":{}}`, ` {"id":1} x`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parse(data)
		if err != nil {
			if !errors.Is(err, upstream.ErrAnswer) || got.Match {
				t.Fatalf("%q: %+v, %v", data, got, err)
			}
			return
		}
		if !got.Match {
			if string(bytes.TrimSpace(data)) != `"no"` {
				t.Fatalf("%q is a refusal", data)
			}
			return
		}
		var again struct {
			ID       json.RawMessage            `json:"id"`
			Claims   map[string]json.RawMessage `json:"claims"`
			Disabled bool                       `json:"disabled"`
		}
		if err := json.Unmarshal(data, &again); err != nil ||
			again.Disabled != got.Disabled || len(again.Claims) != len(got.Claims) || !bytes.Equal(again.ID, got.ID) {
			t.Fatalf("%q: got %+v; encoding/json reads %+v, %v", data, got, again, err)
		}
	})
}

package main

import (
	"testing"
	"time"

	"signet/store"
	"signet/store/recovery"
)

var backupDay = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// FuzzLogLine: no line makes reading a log fail, and an event has a type and a time.
func FuzzLogLine(f *testing.F) {
	f.Add([]byte(`{"msg":"audit","type":"revoke","at":"2026-03-04T12:02:00Z","sid":"AAAA","jti":"x","nested":{"a":1}}`))
	f.Add([]byte(`{"seq":1,"at":"2026-03-04T12:02:00Z","type":"login"}`))
	f.Add([]byte(`{"msg":"audit","type":7,"at":[]}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		e, ok := parseLogLine(line)
		if !ok {
			return
		}
		if e.Type == "" || e.At.IsZero() && e.At.Year() != 1 {
			t.Errorf("got %+v", e)
		}
		h := recovery.NewHistory(recovery.Backup{AsOf: backupDay, Last: backupDay}, backupDay)
		h.Note(e, recovery.Unsigned)
		for _, err := range recovery.NewOverlay(t.Context(), h, nil, time.Hour).Records(func(func(store.Record, error) bool) {}) {
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

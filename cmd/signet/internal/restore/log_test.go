package restore

import (
	"testing"
	"time"

	"signet/server/audit"
)

// TestLogWithByteOrderMark reads a log that an editor has saved.
func TestLogWithByteOrderMark(t *testing.T) {
	line := "\xef\xbb\xbf" + `{"seq":1,"at":"2026-11-28T10:00:00Z","type":"login","outcome":"ok"}` + "\r\n"
	if e, ok := audit.NewLogReader(nil, "install", time.Now()).Parse([]byte(line)); !ok || e.Type != "login" {
		t.Errorf("got %+v, %v", e, ok)
	}
}

// FuzzLogLine: whatever a line of the log is, a refresh in it has a session.
func FuzzLogLine(f *testing.F) {
	f.Add([]byte(`{"msg":"token","status":200,"grant_type":"refresh_token","sid":"AQAAAAAAAAAAAAAAAAAAAA","generation":7}`))
	f.Add([]byte(`{"msg":"token","status":"200","generation":-1}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if id, _, ok := parseRefresh(line); ok && id.IsZero() {
			t.Error("a refresh of no session")
		}
	})
}

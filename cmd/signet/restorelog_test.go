package main

import "testing"

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

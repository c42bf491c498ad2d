package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
)

// TestEventsSurviveAKill kills the server right after the answers to some changes. Their events would be written a moment
// later. The next process has each of them once, and so has the one after it.
func TestEventsSurviveAKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := &ledger{t: t}
	p := startDev(t, dir)
	load := l.begin(p)
	for _, c := range []struct {
		path string
		body map[string]any
	}{
		{"/v1/users", map[string]any{"username": "crashed"}},
		{"/v1/clients", map[string]any{"client_id": "crashed", "grants": []string{"client_credentials"}}},
		{"/v1/users/crashed/disable", map[string]any{}},
	} {
		if status, body, err := load.call(http.MethodPost, c.path, c.body); err != nil || status/100 != 2 {
			t.Fatalf("POST %s: got %d %s %v", c.path, status, body, err)
		}
	}
	load.login()
	revoked := load.login()
	if status, body, err := load.form("/revoke", url.Values{"client_id": {p.demo.ClientID}, "client_secret": {p.demo.ClientSecret}, "token": {revoked}}); err != nil || status != http.StatusOK {
		t.Fatalf("revoke: got %d %v %v", status, body, err)
	}
	p.kill()

	for range 2 {
		p = startDev(t, dir)
		load = l.begin(p)
		for query, want := range map[string]int{
			"type=user.create&user=crashed": 1, "type=user.disable&user=crashed": 1, "type=client.create&client_id=crashed": 1,
			"type=login": 2, "type=revoke": 1,
		} {
			status, body, err := load.call(http.MethodGet, "/v1/audit?"+query, nil)
			var list struct{ Events []json.RawMessage }
			if err != nil || status != http.StatusOK || json.Unmarshal([]byte(body), &list) != nil || len(list.Events) != want {
				t.Errorf("%s: got %d %s %v, want %d events", query, status, body, err, want)
			}
		}
		p.kill()
	}
}

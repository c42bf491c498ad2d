package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/store/redis/redistest"
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

// TestEventsInRedisSurviveAKill kills a server amid changes. An export has the event of each change that was acknowledged:
// from the trail, or from where the change has left it.
func TestEventsInRedisSurviveAKill(t *testing.T) {
	t.Parallel()
	f := startFleet(t, 1, "redis://"+redistest.Start(t, redistest.Config{}).Addr())
	one := f.replicas[0]
	l := &ledger{t: t}
	load := l.begin(one.process)
	var writers sync.WaitGroup
	for range 8 {
		writers.Go(func() {
			for load.create("/v1/users", "username", "u", &l.users) == nil {
			}
		})
	}
	time.Sleep(300 * time.Millisecond) // some moment amid the changes
	one.kill()
	writers.Wait()

	archive := filepath.Join(t.TempDir(), "signet.ndjson")
	signet(t, "", "export", "--config", filepath.Join(filepath.Dir(one.demo.AdminSocket), "signet.yaml"), archive)
	events := map[string]int{}
	for line := range strings.Lines(readFile(t, archive)) {
		var record struct {
			Event struct {
				Type   string
				Detail map[string]string
			}
		}
		if json.Unmarshal([]byte(line), &record) == nil && record.Event.Type == "user.create" {
			events[record.Event.Detail["username"]]++
		}
	}
	for _, name := range l.users {
		if events[name] != 1 {
			t.Errorf("user %s was acknowledged and has %d events", name, events[name])
		}
	}
	if len(l.users) < 10 {
		t.Errorf("only %d changes were acknowledged", len(l.users))
	}
}

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// crashes is how often the server is killed.
const crashes = 60

// TestNothingAcknowledgedIsLost kills the server with SIGKILL at a random moment under load, again
// and again, and after each restart asks for everything it had ever acknowledged: refreshes,
// revocations, clients and users.
func TestNothingAcknowledgedIsLost(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := &ledger{t: t}
	for round := range crashes {
		p := startDev(t, dir)
		load := l.begin(p)
		if round > 0 {
			load.check()
		}
		load.prepare()
		stop := load.run()
		time.Sleep(time.Duration(20+rand.IntN(100)) * time.Millisecond) // the random moment, not a wait for something
		p.kill()
		stop()
		if t.Failed() {
			t.Fatalf("after %d crashes; the server said:\n%s", round+1, p.stderr)
		}
	}
	p := startDev(t, dir)
	l.begin(p).check()
	t.Logf("%d crashes, %d requests cut off; acknowledged: %d refreshes, %d revocations, %d clients, %d users",
		crashes, l.cut.Load(), l.refreshed.Load(), len(l.revoked), len(l.clients), len(l.users))
	if l.cut.Load() < crashes/2 {
		t.Errorf("only %d requests were under way when the server was killed %d times: the test proves nothing", l.cut.Load(), crashes)
	}
	if l.refreshed.Load() < crashes || len(l.revoked) < crashes/4 || len(l.clients) < crashes/4 || len(l.users) < crashes/4 {
		t.Error("too little was acknowledged for the test to prove anything")
	}
}

// ledger is what the server has acknowledged over all its lives.
type ledger struct {
	t         *testing.T
	cut       atomic.Int64 // requests without an answer
	refreshed atomic.Int64

	mu       sync.Mutex
	sessions []string // the newest acknowledged refresh token of each long-lived session
	spare    []string // sessions that wait to be revoked
	revoked  []string // refresh tokens of sessions whose revocation was acknowledged
	clients  []string
	users    []string
}

// load is the ledger's work with one life of the server.
type load struct {
	*ledger
	p      *process
	public *http.Client
	admin  *http.Client
}

func (l *ledger) begin(p *process) *load {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", p.demo.AdminSocket)
	}
	ld := &load{ledger: l, p: p, public: &http.Client{Transport: &http.Transport{}}, admin: &http.Client{Transport: &http.Transport{DialContext: dial}}}
	l.t.Cleanup(func() { ld.public.CloseIdleConnections(); ld.admin.CloseIdleConnections() })
	return ld
}

const longLived = 4

// prepare logs in until there are sessions to refresh and to revoke.
func (l *load) prepare() {
	for len(l.sessions) < longLived {
		l.sessions = append(l.sessions, l.login())
	}
	for len(l.spare) < 2 {
		l.spare = append(l.spare, l.login())
	}
}

func (l *load) login() string {
	var body map[string]any
	defer func() {
		if body["refresh_token"] == nil {
			l.t.Logf("the last answer: %v\n%s", body, l.p.stderr)
		}
	}()
	waitFor(l.t, "a login", func() bool {
		status, answer, err := l.form("/token", l.p.demo.login())
		if err != nil || status != http.StatusOK && status != http.StatusServiceUnavailable { // 503: on a busy machine a hash takes long
			l.t.Fatalf("login: got %d %v %v\n%s", status, answer, err, l.p.stderr)
		}
		body = answer
		return status == http.StatusOK
	})
	return body["refresh_token"].(string)
}

func (l *load) form(path string, params url.Values) (int, map[string]any, error) {
	res, err := l.public.PostForm(l.p.demo.Issuer+path, params)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	var body map[string]any
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, nil, err
	}
	_ = json.Unmarshal(raw, &body)
	return res.StatusCode, body, nil
}

// call uses the admin API.
func (l *load) call(method, path string, body any) (int, string, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return 0, "", err
	}
	req, err := http.NewRequest(method, "http://signet"+path, bytes.NewReader(data))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := l.admin.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	return res.StatusCode, string(raw), err
}

// run loads the server until it dies. The returned function waits for the last of it.
func (l *load) run() (wait func()) {
	var all sync.WaitGroup
	until := func(work func() error) {
		all.Go(func() {
			for {
				if err := work(); err != nil {
					l.cut.Add(1)
					return
				}
			}
		})
	}
	for i := range l.sessions {
		until(func() error { return l.refreshOne(i) })
	}
	until(func() error { return l.create("/v1/clients", "client_id", "c", &l.clients) })
	until(func() error { return l.create("/v1/users", "username", "u", &l.users) })
	all.Go(l.revokeSpare)
	return all.Wait
}

func (l *load) refreshOne(i int) error {
	status, body, err := l.form("/token", l.p.demo.refresh(l.sessions[i]))
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		l.t.Errorf("refresh under load: got %d %v", status, body)
		return fmt.Errorf("status %d", status)
	}
	l.sessions[i] = body["refresh_token"].(string) // only this worker touches it
	l.refreshed.Add(1)
	return nil
}

func (l *load) create(path, field, prefix string, list *[]string) error {
	name := fmt.Sprintf("%s%016x", prefix, rand.Uint64())
	spec := map[string]any{field: name}
	if field == "client_id" {
		spec["grants"] = []string{"client_credentials"}
	}
	status, body, err := l.call(http.MethodPost, path, spec)
	if err != nil {
		return err
	}
	if status != http.StatusCreated {
		l.t.Errorf("POST %s: got %d %s", path, status, body)
		return fmt.Errorf("status %d", status)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	*list = append(*list, name)
	return nil
}

// revokeSpare ends the spare sessions at moments of their own. One whose answer was lost is in
// nobody's list: whether it was revoked is not known.
func (l *load) revokeSpare() {
	spare := l.spare
	l.spare = nil
	for _, token := range spare {
		time.Sleep(time.Duration(rand.IntN(40)) * time.Millisecond)
		status, _, err := l.form("/revoke", url.Values{"client_id": {l.p.demo.ClientID}, "client_secret": {l.p.demo.ClientSecret}, "token": {token}})
		if err != nil {
			l.cut.Add(1)
			return
		}
		if status == http.StatusOK {
			l.revoked = append(l.revoked, token)
		}
	}
}

// check asks the restarted server for everything.
func (l *load) check() {
	l.t.Helper()
	for i := range l.sessions {
		if err := l.refreshOne(i); err != nil {
			l.t.Fatalf("session %d was acknowledged and is lost: %v\n%s", i, err, l.p.stderr)
		}
	}
	for _, token := range l.revoked {
		status, body, err := l.form("/token", l.p.demo.refresh(token))
		if err != nil || status != http.StatusBadRequest || body["error"] != "invalid_grant" {
			l.t.Fatalf("an acknowledged revocation is lost: got %d %v %v", status, body, err)
		}
	}
	l.checkListed("/v1/clients/", l.clients)
	l.checkListed("/v1/users/", l.users)
	l.checkRecorded("type=client.create&client_id=", l.clients)
	l.checkRecorded("type=user.create&user=", l.users)
	// A lost rotation would be healed without anybody noticing; here it must not have happened.
	status, metrics, err := l.call(http.MethodGet, "/metrics", nil)
	if err != nil || status != http.StatusOK || !strings.Contains(metrics, `signet_refresh_outcomes_total{outcome="`) {
		l.t.Fatalf("metrics: got %d %v", status, err)
	}
	if strings.Contains(metrics, `signet_refresh_outcomes_total{outcome="healed"}`) {
		l.t.Fatal("an acknowledged rotation is lost: a session had to be healed")
	}
}

// checkRecorded looks for the events of the newest, which the crash could have taken.
func (l *load) checkRecorded(query string, names []string) {
	for _, name := range names[max(0, len(names)-20):] {
		if status, body, err := l.call(http.MethodGet, "/v1/audit?"+query+name, nil); err != nil || status != http.StatusOK || strings.Count(body, `"seq":`) != 1 {
			l.t.Fatalf("%s%s was acknowledged and does not have one event: %d %s %v", query, name, status, body, err)
		}
	}
}

// checkListed looks at the newest, which the crash could have taken, and at some of the others.
func (l *load) checkListed(path string, names []string) {
	for i, name := range names {
		if i < len(names)-100 && rand.IntN(20) > 0 {
			continue
		}
		if status, body, err := l.call(http.MethodGet, path+name, nil); err != nil || status != http.StatusOK {
			l.t.Fatalf("%s%s was acknowledged and is lost: %d %s %v", path, name, status, body, err)
		}
	}
}

package apply_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/manage/apply"
	"signet/server/servertest"
)

// caller runs the command against the admin API of a server, as the client ops with a token.
type caller struct {
	*servertest.Server
	t     *testing.T
	admin *servertest.Server
	token string
	proxy *httptest.Server

	mu sync.Mutex
	// before sees each request; true means that it has answered it itself. Guarded by mu, which is held while it runs.
	before func(w http.ResponseWriter, r *http.Request) bool
	calls  atomic.Int32 // that are no GET
}

func newCaller(t *testing.T) *caller {
	t.Helper()
	s, admin, secret := servertest.NewTokenAdmin(t, nil)
	c := &caller{Server: s, t: t, admin: admin, token: s.OpsToken(t, secret).Wants(200, "").Str("access_token")}
	target, err := url.Parse(admin.URL)
	if err != nil {
		t.Fatal(err)
	}
	forward := httputil.NewSingleHostReverseProxy(target)
	c.proxy = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			c.calls.Add(1)
		}
		if !c.answered(w, r) {
			forward.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(c.proxy.Close)
	return c
}

func (c *caller) answered(w http.ResponseWriter, r *http.Request) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.before != nil && c.before(w, r)
}

// setBefore sets before. What an earlier one has written can be read afterwards.
func (c *caller) setBefore(before func(w http.ResponseWriter, r *http.Request) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.before = before
}

// run applies a file with the clients, and returns what the command writes.
func (c *caller) run(clients string, flags ...string) (out, errs string, err error) {
	c.t.Helper()
	file := filepath.Join(c.t.TempDir(), "clients.yaml")
	if err := os.WriteFile(file, []byte("clients: ["+clients+"]"), 0o600); err != nil {
		c.t.Fatal(err)
	}
	var stdout, stderr strings.Builder
	app := &cli.App{Out: &stdout, Err: &stderr, In: strings.NewReader(""), Format: cli.FormatTable, Environ: []string{"SIGNET_ADMIN_TOKEN=" + c.token}}
	cmd := apply.New(app)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(append([]string{"--admin", c.proxy.URL, "-f", file}, flags...))
	err = cmd.ExecuteContext(c.t.Context())
	return stdout.String(), stderr.String(), err
}

const (
	a = "{id: a, public: true, grants: [password]}"
	b = "{id: b, public: true, grants: [password]}"
	d = "{id: d, public: true, grants: [password]}"
)

// TestPartialFailure: what was applied and what was not is shown, and to run it again does the rest and nothing twice.
func TestPartialFailure(t *testing.T) {
	for name, test := range map[string]struct {
		answer func(w http.ResponseWriter)
		result string
	}{
		"refused": {func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"error":"invalid","message":"grants must be others here","error_description":""}`))
		}, "failed"},
		"out of order": {func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(`{"error":"unavailable","message":"try again","error_description":""}`))
		}, "unknown"},
		"cut off": {func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCaller(t)
			c.setBefore(func(w http.ResponseWriter, r *http.Request) bool {
				fails := r.Method == http.MethodPost && c.calls.Load() == 2
				if fails {
					test.answer(w)
				}
				return fails
			})
			out, _, err := c.run(a + "," + b + "," + d)
			if err == nil || !strings.HasPrefix(err.Error(), `client "b": `) || !strings.HasSuffix(err.Error(), "; 1 of 3 changes were applied, and running this again plans the rest") ||
				strings.Contains(err.Error(), "--grant") {
				t.Errorf("got error %v", err)
			}
			if want := "applied: create a\n" + test.result + ": create b\nnot applied: create d\n"; !strings.HasSuffix(out, want) {
				t.Errorf("got\n%s, want it to end with\n%s", out, want)
			}
			c.setBefore(nil)
			if out, _, err := c.run(a + "," + b + "," + d); err != nil || !strings.HasSuffix(out, "applied: 2 created, 0 changed, 0 deleted\n") {
				t.Errorf("again: got %v and\n%s", err, out)
			}
			if out, _, err := c.run(a + "," + b + "," + d); err != nil || out != "no changes\n" {
				t.Errorf("at last: got %v and\n%s", err, out)
			}
		})
	}
}

// TestAnotherOperator: a change that somebody else makes between the plan and its change stays.
func TestAnotherOperator(t *testing.T) {
	for name, test := range map[string]struct{ method, path, body, files, want string }{
		"an update":            {"PATCH", "/v1/clients/a", `{"scopes":["theirs"]}`, "{id: a, public: true, grants: [password], scopes: [ours]}", "changed since"},
		"a deletion":           {"PATCH", "/v1/clients/a", `{"scopes":["theirs"]}`, "", "changed since"},
		"disabled":             {"POST", "/v1/clients/a/disable", "", "{id: a, public: true, grants: [password], scopes: [ours]}", "changed since"},
		"deleted by them":      {"DELETE", "/v1/clients/a", "", "{id: a, public: true, grants: [password], scopes: [ours]}", "there is no client"},
		"registered by them":   {"POST", "/v1/clients", `{"client_id":"b","public":true,"grants":["password"],"scopes":["theirs"]}`, a + "," + b, "exists already"},
		"enabled, not updated": {"POST", "/v1/clients/a/disable", "", "{id: a, public: true, grants: [password], scopes: [ours], disabled: true}", "changed since"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCaller(t)
			if _, _, err := c.run(a); err != nil {
				t.Fatal(err)
			}
			state := func() string {
				return c.admin.Call(t, "GET", "/v1/clients").Bearer(c.token).Wants(200, "").Raw
			}
			theirs, done := "", false
			c.setBefore(func(_ http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodGet && !done {
					done = true
					c.admin.CallJSON(t, test.method, test.path, test.body).Bearer(c.token).Do()
					theirs = state()
				}
				return false
			})
			files, flags := test.files, []string(nil)
			if files == "" {
				files, flags = "{id: ops, grants: [client_credentials], scopes: ['signet:admin', other]}", []string{"--prune", "--yes"}
			}
			_, _, err := c.run(files, flags...)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "; 0 of ") {
				t.Errorf("got error %v, want %q", err, test.want)
			}
			c.setBefore(nil)
			if now := state(); now != theirs || theirs == "" {
				t.Errorf("got\n%s, want what they have made\n%s", now, theirs)
			}
		})
	}
}

// TestCaller: the client whose token is used is not cut off by its own call, and nothing is changed.
func TestCaller(t *testing.T) {
	t.Parallel()
	c := newCaller(t)
	for _, files := range []string{a, "{id: ops, grants: [client_credentials], scopes: [other]}," + a} {
		_, _, err := c.run(files, "--prune", "--yes")
		if err == nil || !strings.Contains(err.Error(), `client "ops": this very call uses it`) || !strings.Contains(err.Error(), "it is the last client") {
			t.Errorf("got %v", err)
		}
	}
	if n := c.calls.Load(); n != 0 {
		t.Errorf("got %d changes", n)
	}
}

// TestSecrets: what is made for no file is written once and is nowhere else; a file that cannot be written stops the change
// before the server is called.
func TestSecrets(t *testing.T) {
	t.Parallel()
	c := newCaller(t)
	out, errs, err := c.run("{id: job, grants: [client_credentials], secret: generate}")
	_, secret, found := strings.Cut(out, "client_secret  ")
	secret = strings.TrimSpace(secret)
	if err != nil || !found || strings.Count(out, "signet_cs_") != 1 || errs != "" {
		t.Fatalf("got %v, %s and\n%s", err, errs, out)
	}
	c.ClientToken(t, "job", secret).Wants(200, "")
	if strings.Contains(c.Log.String(), secret) {
		t.Error("the log has the secret")
	}
	before := c.calls.Load()
	out, _, err = c.run(`{id: next, grants: [client_credentials], secret: {generate: none/next.secret}}`)
	if err == nil || !strings.Contains(err.Error(), `client "next": secret: making the file: there is no directory`) || !strings.Contains(out, "failed: create next") || c.calls.Load() != before {
		t.Errorf("got %v after %d changes and\n%s", err, c.calls.Load()-before, out)
	}
}

// TestLostAnswer: a secret of a file survives an answer that is lost. Running it again finds that the server has it.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	c := newCaller(t)
	keep := filepath.Join(t.TempDir(), "job.secret")
	file := fmt.Sprintf("{id: job, grants: [client_credentials], secret: {generate: %s}}", keep)
	c.setBefore(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost { // the server does it, and the answer is lost
			body := make([]byte, r.ContentLength)
			_, _ = r.Body.Read(body)
			c.admin.CallJSON(t, r.Method, r.URL.Path, string(body)).Bearer(c.token).Wants(201, "")
			panic(http.ErrAbortHandler)
		}
		return false
	})
	if out, _, err := c.run(file); err == nil || !strings.Contains(out, "unknown: create job") {
		t.Errorf("got %v and\n%s", err, out)
	}
	c.setBefore(nil)
	if out, _, err := c.run(file); err != nil || out != "no changes\n" {
		t.Errorf("again: got %v and\n%s", err, out)
	}
	secret, err := os.ReadFile(keep)
	if err != nil {
		t.Fatal(err)
	}
	c.ClientToken(t, "job", strings.TrimSpace(string(secret))).Wants(200, "")
}

// TestOneEventAChange: the audit trail has an event for each change, by the caller.
func TestOneEventAChange(t *testing.T) {
	t.Parallel()
	c := newCaller(t)
	const ops = "{id: ops, grants: [client_credentials], scopes: ['signet:admin', other]},"
	for _, files := range []string{ops + a + "," + b, ops + "{id: a, public: true, grants: [password], scopes: [x], claims: [roles]}," + b, ops + b} {
		for range 2 {
			if _, _, err := c.run(files, "--prune", "--yes"); err != nil {
				t.Fatal(err)
			}
		}
	}
	c.FlushAudit(t)
	var list struct {
		Events []struct {
			Type, Actor string
			ClientID    string `json:"client_id"`
		} `json:"events"`
	}
	raw := c.admin.Call(t, "GET", "/v1/audit?type=client&limit=100").Bearer(c.token).Wants(200, "").Raw
	if err := json.Unmarshal([]byte(raw), &list); err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, e := range list.Events {
		if e.Actor == "ops" && (e.ClientID == "a" || e.ClientID == "b") {
			types = append(types, e.Type)
		}
	}
	if got := strings.Join(types, " "); got != "client.create client.create client.update client.delete" {
		t.Errorf("got events %s", got)
	}
}

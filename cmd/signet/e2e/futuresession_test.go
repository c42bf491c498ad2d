package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"signet/store/redis/redistest"
)

// ending is one way in which an operator ends sessions.
type ending struct {
	name  string
	end   func(r *replica, app *demo) (ended int)
	ended int // what it answers, with two sessions of the user
	own   bool
}

const changedPassword = "five purple submarines"

// endings are all of them. Each takes a user and a client of its own; the last takes everybody.
var endings = []ending{
	{"password", func(r *replica, app *demo) int {
		r.admin(changedPassword, "user", "set-password", app.Username, "--password-stdin")
		app.Password = changedPassword
		return 0
	}, 0, false},
	{"signout", func(r *replica, app *demo) int {
		return r.count("revoked", "session", "revoke", "--user", app.Username, "--all")
	}, 2, false},
	{"userdisable", func(r *replica, app *demo) int {
		r.admin("", "user", "disable", app.Username)
		r.admin("", "user", "enable", app.Username)
		return 0
	}, 0, false},
	{"clientdisable", func(r *replica, app *demo) int {
		r.admin("", "client", "disable", app.ClientID)
		r.admin("", "client", "enable", app.ClientID)
		return 0
	}, 0, true},
	{"clientgrant", func(r *replica, app *demo) int {
		r.admin("", "client", "update", app.ClientID, "--grant", "client_credentials")
		r.admin("", "client", "update", app.ClientID, "--grant", "password,refresh_token,client_credentials")
		return 0
	}, 0, false},
	{"everybody", func(r *replica, app *demo) int {
		return r.count("clients", "session", "revoke", "--everybody")
	}, -1, true},
}

// count runs a command and returns one number of its answer.
func (r *replica) count(name string, args ...string) int {
	r.t.Helper()
	var answer map[string]int
	if err := json.Unmarshal([]byte(r.admin("", append(args, "-o", "json")...)), &answer); err != nil {
		r.t.Fatal(err)
	}
	n, ok := answer[name]
	if !ok {
		r.t.Fatalf("%v answered %v", args, answer)
	}
	return n
}

// held is what the app of one ending holds.
type held struct {
	ending
	app                  demo
	access, refresh, own []string
}

// holdSessions lets the user of each ending log in twice at a replica.
func (f *fleet) holdSessions(r *replica) (all []*held) {
	f.t.Helper()
	for _, e := range endings {
		h := &held{ending: e, app: f.app}
		h.app.Username, h.app.ClientID = e.name, "app-"+e.name
		r.admin(h.app.Password, "user", "create", "--username", h.app.Username, "--password-stdin")
		h.app.ClientSecret = r.createClient(h.app.ClientID, "--introspect")
		for range 2 {
			body := r.must("/token", h.app.login())
			h.access, h.refresh = append(h.access, body["access_token"].(string)), append(h.refresh, body["refresh_token"].(string))
		}
		if e.own {
			h.own = append(h.own, r.must("/token", credentials(h.app))["access_token"].(string))
		}
		all = append(all, h)
	}
	return all
}

func credentials(app demo) url.Values {
	return url.Values{"grant_type": {"client_credentials"}, "client_id": {app.ClientID}, "client_secret": {app.ClientSecret}}
}

func (h *held) token(t string) url.Values {
	return url.Values{"client_id": {h.app.ClientID}, "client_secret": {h.app.ClientSecret}, "token": {t}}
}

// endAndCheck ends the sessions at a replica and looks at them at each of the others.
func (f *fleet) endAndCheck(at *replica, all []*held) {
	t := f.t
	t.Helper()
	for _, h := range all {
		if n := h.end(at, &h.app); h.ended >= 0 && n != h.ended {
			t.Errorf("%s: it answers that %d sessions have ended, want %d", h.name, n, h.ended)
		} else if h.ended < 0 && n == 0 {
			t.Errorf("%s: it answers %d", h.name, n)
		}
	}
	for i, r := range f.replicas {
		for _, h := range all {
			dead := func() (alive string) {
				for _, token := range append(slices.Clip(h.access), h.own...) {
					if status, _, body, err := r.post("/introspect", h.token(token)); err != nil || status != http.StatusOK || body["active"] != false {
						alive = fmt.Sprintf("an access token: got %d %v %v, want it inactive", status, body, err)
					}
				}
				return alive
			}
			if r == at || h.own == nil {
				if alive := dead(); alive != "" {
					t.Errorf("replica %d, %s: %s", i, h.name, alive)
				}
			} else {
				waitFor(t, "a replica to have the client", func() bool { return dead() == "" })
			}
			for _, refresh := range h.refresh {
				if status, _, body, err := r.post("/token", h.app.refresh(refresh)); err != nil || status != http.StatusBadRequest || body["error"] != "invalid_grant" {
					t.Errorf("replica %d, %s: a refresh: got %d %v %v, want invalid_grant", i, h.name, status, body, err)
				}
			}
		}
	}
}

// wantFresh lets everybody log in again, at each replica, and uses the tokens at each.
func (f *fleet) wantFresh(all []*held) {
	t := f.t
	t.Helper()
	for i, at := range f.replicas {
		for _, h := range all {
			status, _, body, err := at.post("/token", h.app.login())
			if err != nil || status != http.StatusOK {
				t.Errorf("replica %d, %s: a login: got %d %v %v", i, h.name, status, body, err)
				continue
			}
			access := []string{body["access_token"].(string)}
			if h.own != nil {
				access = append(access, at.must("/token", credentials(h.app))["access_token"].(string))
			}
			for j, r := range f.replicas {
				for k, token := range access {
					if body := r.must("/introspect", h.token(token)); body["active"] != true {
						t.Errorf("%s: fresh token %d of replica %d at replica %d: got %v, want it active", h.name, k, i, j, body)
					}
				}
				status, _, next, err := r.post("/token", h.app.refresh(body["refresh_token"].(string)))
				if err != nil || status != http.StatusOK {
					t.Errorf("%s: fresh session of replica %d at replica %d: got %d %v %v", h.name, i, j, status, next, err)
					break
				}
				body = next
			}
		}
	}
}

// TestSessionsFromTheFuture: what an operator ends has ended, also sessions that began after the moment of that by
// the clock of the server that ends them; and who logs in afterwards is signed in, also before that moment by their
// server's clock. All differences are inside the skew that is allowed.
func TestSessionsFromTheFuture(t *testing.T) {
	t.Parallel()
	t.Run("bolt, the clock steps back before", func(t *testing.T) {
		clock := newSteppedClock(t)
		f := startFleet(t, 1, "bolt:signet.db", clock.variable())
		held := f.holdSessions(f.replicas[0])
		f.replicas[0].kill()
		clock.set(-50 * time.Second)
		f.replicas[0] = startReplica(t, f.replicas[0].dir(), f.replicas[0].cmd.Env)
		f.endAndCheck(f.replicas[0], held)
		f.wantFresh(held)
	})
	t.Run("bolt, the clock steps back afterwards", func(t *testing.T) {
		clock := newSteppedClock(t)
		f := startFleet(t, 1, "bolt:signet.db", clock.variable())
		clock.set(55 * time.Second)
		held := f.holdSessions(f.replicas[0])
		f.endAndCheck(f.replicas[0], held)
		clock.set(0)
		f.wantFresh(held)
	})
	t.Run("bolt, a clock far ahead is put right", func(t *testing.T) {
		clock := newSteppedClock(t)
		f := startFleet(t, 1, "bolt:signet.db", clock.variable())
		r := f.replicas[0]
		clock.set(50 * time.Minute)
		waitFor(t, "the server to go by it", func() bool { status, _, _, _ := r.post("/token", f.app.login()); return status == http.StatusOK })
		held := f.holdSessions(r)
		f.endAndCheck(r, held)
		clock.set(0)
		waitFor(t, "the server to notice", func() bool { _, body := r.ready(); return body["reason"] == "clock_behind" })
		if status, header, body, err := r.post("/token", f.app.login()); err != nil || status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" {
			t.Errorf("a login: got %d %v %v, want 503 with Retry-After", status, body, err)
		}
		r.admin("", "keys", "clock-reset")
		waitFor(t, "the server to be ready", func() bool { status, _ := r.ready(); return status == http.StatusOK })
		f.wantFresh(held)
	})
	for name, row := range map[string]struct{ login, end time.Duration }{
		"the logins 40 s ahead": {40 * time.Second, 0},
		"the end 40 s ahead":    {0, 40 * time.Second},
	} {
		t.Run("Redis, "+name, func(t *testing.T) {
			server := redistest.Start(t, redistest.Config{Persist: true})
			login, end := newSteppedClock(t), newSteppedClock(t)
			f := startFleet(t, 1, "redis://"+server.Addr(), login.variable())
			login.set(row.login)
			end.set(row.end)
			environ := f.replicas[0].cmd.Env
			f.replicas = append(f.replicas, startReplica(t, f.anotherDir(), append(slices.Clip(environ), end.variable())))
			held := f.holdSessions(f.replicas[0])
			f.endAndCheck(f.replicas[1], held)
			f.wantFresh(held)
		})
	}
}

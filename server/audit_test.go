package server_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"signet/server"
	"signet/server/servertest"
	"signet/server/throttle"
	"signet/store"
)

// allEvents returns the whole trail.
func allEvents(t testing.TB, s store.Audit) (list []store.Event) {
	t.Helper()
	for q := (store.EventQuery{Limit: 1000}); ; q.After = list[len(list)-1].Seq {
		page, err := s.Events(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, page...)
		if len(page) < q.Limit {
			return list
		}
	}
}

// TestGrowthOfTheTrail sends every refusal of every endpoint, and what a client can do to its own tokens, many
// times: what it can push out of the trail is bounded, and what was left out is counted.
func TestGrowthOfTheTrail(t *testing.T) {
	t.Parallel()
	times := 1000
	if testing.Short() {
		times = 100
	}
	s := servertest.New(t, func(cfg *server.Config) { cfg.Throttle = throttle.Config{} })
	dead := s.Form(t, "/token", "grant_type=password", "username="+servertest.User, "password="+servertest.Password, "client_id=spa").Wants(200, "").Str("refresh_token")
	s.Form(t, "/revoke", "client_id=spa", "token="+dead).Wants(200, "")
	foreign := s.Form(t, "/token", "grant_type=password", "username="+servertest.User, "password="+servertest.Password).Web().Wants(200, "").Str("access_token")

	outcomes := map[string]func(i int){
		"unknown client": func(i int) {
			s.Form(t, "/token", "grant_type=client_credentials").Basic(fmt.Sprint("nobody", i), "x").Do()
		},
		"wrong secret":             func(int) { s.Form(t, "/token", "grant_type=client_credentials").Basic(servertest.Web, "x").Do() },
		"no client":                func(int) { s.Form(t, "/token", "grant_type=client_credentials").Do() },
		"malformed":                func(int) { s.Form(t, "/token", "grant_typ=x").Do() },
		"malformed, authenticated": func(int) { s.Form(t, "/token", "grant_type=x").Web().Do() },
		"wrong scope": func(i int) {
			s.Form(t, "/token", "grant_type=client_credentials", fmt.Sprint("scope=s", i)).Web().Do()
		},
		"wrong target": func(int) {
			s.Form(t, "/token", "grant_type=client_credentials", "resource=https://x.example").Web().Do()
		},
		"no such user": func(i int) {
			s.Form(t, "/token", "grant_type=password", fmt.Sprint("username=u", i), "password=x", "client_id=spa").Do()
		},
		"wrong password": func(int) {
			s.Form(t, "/token", "grant_type=password", "username="+servertest.User, "password=x", "client_id=spa").Do()
		},
		"not a refresh token": func(int) { s.Form(t, "/token", "grant_type=refresh_token", "refresh_token=x", "client_id=spa").Do() },
		"a dead refresh token": func(int) {
			s.Form(t, "/token", "grant_type=refresh_token", "refresh_token="+dead, "client_id=spa").Do()
		},
		"revoke nothing":           func(int) { s.Form(t, "/revoke", "client_id=spa").Do() },
		"revoke a dead token":      func(int) { s.Form(t, "/revoke", "client_id=spa", "token="+dead).Do() },
		"revoke a foreign token":   func(int) { s.Form(t, "/revoke", "client_id=spa", "token="+foreign).Do() },
		"introspect without right": func(int) { s.Form(t, "/introspect", "token=x").Basic(servertest.Other, servertest.OtherSecret).Do() },
		"introspect, public":       func(int) { s.Form(t, "/introspect", "token=x", "client_id=spa").Do() },
		"introspect nothing":       func(int) { s.Form(t, "/introspect").Web().Do() },
		"introspect rubbish":       func(int) { s.Form(t, "/introspect", "token=x").Web().Do() },
		"userinfo":                 func(int) { s.Call(t, "GET", "/userinfo").Set("Authorization", "Bearer x").Do() },
	}
	before := len(allEvents(t, s.Store))
	for _, send := range outcomes {
		for i := range times {
			send(i)
		}
	}
	web := s.AdminWithToken()
	for range times {
		r, _ := http.NewRequest("GET", "/v1/clients", nil)
		r.RemoteAddr, r.RequestURI = "127.0.0.1:1", "/v1/clients"
		r.Header.Set("Authorization", "Bearer x")
		web.ServeHTTP(discardWriter{http.Header{}}, r)
	}
	for range times / 4 { // what a client does to its own
		token := s.Form(t, "/token", "grant_type=client_credentials").Basic(servertest.Service, servertest.ServiceSecret).Wants(200, "").Str("access_token")
		s.Form(t, "/revoke", "token="+token).Basic(servertest.Service, servertest.ServiceSecret).Wants(200, "")
	}
	s.Server.Close() // the counts of the open window, and what is queued
	events := allEvents(t, s.Store)
	counts, more := map[string]int{}, map[string]int{}
	for _, e := range events {
		counts[e.Type+" "+string(store.ClassOf(e))]++
		if e.Outcome == store.OutcomeMore {
			var n int
			fmt.Sscan(e.Detail[store.DetailMore], &n)
			more[e.Type] += n
		}
	}
	// Ten of each type and client, and one count of the rest.
	for what, most := range map[string]int{"client_auth refusals": 22, "token refusals": 22, "login refusals": 11, "refresh refusals": 11, "revoke refusals": 12,
		"introspect refusals": 33, "admin_auth refusals": 11, "userinfo refusals": 11, "revoke own": 61} {
		if counts[what] > most {
			t.Errorf("%s: %d events, want at most %d", what, counts[what], most)
		}
	}
	if grown := len(events) - before; grown > 200 {
		t.Errorf("the trail has grown by %d events: %v", grown, counts)
	}
	for typ, least := range map[string]int{"client_auth": 2*times - 20, "login": 2*times - 10, "refresh": 2*times - 10, "admin_auth": times - 10, "revoke": times - 10} {
		if more[typ] < least {
			t.Errorf("%s: %d counted as left out, want at least %d", typ, more[typ], least)
		}
	}
	if events[0].Type != "login" || events[0].Outcome != "ok" {
		t.Errorf("the first event is gone; now it is %+v", events[0])
	}
}

type discardWriter struct{ h http.Header }

func (d discardWriter) Header() http.Header         { return d.h }
func (d discardWriter) Write(b []byte) (int, error) { return len(b), nil }
func (d discardWriter) WriteHeader(int)             {}

// TestEventsOfAUser: by name, also of tries to log in under it that were throttled; a name that is nobody's is
// written down nowhere.
func TestEventsOfAUser(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, func(cfg *server.Config) { cfg.Throttle = throttle.Config{PerAccount: 2} })
	try := func(name, password string) {
		s.Form(t, "/token", "grant_type=password", "username="+name, "password="+password, "client_id=spa").Do()
	}
	try(servertest.User, servertest.Password)
	for i := range 5 {
		try(servertest.User, fmt.Sprint("wrong", i))
		try("hunter2-typed-as-name", fmt.Sprint("wrong", i))
	}
	s.Clock.Add(time.Hour)
	try(servertest.User, servertest.Password)
	ask := func(query string) []any {
		t.Helper()
		for range 2000 { // the trail is written behind
			events, _ := admin.CallJSON(t, "GET", "/v1/audit?limit=1000&"+query, "").Wants(200, "").JSON["events"].([]any)
			if len(events) > 0 && !strings.Contains(query, "none") {
				return events
			}
			time.Sleep(time.Millisecond)
		}
		return nil
	}
	s.AwaitEvent(t, "login")
	outcomes := map[string]int{}
	for _, e := range ask("user=ADA&type=login") {
		e := e.(map[string]any)
		outcomes[e["outcome"].(string)]++
		detail, _ := e["detail"].(map[string]any)
		if detail["username"] != "ada" && detail["name_hash"] == nil {
			t.Errorf("neither name nor hash: %v", e)
		}
	}
	if outcomes["ok"] == 0 || outcomes["refused"] < 2 || outcomes["throttled"] == 0 {
		t.Errorf("got %v, want logins, refused and throttled ones", outcomes)
	}
	if n := len(ask("user=hunter2-typed-as-name")); n < 3 {
		t.Errorf("got %d events of a name that is nobody's", n)
	}
	for _, e := range allEvents(t, s.Store) {
		if strings.Contains(fmt.Sprint(e), "hunter2") {
			t.Errorf("the name that may be a password is on the trail: %+v", e)
		}
	}
	if strings.Contains(s.Log.String(), "hunter2") {
		t.Error("the name that may be a password is in the log")
	}
	for _, c := range []struct {
		query  string
		status int
		text   string
	}{
		{"user=nobody", 404, "there is no user"},
		{"sub=ada", 404, "use user instead of sub"},
		{"sub=" + store.UserID{1}.String(), 404, "there is no user or client"},
		{"client_id=nobody", 404, "there is no client"},
		{"user=ada&sub=x", 400, "either"},
		{"type=logins", 400, "--types"},
		{"since=tomorrow", 400, "since must be"},
		{"since=-1h", 400, "since must be"},
		{"until=9999999999d", 400, "until must be"},
		{"since=1h&until=2h", 400, "before until"},
		{"address=here", 400, "address must be"},
		{"address=fe80::1%25eth0", 400, "address must be"},
		{"user=nobody&after=1", 200, ""},
		{"client_id=web&type=backup", 200, ""},
	} {
		a := admin.CallJSON(t, "GET", "/v1/audit?"+c.query, "").Do()
		if a.Status != c.status || !strings.Contains(a.Str("message"), c.text) {
			t.Errorf("%s: got %d %s, want %d %q", c.query, a.Status, a.Raw, c.status, c.text)
		}
	}
}

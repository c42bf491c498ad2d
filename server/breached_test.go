package server_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"signet/server"
	"signet/server/servertest"
	"signet/store"
)

// TestBreachedAtLogin: a user with a breached password logs in as always, and the app, the list of users and later tokens
// show it until another password is set. A list that cannot be read keeps nobody out.
func TestBreachedAtLogin(t *testing.T) {
	t.Parallel()
	var down error
	list := map[string]bool{}
	s, admin := servertest.NewAdmin(t, func(cfg *server.Config) {
		cfg.Breached = func(password string) (bool, error) { return list[password], down }
	})
	member := func(a servertest.Answer) bool { return strings.Contains(a.Raw, `"password_breached":true`) }
	weakUsers := func() string { return admin.CallJSON(t, "GET", "/v1/users?weak=true", "").Wants(200, "").Raw }

	marked := func() (values []string) {
		s.FlushAudit(t)
		events, err := s.Store.Events(t.Context(), store.EventQuery{Types: []string{store.EventUserBreached}, Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			values = append(values, e.Detail["breached"])
			if e.Subject == "" || e.SessionID == "" || e.ClientID == "" || e.Address == "" || e.RequestID == "" {
				t.Errorf("got %+v, want user, session, client, address and request", e)
			}
		}
		return values
	}

	if a := s.Login(t); member(a) {
		t.Errorf("not in the list: got %s", a.Raw)
	}
	list[servertest.Password] = true
	s.PasswordLogin(t, servertest.User, servertest.Password+"x").Wants(400, "invalid_grant")
	a := s.Login(t)
	if !member(a) {
		t.Errorf("in the list: got %s", a.Raw)
	}
	if again := s.Refresh(t, a.Str("refresh_token")).Wants(200, ""); !member(again) {
		t.Errorf("refreshed: got %s", again.Raw)
	}
	if got := weakUsers(); !strings.Contains(got, servertest.User) || !strings.Contains(got, `"password_breached":true`) {
		t.Errorf("weak users: got %s", got)
	}
	s.Login(t)
	if got := marked(); !slices.Equal(got, []string{"true"}) {
		t.Errorf("events: got %q, want one, of the first login that was found", got)
	}
	down = errors.New("disk is gone")
	if a := s.Login(t); !member(a) {
		t.Errorf("list cannot be read: got %s, want the mark as it was", a.Raw)
	}
	down = nil
	list[servertest.Password] = false
	if a := s.Login(t); member(a) {
		t.Errorf("no more in the list: got %s", a.Raw)
	}
	list[servertest.Password] = true
	s.Login(t)
	if got := marked(); !slices.Equal(got, []string{"true", "false", "true"}) {
		t.Errorf("events: got %q, want one each time that the mark changes", got)
	}
	admin.CallJSON(t, "PUT", "/v1/users/"+servertest.User+"/password", `{"password":"kettle umbrage violin sock"}`).Wants(204, "")
	if got := weakUsers(); strings.Contains(got, servertest.User) {
		t.Errorf("after another password: got %s", got)
	}
	if a := s.PasswordLogin(t, servertest.User, "kettle umbrage violin sock").Wants(200, ""); member(a) {
		t.Errorf("after another password: got %s", a.Raw)
	}
}

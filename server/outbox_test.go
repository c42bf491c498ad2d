package server_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/server"
	"signet/server/servertest"
	"signet/store"
	"signet/store/bolt"
)

// mute is a store whose audit trail gets no events: the process dies before its recorder writes.
type mute struct{ *bolt.Store }

func (mute) AppendEvents(context.Context, []store.Event) error { return nil }

// TestEveryChangeKeepsItsEvent makes every change that has an event. The recorder never runs, and all events are on the
// trail afterwards, with what a restore needs of them.
func TestEveryChangeKeepsItsEvent(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, func(cfg *server.Config) { cfg.Store = mute{cfg.Store.(*bolt.Store)}; cfg.Late = time.Hour })
	var want []string
	verb := func(event, method, path, body string) {
		t.Helper()
		want = append(want, event)
		if a := admin.CallJSON(t, method, path, body).Do(); a.Status/100 != 2 {
			t.Fatalf("%s %s: got %d %s", method, path, a.Status, a.Raw)
		}
	}
	session := func() string {
		t.Helper()
		want = append(want, "login ok")
		return s.Login(t).Str("refresh_token")
	}
	spent := func() string {
		t.Helper()
		token := session()
		s.Refresh(t, token).Wants(200, "")
		return token
	}
	user := "/v1/users/" + servertest.User

	token := spent() // late
	s.Move(t, time.Minute)
	want = append(want, "refresh_late ok")
	s.Refresh(t, token).Wants(200, "")

	token = spent() // reused
	s.Move(t, 2*time.Hour)
	want = append(want, "refresh_reuse reuse")
	s.Refresh(t, token).Wants(400, "invalid_grant")

	token = session()
	want = append(want, "revoke ok")
	s.Form(t, "/revoke", "token="+token).Web().Wants(200, "")
	access := s.Login(t).Str("access_token")
	want = append(want, "login ok", "revoke ok")
	s.Form(t, "/revoke", "token="+access).Web().Wants(200, "")

	verb("session.revoke_all ok", "DELETE", user+"/sessions", "")
	token = session()
	verb("user.disable ok", "POST", user+"/disable", "{}")
	want = append(want, "refresh gone")
	s.Refresh(t, token).Wants(400, "invalid_grant")
	verb("user.enable ok", "POST", user+"/enable", "{}")
	verb("user.update ok", "PATCH", user, `{"claims":{"a":1}}`)
	verb("user.set_password ok", "PUT", user+"/password", `{"password":"an entirely new one"}`)
	verb("user.create ok", "POST", "/v1/users", `{"username":"bob"}`)
	verb("user.delete ok", "DELETE", "/v1/users/bob", "")
	verb("client.create ok", "POST", "/v1/clients", `{"client_id":"new","grants":["client_credentials"]}`)
	verb("client.update ok", "PATCH", "/v1/clients/new", `{"grants":["client_credentials"]}`)
	verb("client.rotate_secret ok", "POST", "/v1/clients/new/secret", "{}")
	verb("client.revoke_secret ok", "DELETE", "/v1/clients/new/secrets/oldest", "")
	verb("client.disable ok", "POST", "/v1/clients/new/disable", "{}")
	verb("client.enable ok", "POST", "/v1/clients/new/enable", "{}")
	verb("client.delete ok", "DELETE", "/v1/clients/new", "")
	verb("session.revoke_everybody_begin ok", "DELETE", "/v1/sessions", "")
	verb("user.import_begin ok", "POST", "/v1/users:import", "")
	verb("keys.rotate ok", "POST", "/v1/keys/rotate", `{"alg":"ES256","emergency":true}`)
	verb("throttle.clear ok", "DELETE", "/v1/throttle?user="+servertest.User, "")

	s.Server.Close()
	under := s.Config.Store.(mute).Store
	if _, err := under.Sweep(t.Context(), time.Now().Add(24*time.Hour), s.Config.Lifetimes); err != nil {
		t.Fatal(err)
	}
	want = slices.DeleteFunc(want, func(event string) bool { return strings.HasSuffix(event, " gone") }) // it changes nothing
	var got []string
	for _, e := range allEvents(t, under) {
		got = append(got, e.Type+" "+e.Outcome)
		switch {
		case e.RequestID == "" || e.At.IsZero():
			t.Errorf("%+v lacks its request or time", e)
		case strings.HasPrefix(e.Type, "client.") && e.ClientID != "new":
			t.Errorf("%+v lacks its client", e)
		case (strings.HasPrefix(e.Type, "user.") && e.Type != store.EventUserImportBegin || e.Type == store.EventLogin) && e.Subject == "":
			t.Errorf("%+v lacks its user", e)
		case (e.Type == store.EventClientDisable || e.Type == store.EventUserSetPassword) && (e.Detail[store.DetailRevision] == "" || e.Detail[store.DetailEpoch] == ""):
			t.Errorf("%+v lacks its revision and epoch", e)
		case (strings.HasPrefix(e.Type, "refresh") || e.Type == store.EventLogin) && (e.SessionID == "" || e.ClientID == ""):
			t.Errorf("%+v lacks its session or client", e)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the trail has %q, want %q", got, want)
	}
}

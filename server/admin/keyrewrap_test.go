package admin_test

import (
	"testing"
	"time"

	"signet/keys"
	"signet/keys/masterkey"
	"signet/server"
	"signet/server/servertest"
	"signet/store"
)

// withMaster is another replica of s that has these master keys.
func withMaster(t testing.TB, s *servertest.Server, master ...masterkey.Key) *servertest.Server {
	t.Helper()
	ring := s.KeyConfig
	ring.Master = master
	m, err := keys.Open(t.Context(), ring)
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.Config
	cfg.Keys, cfg.Registry, cfg.RefreshKeys = m, nil, nil
	for _, k := range master {
		cfg.RefreshKeys = append(cfg.RefreshKeys, k.Derive("signet refresh tokens"))
	}
	srv, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	with := *s
	with.Server, with.Keys, with.Config = srv, m, cfg
	return with.ServeAdmin(t, srv)
}

// Users stay signed in whichever replica they come to, before, while and after the master key
// changes; and the old key can be taken away when the last session from before is over.
func TestMasterKeyChangeKeepsSessions(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	older, newer := s.KeyConfig.Master[0], masterkey.New()
	a, b := withMaster(t, s, older), withMaster(t, s, older)
	token := a.Login(t).Str("refresh_token")
	turn := func(what string, at *servertest.Server) {
		t.Helper()
		s.Clock.Add(time.Minute)
		answer := at.Refresh(t, token).Do()
		if answer.Status != 200 {
			t.Fatalf("%s: got %d %s", what, answer.Status, answer.Raw)
		}
		token = answer.Str("refresh_token")
	}
	turn("before", b)
	a = withMaster(t, s, newer, older)
	turn("the first replica has both keys", a)
	turn("the second has the old one alone", b)
	turn("back", a)
	b = withMaster(t, s, newer, older)
	turn("both have both", b)
	turn("back", a)
	unused := a.Login(t).Str("refresh_token")

	view := a.ServeAdmin(t, a.Admin()).CallJSON(t, "POST", "/v1/keys/rewrap", "").Wants(200, "")
	if view.JSON["changed"] != true || view.Str("needed_until") != s.Clock.Now().Add(90*24*time.Hour).UTC().Format(time.RFC3339) {
		t.Errorf("rewrap: got %s", view.Raw)
	}
	turn("rewrapped; the second has not read it", a)
	turn("the second has not read it", b)
	if err := b.Keys.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	turn("both have read it", b)
	turn("back", a)
	again := b.ServeAdmin(t, b.Admin()).CallJSON(t, "POST", "/v1/keys/rewrap", "").Wants(200, "")
	if again.JSON["changed"] != false {
		t.Errorf("rewrap again: got %s", again.Raw)
	}
	b.Refresh(t, unused).Wants(200, "") // sealed under the old key
	alone := withMaster(t, s, newer)
	turn("the new key alone", alone)
	alone.Refresh(t, unused).Wants(400, "invalid_grant") // too early: it was still in use
	if e := s.AwaitEvent(t, "keys.rewrap"); e.Actor != "socket" || e.Detail["master_key"] != a.Keys.MasterKeyHints()[0] {
		t.Errorf("audit: got %+v", e)
	}
}

func TestRewrapRefusesWhileAReplicaLacksTheKey(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	a := withMaster(t, s, masterkey.New(), s.KeyConfig.Master[0])
	admin := a.ServeAdmin(t, a.Admin())
	version := a.Keys.Version()
	for _, has := range []string{a.Keys.MasterKeyHints()[1], ""} { // the old key alone; a version that does not say
		beat := store.Heartbeat{Replica: "lacking", At: s.Clock.Now(), MasterKeys: has}
		if err := s.Store.Beat(t.Context(), beat, time.Minute); err != nil {
			t.Fatal(err)
		}
		admin.CallJSON(t, "POST", "/v1/keys/rewrap", "").Wants(409, "refused").WantsMessage(t, "give it to lacking first")
	}
	if a.Keys.Version() != version {
		t.Error("a refused rewrap changed the keyring")
	}
	s.Clock.Add(time.Minute) // the replica has stopped
	admin.CallJSON(t, "POST", "/v1/keys/rewrap", "").Wants(200, "")
}

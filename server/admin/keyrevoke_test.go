package admin_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/keys"
	"signet/keys/jose"
	"signet/keys/rotation"
	"signet/server"
	"signet/server/admin/api"
	"signet/server/edge"
	"signet/server/servertest"
	"signet/store"
)

// kids returns the kid of the algorithm's active and pending key.
func kids(t testing.TB, m *keys.Manager, alg string) (active, pending string) {
	t.Helper()
	for _, k := range m.Keys() {
		switch {
		case k.Alg != alg:
		case k.State == rotation.Active:
			active = k.KID
		case k.State == rotation.Pending:
			pending = k.KID
		}
	}
	return active, pending
}

func TestRevokeKey(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, nil)
	active1, standby := kids(t, s.Keys, jose.ES256)
	tokens := s.Login(t)
	old := tokens.Str("access_token")
	path := "/v1/keys/" + active1 + "/revoke"
	admin.CallJSON(t, "POST", path, "").Wants(409, "refused").WantsMessage(t, standby)
	admin.CallJSON(t, "POST", path, `{"force":true}`).Wants(400, "invalid")
	admin.CallJSON(t, "POST", "/v1/keys/nonsense/revoke", "").Wants(404, "not_found")
	if !s.Active(t, old) {
		t.Fatal("a refused revocation ended a token")
	}

	s.Move(t, 24*time.Hour)
	old = s.Refresh(t, tokens.Str("refresh_token")).Wants(200, "").Str("access_token")
	var report api.RevokedKey
	a := admin.CallJSON(t, "POST", path, "").Wants(200, "")
	if err := json.Unmarshal([]byte(a.Raw), &report); err != nil {
		t.Fatal(err)
	}
	if !report.Aged || report.Was != string(rotation.Active) || report.Signer.KID != standby || report.Standby == nil ||
		!report.Exposure.Expired.Equal(s.Clock.Now().Add(66*time.Minute)) || !report.Exposure.Forgotten.Equal(s.Clock.Now().Add(2*time.Hour)) {
		t.Errorf("report: got %s", a.Raw)
	}
	if s.Active(t, old) {
		t.Error("introspection accepts a token of the revoked key")
	}
	s.Userinfo(t, old).Wants(401, "invalid_token")
	if set := s.Call(t, "GET", "/.well-known/jwks.json").Wants(200, ""); strings.Contains(set.Raw, active1) || !strings.Contains(set.Raw, standby) {
		t.Errorf("key set: got %s", set.Raw)
	}
	fresh := s.Refresh(t, tokens.Str("refresh_token")).Wants(200, "").Str("access_token") // the session lives on
	if header, _ := servertest.DecodeJWT(t, fresh); header["kid"] != standby || !s.Active(t, fresh) {
		t.Errorf("the next token is of %v, want %s", header["kid"], standby)
	}
	var list struct {
		Version  uint64
		Replicas []store.Heartbeat
	}
	if err := json.Unmarshal([]byte(admin.CallJSON(t, "GET", "/v1/keys", "").Wants(200, "").Raw), &list); err != nil ||
		len(list.Replicas) != 1 || list.Replicas[0].KeyringVersion < report.Version {
		t.Errorf("right after it: got %+v, %v, want this replica's word that it has version %d", list, err, report.Version)
	}
	admin.CallJSON(t, "POST", path, `{"emergency":true}`).Wants(409, "refused").WantsMessage(t, "revoked already")
	if e := s.AwaitEvent(t, "keys.revoke"); e.KeyID != active1 || e.Actor != "socket" || e.Detail["was"] != "active" || e.Detail["signer"] != standby {
		t.Errorf("audit: got %+v", e)
	}
}

// knocker is a store whose hints the test gives, as another replica's change would.
type knocker struct {
	store.Store
	hints chan store.ChangeEvent
}

func (k *knocker) Subscribe(ctx context.Context, on func(store.ChangeEvent)) {
	for {
		select {
		case h := <-k.hints:
			on(h)
		case <-ctx.Done():
			return
		}
	}
}

// A second replica refuses the tokens of a revoked key, and its heartbeat has the new version, as soon as it
// has the hint: long before it would have read the keyring or beaten by itself.
func TestRevokedKeyAtAnotherReplica(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for seconds; the full suite has it")
	}
	t.Parallel()
	knock := &knocker{hints: make(chan store.ChangeEvent, 1)}
	s, admin := servertest.NewAdmin(t, nil)
	other := secondReplica(t, s, knock)
	old := s.Login(t).Str("access_token")
	if !other.Active(t, old) {
		t.Fatal("the second replica does not accept the token of the first")
	}
	kid, _ := kids(t, s.Keys, jose.ES256)
	admin.CallJSON(t, "POST", "/v1/keys/"+kid+"/revoke", `{"emergency":true}`).Wants(200, "")
	begun := time.Now()
	knock.hints <- store.ChangeEvent{Kind: store.KeyringChanged}
	for other.Active(t, old) {
		if time.Since(begun) > 8*time.Second {
			t.Fatal("the second replica still accepts the token")
		}
		time.Sleep(10 * time.Millisecond)
	}
	other.Userinfo(t, old).Wants(401, "invalid_token")
	for {
		beats, err := s.Store.Beats(t.Context(), s.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		if len(beats) == 2 && beats[0].KeyringVersion == beats[1].KeyringVersion {
			return
		}
		if time.Since(begun) > 8*time.Second {
			t.Fatalf("heartbeats: got %+v, want two of one version", beats)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// secondReplica runs another server, with its loops, over the store and the install of s.
func secondReplica(t testing.TB, s *servertest.Server, knock *knocker) *servertest.Server {
	t.Helper()
	knock.Store = s.Store
	ring := s.KeyConfig
	ring.Poll = 20 * time.Second
	m, err := keys.Open(t.Context(), ring)
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.Config
	cfg.Store, cfg.Keys, cfg.Registry = knock, m, nil
	srv, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	web := edge.HTTPServer(srv, cfg.Log)
	ctx, cancel := context.WithCancel(context.Background())
	var loops sync.WaitGroup
	loops.Go(func() { _ = m.Run(ctx) })
	loops.Go(func() { srv.Run(ctx) })
	loops.Go(func() { _ = web.Serve(listener) })
	t.Cleanup(func() { cancel(); web.Close(); loops.Wait(); srv.Close() })
	return &servertest.Server{Server: srv, URL: "http://" + listener.Addr().String(), Config: cfg, Store: s.Store, Keys: m, Clock: s.Clock, Log: s.Log, UserID: s.UserID}
}

func TestRotateNow(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, nil)
	was, standby := kids(t, s.Keys, jose.ES256)
	old := s.Login(t).Str("access_token")
	a := admin.CallJSON(t, "POST", "/v1/keys/rotate", `{"alg":"ES256","emergency":true}`).Wants(http.StatusAccepted, "")
	var got api.RotatedKeys
	if err := json.Unmarshal([]byte(a.Raw), &got); err != nil || len(got.Rotations) != 1 || got.Rotations[0].Signer.KID != standby || got.Rotations[0].Retired != was {
		t.Fatalf("got %s, %v", a.Raw, err)
	}
	if !s.Active(t, old) {
		t.Error("a token of the retired key is not active")
	}
	if header, _ := servertest.DecodeJWT(t, s.Login(t).Str("access_token")); header["kid"] != standby {
		t.Errorf("%v signs, want %s", header["kid"], standby)
	}
	if e := s.AwaitEvent(t, "keys.rotate"); e.Detail["emergency"] != "true" || e.Detail["retired"] != was {
		t.Errorf("audit: got %+v", e)
	}
}

func TestEndAllSessions(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, nil)
	tokens := s.Login(t)
	own := s.Form(t, "/token", "grant_type=client_credentials").Basic(servertest.Service, servertest.ServiceSecret).Wants(200, "")
	s.Clock.Add(2 * time.Second)
	if a := admin.CallJSON(t, "DELETE", "/v1/sessions", "").Wants(200, ""); a.JSON["clients"] != 4.0 {
		t.Errorf("got %s, want 4 clients", a.Raw)
	}
	s.Refresh(t, tokens.Str("refresh_token")).Wants(400, "invalid_grant")
	for name, token := range map[string]string{"user's": tokens.Str("access_token"), "client's": own.Str("access_token")} {
		if s.Active(t, token) {
			t.Errorf("a %s token is still active", name)
		}
	}
	s.Clock.Add(time.Second)
	if !s.Active(t, s.Login(t).Str("access_token")) {
		t.Error("a new login is not active")
	}
	if e := s.AwaitEvent(t, "session.revoke_everybody"); e.Detail["clients"] != "4" {
		t.Errorf("audit: got %+v", e)
	}
}

package server_test

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

func userinfo(t testing.TB, s *servertest.Server, token string) *request {
	return call(t, s, "GET", "/userinfo").set("Authorization", "Bearer "+token)
}

func TestAdminRevokeKey(t *testing.T) {
	t.Parallel()
	s, admin := newAdmin(t, nil)
	active1, standby := kids(t, s.Keys, jose.ES256)
	tokens := login(t, s)
	old := tokens.str("access_token")
	path := "/v1/keys/" + active1 + "/revoke"
	adminCall(t, admin, "POST", path, "").wants(409, "refused").wantsMessage(t, standby)
	adminCall(t, admin, "POST", path, `{"force":true}`).wants(400, "invalid")
	adminCall(t, admin, "POST", "/v1/keys/nonsense/revoke", "").wants(404, "not_found")
	if !active(t, s, old) {
		t.Fatal("a refused revocation ended a token")
	}

	s.Move(t, 24*time.Hour)
	old = refresh(t, s, tokens.str("refresh_token")).wants(200, "").str("access_token")
	var report api.RevokedKey
	a := adminCall(t, admin, "POST", path, "").wants(200, "")
	if err := json.Unmarshal([]byte(a.Raw), &report); err != nil {
		t.Fatal(err)
	}
	if !report.Aged || report.Was != string(rotation.Active) || report.Signer.KID != standby || report.Standby == nil ||
		!report.Exposure.Expired.Equal(s.Clock.Now().Add(66*time.Minute)) || !report.Exposure.Forgotten.Equal(s.Clock.Now().Add(2*time.Hour)) {
		t.Errorf("report: got %s", a.Raw)
	}
	if active(t, s, old) {
		t.Error("introspection accepts a token of the revoked key")
	}
	userinfo(t, s, old).wants(401, "invalid_token")
	if set := call(t, s, "GET", "/.well-known/jwks.json").wants(200, ""); strings.Contains(set.Raw, active1) || !strings.Contains(set.Raw, standby) {
		t.Errorf("key set: got %s", set.Raw)
	}
	fresh := refresh(t, s, tokens.str("refresh_token")).wants(200, "").str("access_token") // the session lives on
	if header, _ := decodeJWT(t, fresh); header["kid"] != standby || !active(t, s, fresh) {
		t.Errorf("the next token is of %v, want %s", header["kid"], standby)
	}
	var list struct {
		Version  uint64
		Replicas []store.Heartbeat
	}
	if err := json.Unmarshal([]byte(adminCall(t, admin, "GET", "/v1/keys", "").wants(200, "").Raw), &list); err != nil ||
		len(list.Replicas) != 1 || list.Replicas[0].KeyringVersion < report.Version {
		t.Errorf("right after it: got %+v, %v, want this replica's word that it has version %d", list, err, report.Version)
	}
	adminCall(t, admin, "POST", path, `{"emergency":true}`).wants(409, "refused").wantsMessage(t, "revoked already")
	if e := trail(t, s, "keys.revoke"); e.KeyID != active1 || e.Actor != "socket" || e.Detail["was"] != "active" || e.Detail["signer"] != standby {
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

// A second replica refuses the tokens of a revoked key, and says that it has followed, as soon as it
// has the hint: long before it would have read the keyring or beaten by itself.
func TestRevokedKeyAtAnotherReplica(t *testing.T) {
	t.Parallel()
	knock := &knocker{hints: make(chan store.ChangeEvent, 1)}
	s, admin := newAdmin(t, nil)
	other := secondReplica(t, s, knock)
	old := login(t, s).str("access_token")
	if !active(t, other, old) {
		t.Fatal("the second replica does not accept the token of the first")
	}
	kid, _ := kids(t, s.Keys, jose.ES256)
	adminCall(t, admin, "POST", "/v1/keys/"+kid+"/revoke", `{"emergency":true}`).wants(200, "")
	begun := time.Now()
	knock.hints <- store.ChangeEvent{Kind: store.KeyringChanged}
	for active(t, other, old) {
		if time.Since(begun) > 8*time.Second {
			t.Fatal("the second replica still accepts the token")
		}
		time.Sleep(10 * time.Millisecond)
	}
	userinfo(t, other, old).wants(401, "invalid_token")
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

func TestAdminRotateNow(t *testing.T) {
	t.Parallel()
	s, admin := newAdmin(t, nil)
	was, standby := kids(t, s.Keys, jose.ES256)
	old := login(t, s).str("access_token")
	a := adminCall(t, admin, "POST", "/v1/keys/rotate", `{"alg":"ES256","emergency":true}`).wants(http.StatusAccepted, "")
	var got api.RotatedKeys
	if err := json.Unmarshal([]byte(a.Raw), &got); err != nil || len(got.Rotations) != 1 || got.Rotations[0].Signer.KID != standby || got.Rotations[0].Retired != was {
		t.Fatalf("got %s, %v", a.Raw, err)
	}
	if !active(t, s, old) {
		t.Error("a token of the retired key is not active")
	}
	if header, _ := decodeJWT(t, login(t, s).str("access_token")); header["kid"] != standby {
		t.Errorf("%v signs, want %s", header["kid"], standby)
	}
	if e := trail(t, s, "keys.rotate"); e.Detail["emergency"] != "true" || e.Detail["retired"] != was {
		t.Errorf("audit: got %+v", e)
	}
}

func TestAdminEndAllSessions(t *testing.T) {
	t.Parallel()
	s, admin := newAdmin(t, nil)
	tokens := login(t, s)
	own := form(t, s, "/token", "grant_type=client_credentials").basic(servertest.Service, servertest.ServiceSecret).wants(200, "")
	s.Clock.Add(2 * time.Second)
	if a := adminCall(t, admin, "DELETE", "/v1/sessions", "").wants(200, ""); a.JSON["clients"] != 4.0 {
		t.Errorf("got %s, want 4 clients", a.Raw)
	}
	refresh(t, s, tokens.str("refresh_token")).wants(400, "invalid_grant")
	for name, token := range map[string]string{"user's": tokens.str("access_token"), "client's": own.str("access_token")} {
		if active(t, s, token) {
			t.Errorf("a %s token is still active", name)
		}
	}
	s.Clock.Add(time.Second)
	if !active(t, s, login(t, s).str("access_token")) {
		t.Error("a new login is not active")
	}
	if e := trail(t, s, "session.revoke_everybody"); e.Detail["clients"] != "4" {
		t.Errorf("audit: got %+v", e)
	}
}

package servertest

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"signet/keys"
	"signet/keys/rotation"
	"signet/server"
	"signet/server/edge"
	"signet/store"
)

// NewAdmin starts a server and the admin API that its socket would have.
func NewAdmin(t testing.TB, change func(*server.Config)) (s, admin *Server) {
	t.Helper()
	s = New(t, change)
	return s, s.ServeAdmin(t, s.Admin())
}

// NewTokenAdmin starts a server, its admin API for callers with a token, and the client ops that may use it.
func NewTokenAdmin(t testing.TB, change func(*server.Config)) (s, admin *Server, secret string) {
	t.Helper()
	s, socket := NewAdmin(t, change)
	secret = socket.CallJSON(t, "POST", "/v1/clients", `{"client_id":"ops","grants":["client_credentials"],"scopes":["signet:admin","other"]}`).
		Wants(201, "").Str("client_secret")
	return s, s.ServeAdmin(t, s.AdminWithToken()), secret
}

// ServeAdmin serves a handler of the admin API over TCP, with the limits of a real listener.
func (s *Server) ServeAdmin(t testing.TB, h http.Handler) *Server {
	t.Helper()
	web := httptest.NewUnstartedServer(nil)
	web.Config = edge.HTTPServer(h, s.Config.Log)
	web.Start()
	t.Cleanup(web.Close)
	admin := *s
	admin.URL = web.URL
	return &admin
}

// OpsToken asks for the token that the client of NewTokenAdmin uses.
func (s *Server) OpsToken(t testing.TB, secret string) *Request {
	return s.Form(t, "/token", "grant_type=client_credentials", "scope=signet:admin").Basic("ops", secret)
}

// AwaitEvent waits for an audit event of the type and returns the newest. The request that makes it may still be ending.
func (s *Server) AwaitEvent(t testing.TB, kind string) store.Event {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		s.FlushAudit(t)
		if events := s.NewestEvent(t, kind); len(events) > 0 {
			return events[0]
		}
	}
	t.Errorf("no audit event of type %s", kind)
	return store.Event{}
}

// FlushAudit waits until what was recorded is in the audit trail. Events are written in order, so a last one shows it.
func (s *Server) FlushAudit(t testing.TB) {
	t.Helper()
	mark := rand.Text()
	s.KeyEvent(keys.Event{Transition: rotation.Transition{Step: "flushed", KID: mark}})
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if events := s.NewestEvent(t, store.EventKeyPrefix+"flushed"); len(events) > 0 && events[0].KeyID == mark {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the audit trail is not written")
		}
	}
}

// NewestEvent returns the newest event of a type, or none.
func (s *Server) NewestEvent(t testing.TB, kind string) []store.Event {
	t.Helper()
	events, err := s.Store.Events(context.Background(), store.EventQuery{Types: []string{kind}, Newest: true, Limit: 1})
	must(t, err)
	return events
}

package server_test

import (
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"signet/server"
	"signet/server/servertest"
	"signet/store"
)

// TestEveryChangeHasItsEvent: callers hang up at random moments of logins, revocations, reuse of a refresh token
// and disabling. What was changed is on the trail.
func TestEveryChangeHasItsEvent(t *testing.T) {
	t.Parallel()
	const rounds = 50
	s := servertest.New(t, func(cfg *server.Config) { cfg.SessionsPerUser = 10 * rounds; cfg.Grace = 0 })
	admin := s.Admin()
	hangUp := func(h http.Handler, path, contentType, body string) {
		ctx, cancel := context.WithCancel(t.Context())
		r := httptest.NewRequestWithContext(ctx, "POST", path, strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		done := make(chan struct{})
		go func() {
			defer close(done)
			h.ServeHTTP(httptest.NewRecorder(), r)
		}()
		wait := time.NewTimer(time.Duration(mathrand.IntN(1500)) * time.Microsecond) // a random moment of the request
		select {
		case <-wait.C:
		case <-done:
		}
		cancel()
		<-done
	}
	public := func(path, body string) {
		hangUp(s.Server, path, "application/x-www-form-urlencoded", "client_id=spa&"+body)
	}
	tokens := func() string {
		return s.Form(t, "/token", "client_id=spa", "grant_type=password", "username="+servertest.User, "password="+servertest.Password).Wants(200, "").Str("refresh_token")
	}
	var users []store.UserID
	for i := range rounds {
		public("/token", "grant_type=password&username="+servertest.User+"&password="+servertest.Password)
		public("/revoke", "token="+tokens())
		spent := tokens()
		s.Form(t, "/token", "client_id=spa", "grant_type=refresh_token", "refresh_token="+spent).Wants(200, "")
		public("/token", "grant_type=refresh_token&refresh_token="+spent)
		user := store.User{Username: fmt.Sprint("user", i), CreatedAt: s.Clock.Now(), UpdatedAt: s.Clock.Now()}
		rand.Read(user.ID[:])
		if err := s.Store.CreateUser(t.Context(), user); err != nil {
			t.Fatal(err)
		}
		users = append(users, user.ID)
		hangUp(admin, "/v1/users/"+user.Username+"/disable", "application/json", "{}")
	}
	s.Server.Close() // writes what is queued
	began, ended, disabled := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, e := range allEvents(t, s.Store) {
		switch {
		case e.Type == "login" && e.Outcome == "ok":
			began[e.SessionID] = true
		case e.Type == "revoke" && e.Outcome == "ok", e.Type == "refresh_reuse", e.Type == "refresh" && e.Outcome == "revoked":
			ended[e.SessionID] = true
		case e.Type == "user.disable":
			disabled[e.Subject] = true
		}
	}
	sessions, err := s.Store.ListSessions(context.Background(), s.UserID, s.Clock.Now(), s.Config.Lifetimes)
	if err != nil {
		t.Fatal(err)
	}
	alive := map[string]bool{}
	for _, session := range sessions {
		if alive[session.ID.String()] = true; !began[session.ID.String()] {
			t.Errorf("session %s began without an event", session.ID)
		}
	}
	for id := range began {
		if alive[id] == ended[id] {
			t.Errorf("session %s: alive %v, an event of its end %v", id, alive[id], ended[id])
		}
	}
	for _, id := range users {
		user, err := s.Store.User(context.Background(), id)
		if err != nil || user.Disabled != disabled[id.String()] {
			t.Errorf("user %s: disabled %v, event %v; error %v", user.Username, user.Disabled, disabled[id.String()], err)
		}
	}
	if strings.Contains(s.Log.String(), `"level":"ERROR"`) {
		t.Error("a caller who hung up is an error in the log")
	}
}

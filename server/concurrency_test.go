package server_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"signet/server/servertest"
)

// Row 79: 64 requests present one refresh token at once. One rotates, all get the same successor,
// and the session moves one generation.
func TestConcurrentRefresh(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	first := login(t, s).str("refresh_token")
	answers := make([]answer, 64)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i] = refresh(t, s, first).do() })
	}
	all.Wait()
	access := map[string]bool{}
	for _, a := range answers {
		if a.Status != http.StatusOK || a.str("refresh_token") != answers[0].str("refresh_token") {
			t.Fatalf("got %d %s, want the successor all others got", a.Status, a.Raw)
		}
		access[a.str("access_token")] = true
	}
	if len(access) != len(answers) {
		t.Errorf("got %d different access tokens, want %d", len(access), len(answers))
	}
	sessions, err := s.Store.ListSessions(t.Context(), s.UserID, s.Clock.Now(), s.Config.Lifetimes)
	if err != nil || len(sessions) != 1 || sessions[0].Generation != 1 {
		t.Errorf("sessions: got %+v, %v, want one of generation 1", sessions, err)
	}
	s.Clock.Add(11 * time.Second)
	refresh(t, s, first).wants(http.StatusBadRequest, "invalid_grant")
	refresh(t, s, answers[0].str("refresh_token")).wants(http.StatusBadRequest, "invalid_grant")
}

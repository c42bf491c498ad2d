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
	first := s.Login(t).Str("refresh_token")
	answers := make([]servertest.Answer, 64)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i] = s.Refresh(t, first).Do() })
	}
	all.Wait()
	access := map[string]bool{}
	for _, a := range answers {
		if a.Status != http.StatusOK || a.Str("refresh_token") != answers[0].Str("refresh_token") {
			t.Fatalf("got %d %s, want the successor all others got", a.Status, a.Raw)
		}
		access[a.Str("access_token")] = true
	}
	if len(access) != len(answers) {
		t.Errorf("got %d different access tokens, want %d", len(access), len(answers))
	}
	sessions, err := s.Store.ListSessions(t.Context(), s.UserID, s.Clock.Now(), s.Config.Lifetimes)
	if err != nil || len(sessions) != 1 || sessions[0].Generation != 1 {
		t.Errorf("sessions: got %+v, %v, want one of generation 1", sessions, err)
	}
	s.Clock.Add(11 * time.Second)
	s.Refresh(t, first).Wants(http.StatusBadRequest, "invalid_grant")
	s.Refresh(t, answers[0].Str("refresh_token")).Wants(http.StatusBadRequest, "invalid_grant")
}

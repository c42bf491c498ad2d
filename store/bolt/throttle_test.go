package bolt

import (
	"path/filepath"
	"testing"
	"time"

	"signet/store"
)

// A server that was killed while passwords were being hashed does not make their owners wait when it is back.
func TestAttemptsOfAProcessThatIsGone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "signet.db")
	s := mustOpen(t, path)
	const free = 3
	attempt := func(id byte) store.Attempt {
		return store.Attempt{ID: store.AttemptID{id}, Scopes: []store.Scope{{Place: "account", Limits: []store.Limit{{Key: "ada", Free: free, Window: time.Hour}}}}}
	}
	now := time.Now()
	first, err := s.Allow(t.Context(), now, attempt(1))
	must(t, err)
	if _, err := s.Fail(t.Context(), now, first.Receipt); err != nil {
		t.Fatal(err)
	}
	for id := range byte(free) {
		a, err := s.Allow(t.Context(), now, attempt(10+id))
		must(t, err)
		if busy := id == free-1; a.Busy != busy {
			t.Fatalf("attempt %d: got %+v", id, a)
		}
	}
	must(t, s.Close())
	s = mustOpen(t, path)
	states, err := s.ListThrottle(t.Context(), now, func(_, _ string) bool { return true }, 10)
	if err != nil || len(states) != 1 || states[0].UnderWay != 0 || states[0].Failures != 1 {
		t.Errorf("opened again: got %+v, %v, want the failure alone", states, err)
	}
	if a, err := s.Allow(t.Context(), now, attempt(20)); err != nil || a.Busy || a.Wait > 0 {
		t.Errorf("the next attempt: got %+v, %v", a, err)
	}
	must(t, s.Close())
}

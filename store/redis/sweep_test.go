package redis

import (
	"testing"
	"time"

	"signet/store"
	"signet/store/redis/redistest"
)

// TestSessionsAreCounted: the replica that sweeps has the number of sessions that are alive, and no other.
func TestSessionsAreCounted(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	cfg := rest(Config{Addrs: []string{server.Addr()}, Prefix: newPrefix()})
	s, other := mustOpen(t, cfg), mustOpen(t, cfg)
	if got := s.Stats(); got.Sweeps {
		t.Errorf("before a sweep: got %+v", got)
	}
	for range 3 {
		u := seedUser(t, s)
		for range 5 {
			seedSession(t, s, u.ID)
		}
	}
	sweep := func(now time.Time) {
		t.Helper()
		for _, s := range []*Store{s, other} {
			if _, err := s.Sweep(t.Context(), now, store.Lifetimes{Idle: 2 * time.Hour, Absolute: 2 * time.Hour}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, step := range []struct {
		now  time.Time
		want int
	}{{begun, 15}, {begun, 15}, {begun.Add(3 * time.Hour), 0}} {
		sweep(step.now)
		if got := s.Stats(); !got.Sweeps || got.Sessions != step.want {
			t.Errorf("at %v: got %d, swept %v, want %d", step.now, got.Sessions, got.Sweeps, step.want)
		}
		if got := other.Stats(); got.Sweeps {
			t.Errorf("the replica that does not sweep has %d", got.Sessions)
		}
	}
}

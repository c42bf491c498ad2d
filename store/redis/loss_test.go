package redis

import (
	"testing"
	"time"

	"signet/store"
	"signet/store/redis/redistest"
)

// TestLoss: a generation that is newer than its record is explained by a server that was restarted since the
// session was rotated last, whoever was there to see it, and by nothing else.
func TestLoss(t *testing.T) {
	t.Parallel()
	ctx, server := t.Context(), redistest.Start(t, redistest.Config{Persist: true})
	s := openUnaware(t, Config{Addrs: []string{server.Addr()}})
	if l, err := s.Loss(ctx); err != nil || !l.At.IsZero() {
		t.Errorf("without an install: got %v, %v", l, err)
	}
	if err := s.CheckEmpty(ctx); err != nil {
		t.Errorf("a store that was looked at is not empty: %v", err)
	}
	if err := s.CreateInstall(ctx, store.Install{ID: "install", Schema: Schema}); err != nil {
		t.Fatal(err)
	}
	first, err := s.Loss(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.Loss(ctx); err != nil || again != first {
		t.Errorf("asked twice: got %v, %v, want %v", again, err, first)
	}
	now := first.At.Add(time.Millisecond)
	u := seedUser(t, s)
	session, _, err := s.StartSession(ctx, store.Session{ID: store.SessionID{1}, UserID: u.ID, ClientID: app, StartedAt: now}, store.SessionLimits{})
	if err != nil {
		t.Fatal(err)
	}
	rotate := func(s *Store, loss store.Loss) store.Outcome {
		t.Helper()
		_, _, o, err := s.Rotate(ctx, store.Rotation{UserID: u.ID, SessionID: session.ID, ClientID: app, Generation: 5, Now: now, Lifetimes: long, Loss: loss})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	if o := rotate(s, first); o != store.Ahead {
		t.Errorf("before the restart: got %v, want %v", o, store.Ahead)
	}
	server.Stop()
	server.Restart()
	later := openUnaware(t, Config{Addrs: []string{server.Addr()}, Prefix: s.cfg.Prefix})
	second, err := later.Loss(ctx)
	if err != nil || !second.At.After(first.At) {
		t.Fatalf("after the restart: got %v, %v, want a later loss than %v", second, err, first)
	}
	if o := rotate(later, second); o != store.Healed {
		t.Errorf("after the restart: got %v, want %v", o, store.Healed)
	}
}

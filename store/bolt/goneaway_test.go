package bolt

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"signet/store"
)

// A caller who goes away while its change is being committed does not know what came of it, and a
// cache that saw the client before the commit must learn that it is another one.
func TestClientChangesAfterItsCallerHasGone(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	if err := s.CreateClient(t.Context(), store.Client{ID: "web"}); err != nil {
		t.Fatal(err)
	}
	held, open := make(chan struct{}), make(chan struct{})
	commit := func(tx *bbolt.Tx) error {
		close(held)
		<-open
		return tx.Commit()
	}
	s.db.Commit.Store(&commit)
	ctx, hangUp := context.WithCancel(t.Context())
	var caller sync.WaitGroup
	caller.Go(func() {
		_, err := s.UpdateClient(ctx, "web", func(c *store.Client) error { c.Disabled = true; return nil })
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("the caller who went away: got %v, want ErrUnavailable", err)
		}
	})
	<-held
	hangUp()
	caller.Wait()
	version, err := s.ClientsVersion(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if before, err := s.Client(t.Context(), "web"); err != nil || before.Disabled {
		t.Fatalf("before the commit: got %+v, %v", before, err)
	}
	close(open)
	waitFor(t, "the change", func() bool {
		after, err := s.Client(t.Context(), "web")
		return err == nil && after.Disabled
	})
	waitFor(t, "another version", func() bool {
		now, err := s.ClientsVersion(t.Context())
		return err == nil && now != version
	})
}

// Callers go away at every moment of a write. What the race detector would say is the test, and that
// the sessions are whole afterwards.
func TestCallersWhoGoAway(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	user := store.User{ID: store.UserID{1}, Username: "ada"}
	if err := s.CreateUser(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	session, _, err := s.StartSession(t.Context(), store.Session{ID: store.SessionID{1}, UserID: user.ID, ClientID: "web", StartedAt: time.Now()}, store.SessionLimits{})
	if err != nil {
		t.Fatal(err)
	}
	limits := store.Lifetimes{Idle: time.Hour, Absolute: time.Hour}
	gone := 0
	for i := range 300 {
		ctx, hangUp := context.WithCancel(t.Context())
		time.AfterFunc(time.Duration(i)*5*time.Microsecond, hangUp)
		for _, write := range []func() error{
			func() error {
				_, _, _, err := s.Rotate(ctx, store.Rotation{UserID: user.ID, SessionID: session.ID, ClientID: "web", Generation: uint32(i), Now: time.Now(), Lifetimes: limits})
				return err
			},
			func() error { _, err := s.RevokeSession(ctx, user.ID, store.SessionID{2}); return err },
			func() error { _, err := s.SwapKeyring(ctx, 5, 6, nil); return err },
		} {
			if err := write(); err != nil {
				gone++
			}
		}
		hangUp()
	}
	if gone == 0 {
		t.Error("no caller went away")
	}
	all, err := s.ListSessions(t.Context(), user.ID, time.Now(), limits)
	if err != nil || len(all) != 1 {
		t.Errorf("got %v, %v, want the one session", all, err)
	}
}

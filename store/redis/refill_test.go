package redis

import (
	"errors"
	"testing"
	"time"

	"signet/store"
	"signet/store/redis/redistest"
)

// TestRefill: what running servers have put back into a wiped Redis stays; records come beside it, and
// never among others.
func TestRefill(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	s := mustOpen(t, rest(Config{Addrs: []string{server.Addr()}, Prefix: newPrefix(), Timeout: 10 * time.Second}))
	x := newSubject()
	broken := errors.New("the file ends here")
	records := func(end error) func(func(store.Record, error) bool) {
		return func(yield func(store.Record, error) bool) {
			_ = yield(store.Record{Client: &x.client}, nil) && yield(store.Record{User: &x.user}, nil) && yield(store.Record{Session: &x.session}, end)
		}
	}
	if err := s.Refill(t.Context(), records(nil)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a store without an install: got %v, want ErrNotFound", err)
	}
	if err := s.CreateInstall(t.Context(), store.Install{ID: "install", Schema: Schema}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SwapKeyring(t.Context(), 0, 7, []byte("sealed")); err != nil {
		t.Fatal(err)
	}
	if err := s.AppendEvents(t.Context(), []store.Event{{Type: "key.restored"}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Beat(t.Context(), store.Heartbeat{Replica: "one", At: x.now}, time.Minute); err != nil {
		t.Fatal(err)
	}
	for _, end := range []error{broken, nil} {
		if err := s.Refill(t.Context(), records(end)); !errors.Is(err, end) {
			t.Fatalf("Refill: got %v, want %v", err, end)
		}
	}
	if version, document, err := s.LoadKeyring(t.Context()); version != 7 || string(document) != "sealed" || err != nil {
		t.Errorf("the keyring: got version %d, %q, %v, want it as it was", version, document, err)
	}
	if sessions, err := s.ListSessions(t.Context(), x.user.ID, x.now, month); err != nil || len(sessions) != 1 {
		t.Errorf("the session: got %v, %v", sessions, err)
	}
	if err := s.Refill(t.Context(), records(nil)); !errors.Is(err, store.ErrExists) {
		t.Errorf("a store with records: got %v, want ErrExists", err)
	}
}

// TestImportOfEndedSessions: a session that its user's record has ended, and that the other store had
// not swept yet, does not come to life by the move.
func TestImportOfEndedSessions(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	s := mustOpen(t, rest(Config{Addrs: []string{server.Addr()}, Prefix: newPrefix(), Timeout: 10 * time.Second}))
	live, disabled, changed := newSubject(), newSubject(), newSubject()
	disabled.user.Username, disabled.user.Disabled = "bob", true
	changed.user.Username, changed.user.NotBefore = "cora", changed.session.StartedAt.Add(time.Millisecond)
	err := s.Import(t.Context(), store.Manifest{Install: store.Install{ID: "x"}}, func(yield func(store.Record, error) bool) {
		for _, x := range []subject{live, disabled, changed} {
			if !yield(store.Record{User: &x.user}, nil) || !yield(store.Record{Session: &x.session}, nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []subject{live, disabled, changed} {
		state, err := s.TokenState(t.Context(), store.TokenRef{UserID: x.user.ID, SessionID: x.session.ID})
		if want := x.user.Username == "ada"; err != nil || state.Live != want {
			t.Errorf("the session of %s: got live %v, %v, want %v", x.user.Username, state.Live, err, want)
		}
	}
}

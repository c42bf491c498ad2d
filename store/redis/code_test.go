package redis

import (
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"signet/store"
	"signet/store/redis/redistest"
)

func newCode(x subject) store.Session {
	in := store.Session{UserID: x.user.ID, ClientID: x.client.ID, StartedAt: x.now, RotatedAt: x.now, Parent: x.session.ID}
	rand.Read(in.ID[:])
	return in
}

// TestCodeAfterALoss: a master that took over may lack the redemption of a code, so a code from before that is refused, and leaves no
// session.
func TestCodeAfterALoss(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	s := mustOpen(t, rest(Config{Addrs: []string{server.Addr()}, Prefix: newPrefix(), Timeout: 10 * time.Second}))
	x := newSubject()
	x.populate(t, s)
	lost := time.Now().Add(time.Minute)
	if err := s.Fill(t.Context(), func(yield func(store.Record, error) bool) { yield(store.Record{Loss: &store.Loss{At: lost}}, nil) }); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.RedeemCode(t.Context(), newCode(x), store.SessionLimits{}, lost.Add(store.CodeLife-time.Second)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a code from before the loss: got %v, want ErrNotFound", err)
	}
	if list, err := s.ListSessions(t.Context(), x.user.ID, x.now, month); err != nil || len(list) != 1 {
		t.Errorf("got %d sessions, %v, want the one from before", len(list), err)
	}
	if _, _, err := s.RedeemCode(t.Context(), newCode(x), store.SessionLimits{}, lost.Add(store.CodeLife+time.Second)); err != nil {
		t.Errorf("a code from after the loss: %v", err)
	}
}

// TestCodesMove: what was redeemed is in an export, for a minute longer than the code can be redeemed at most.
func TestCodesMove(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	open := func() *Store {
		return mustOpen(t, rest(Config{Addrs: []string{server.Addr()}, Prefix: newPrefix(), Timeout: 10 * time.Second}))
	}
	s, x := open(), newSubject()
	x.populate(t, s)
	in, until := newCode(x), time.Now().Add(2*time.Minute)
	if _, _, err := s.RedeemCode(t.Context(), in, store.SessionLimits{}, until); err != nil {
		t.Fatal(err)
	}
	var codes []store.Record
	if err := s.Export(t.Context(), func(r store.Record) error {
		if r.UsedCode != nil {
			codes = append(codes, r)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(codes) != 1 || codes[0].UsedCode.SessionID != in.ID || codes[0].UsedCode.UserID != in.UserID || codes[0].UsedCode.Until.Sub(until).Abs() > time.Minute/2 {
		t.Fatalf("exported: got %+v, want session %s until %v", codes, in.ID, until)
	}
	next := open()
	x.populate(t, next)
	if err := next.Fill(t.Context(), func(yield func(store.Record, error) bool) { yield(codes[0], nil) }); err != nil {
		t.Fatal(err)
	}
	if _, _, err := next.RedeemCode(t.Context(), in, store.SessionLimits{}, until); !errors.Is(err, store.ErrExists) {
		t.Errorf("in the other store: got %v, want ErrExists", err)
	}
}

// TestChildrenEndAgain: the end of a session that a new master has lost is done again, with what began from it, and this replica does
// not use what began from it meanwhile.
func TestChildrenEndAgain(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	s := mustOpen(t, rest(Config{Addrs: []string{server.Addr()}, Prefix: newPrefix(), Timeout: 10 * time.Second}))
	x := newSubject()
	x.populate(t, s)
	child, _, err := s.RedeemCode(t.Context(), newCode(x), store.SessionLimits{}, time.Now().Add(2*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.RevokeSession(t.Context(), x.user.ID, x.session.ID); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.StartSession(t.Context(), child, store.SessionLimits{}); err != nil { // as a master has it that has lost its end
		t.Fatal(err)
	}
	state, err := s.TokenState(t.Context(), store.TokenRef{UserID: x.user.ID, SessionID: child.ID})
	if err != nil || state.Live {
		t.Errorf("got live %v, %v, want an ended session", state.Live, err)
	}
	if _, _, err := s.RedeemCode(t.Context(), newCode(x), store.SessionLimits{}, time.Now().Add(2*time.Minute)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("RedeemCode from the ended session: got %v, want ErrNotFound", err)
	}
	s.reapply(t.Context())
	if list, err := s.ListSessions(t.Context(), x.user.ID, x.now, month); err != nil || len(list) != 0 {
		t.Errorf("got %d sessions, %v, want none", len(list), err)
	}
}

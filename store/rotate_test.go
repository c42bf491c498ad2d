package store_test

import (
	"testing"
	"time"

	"signet/store"
)

var t0 = time.UnixMilli(2_000_000_000_000).UTC()

// TestDecide holds the pure decision to what cannot be seen through a backend: those delete sessions
// that a user's NotBefore ends before Rotate could meet them. The rest is told in storetest.
func TestDecide(t *testing.T) {
	stored := store.Session{ID: store.SessionID{1}, UserID: store.UserID{2}, ClientID: "app", Generation: 5, Replays: 1, StartedAt: t0, RotatedAt: t0.Add(time.Second)}
	present := store.Rotation{SessionID: stored.ID, UserID: stored.UserID, ClientID: "app", Generation: 5, Now: t0.Add(2 * time.Second),
		Lifetimes: store.Lifetimes{Idle: time.Hour, Absolute: time.Hour}, Grace: 10 * time.Second, MaxReplays: 3}
	rotated := stored
	rotated.Generation, rotated.Replays, rotated.RotatedAt = 6, 0, present.Now
	for _, c := range []struct {
		name    string
		stored  store.Session
		status  store.UserStatus
		change  func(*store.Rotation)
		outcome store.Outcome
		kept    store.Session
	}{
		{"rotated", stored, store.UserStatus{}, nil, store.Rotated, rotated},
		{"no record", store.Session{}, store.UserStatus{}, nil, store.Gone, store.Session{}},
		{"user missing", stored, store.UserStatus{Missing: true}, nil, store.Revoked, store.Session{}},
		{"user disabled", stored, store.UserStatus{Disabled: true}, nil, store.Revoked, store.Session{}},
		{"begun before NotBefore", stored, store.UserStatus{NotBefore: t0.Add(time.Millisecond)}, nil, store.Revoked, store.Session{}},
		{"begun at NotBefore", stored, store.UserStatus{NotBefore: t0}, nil, store.Rotated, rotated},
		{"begun in NotBefore's millisecond", stored, store.UserStatus{NotBefore: t0.Add(time.Microsecond)}, nil, store.Rotated, rotated},
		{"other client of a missing user", stored, store.UserStatus{Missing: true}, func(r *store.Rotation) { r.ClientID = "web" }, store.Gone, stored},
		{"now below the millisecond", stored, store.UserStatus{}, func(r *store.Rotation) { r.Now = r.Now.Add(999 * time.Microsecond) }, store.Rotated, rotated},
	} {
		r := present
		if c.change != nil {
			c.change(&r)
		}
		kept, outcome := store.Decide(c.stored, c.status, r)
		if outcome != c.outcome || kept != c.kept {
			t.Errorf("%s: got %v and %+v, want %v and %+v", c.name, outcome, kept, c.outcome, c.kept)
		}
	}
}

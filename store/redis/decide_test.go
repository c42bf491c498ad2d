package redis

import (
	"context"
	"math"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signet/store"
	"signet/store/codec"
	"signet/store/redis/redistest"
)

// TestDecideInLua compares rotate.lua with store.Decide on random records and rotations.
func TestDecideInLua(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	s := mustOpen(t, rest(Config{Addrs: []string{server.Addr()}, Prefix: newPrefix(), Timeout: 10 * time.Second}))
	counts := map[store.Outcome]int{}
	all := []store.Outcome{store.Gone, store.Rotated, store.Replayed, store.Late, store.Reused, store.Healed, store.Revoked, store.Stale, store.Ahead}
	unseen := func(o store.Outcome) bool { return counts[o] == 0 }
	for round := 0; round < 8 || round < 80 && slices.ContainsFunc(all, unseen); round++ { // some come seldom
		rapid.Check(t, func(t *rapid.T) { decideInLua(t, s, counts) })
	}
	t.Log(counts)
	for _, o := range all {
		if counts[o] == 0 && !testing.Short() {
			t.Errorf("no rotation was %v", o)
		}
	}
}

func decideInLua(t *rapid.T, s *Store, counts map[store.Outcome]int) {
	was, u, r := drawRotation(t)
	format := rapid.SampledFrom([]int{store.Format1, store.Format2, store.Format2, store.Format2}).Draw(t, "format")
	s.deps.Codec.SetFormat(format)
	recordFormat := min(format, rapid.IntRange(1, 2).Draw(t, "format of the records"))
	fromNow := was.ClientEpoch == r.ClientEpoch
	if was, u = s.asStored(t, was, u, recordFormat); fromNow {
		r.ClientEpoch = was.ClientEpoch
	}

	status := u.Status()
	if status.Missing = rapid.IntRange(0, 19).Draw(t, "missing") == 0; status.Missing {
		if _, err := s.node().Del(context.Background(), s.deps.Key.User(u.ID)).Result(); err != nil {
			t.Fatal(err)
		}
	}
	limited := r
	if format == store.Format1 {
		limited.Late, limited.ClientEpoch = 0, 0
	}
	kept, want := store.Decide(was, status, limited)
	session, _, got, err := s.Rotate(context.Background(), r)
	if err != nil || got != want {
		t.Fatalf("got %v, %v, want %v\n%+v\n%+v\n%+v", got, err, want, was, status, r)
	}
	counts[got]++
	if want.GoesOn() && session != inFormat(kept, format) {
		t.Fatalf("%v: got %+v, want %+v", want, session, kept)
	}
	if want == store.Reused && session != was {
		t.Fatalf("the session that was reused: got %+v, want %+v", session, was)
	}
	state, err := s.TokenState(context.Background(), store.TokenRef{JTI: "x", UserID: was.UserID, SessionID: was.ID})
	if err != nil || !status.Missing && state.Session != inFormat(kept, max(format, recordFormat)) {
		t.Fatalf("%v: the record: got %+v, %v, want %+v", want, state.Session, err, kept)
	}
}

func inFormat(session store.Session, format int) store.Session {
	if session.ID.IsZero() {
		return session
	}
	session, _ = codec.DecodeSession(session.UserID, session.ID, codec.EncodeSession(session, format), session.ClientID)
	return session
}

// asStored writes both records, and returns what they hold.
func (s *Store) asStored(t *rapid.T, session store.Session, u store.User, format int) (store.Session, store.User) {
	ctx, key := context.Background(), s.deps.Key.UserAndSessions(u.ID)
	raw := s.deps.Codec.EncodeUser(u)
	_, err := s.node().Set(ctx, key[0], raw, 0).Result()
	if err != nil {
		t.Fatal(err)
	}
	if u, err = s.deps.Codec.DecodeUser(u.ID, raw); err != nil {
		t.Fatal(err)
	}
	if _, err := s.node().HSet(ctx, key[1], session.ID[:], codec.EncodeSession(session, format)).Result(); err != nil {
		t.Fatal(err)
	}
	return inFormat(session, format), u
}

func drawRotation(t *rapid.T) (session store.Session, u store.User, r store.Rotation) {
	small := rapid.SampledFrom([]uint32{0, 0, 0, 0, 1, 2, store.MaxEpoch})
	around := rapid.SampledFrom([]int64{0, 1, 999, 1000, 1001, 2000, 2001, 60_000, 60_001, 99_999, 100_000, -5000})
	addresses := rapid.SampledFrom([]string{"", "192.0.2.1", "2001:db8:1:2:3::4"})
	address := func(name string) netip.Addr {
		a, _ := netip.ParseAddr(addresses.Draw(t, name))
		return a
	}
	u = store.User{ID: randomID(), Username: "user", Epoch: small.Draw(t, "user's epoch"), Disabled: rapid.IntRange(0, 19).Draw(t, "disabled") == 0}
	if rapid.IntRange(0, 9).Draw(t, "has not-before") == 0 {
		u.NotBefore = begun.Add(time.Duration(around.Draw(t, "not-before")) * time.Millisecond)
	}
	session = store.Session{
		ID: randomID(), UserID: u.ID, ClientID: rapid.SampledFrom([]string{"app", "a client with an id of thirty-two"}).Draw(t, "client"),
		Generation: rapid.SampledFrom([]uint32{0, 1, 5, 70_000, math.MaxUint32 - 1, math.MaxUint32}).Draw(t, "generation"),
		Replays:    uint16(rapid.IntRange(0, 3).Draw(t, "replays")), StartedAt: begun,
		RotatedAt: begun.Add(time.Duration(max(0, around.Draw(t, "rotated"))) * time.Millisecond),
		UserEpoch: u.Epoch, ClientEpoch: small.Draw(t, "client's epoch"), Address: address("address"),
		Skipped: rapid.SampledFrom([]uint16{0, 0, 0, 1, 2, math.MaxUint16}).Draw(t, "skipped"),
	}
	if rapid.IntRange(0, 9).Draw(t, "another epoch") == 0 {
		session.UserEpoch = small.Draw(t, "session's epoch")
	}
	back := rapid.SampledFrom([]uint32{0, 0, 1, 1 + uint32(session.Skipped), 1 + uint32(session.Skipped), 2, 3, math.MaxUint32}).Draw(t, "back")
	r = store.Rotation{
		UserID: u.ID, SessionID: session.ID, ClientID: session.ClientID, Generation: session.Generation - back,
		Now:       session.RotatedAt.Add(time.Duration(around.Draw(t, "later")) * time.Millisecond),
		Lifetimes: store.Lifetimes{Idle: 100 * time.Second, Absolute: 200 * time.Second},
		Grace:     time.Duration(rapid.IntRange(0, 2).Draw(t, "grace")) * time.Second, MaxReplays: 3,
		Late:        time.Duration(rapid.IntRange(0, 1).Draw(t, "late")) * time.Minute,
		ClientEpoch: session.ClientEpoch, ClientConfirmed: rapid.Bool().Draw(t, "confirmed"), Address: address("caller"),
	}
	if rapid.IntRange(0, 3).Draw(t, "loss") > 0 {
		r.Loss.At = session.RotatedAt.Add(rapid.SampledFrom([]time.Duration{-time.Hour, -time.Millisecond, 0, time.Millisecond, time.Hour, -store.HealWithin, -store.HealWithin - time.Second}).Draw(t, "lost"))
	}
	switch rapid.IntRange(0, 19).Draw(t, "other") {
	case 0:
		r.ClientID = "other"
	case 1, 2:
		r.ClientEpoch = small.Draw(t, "caller's epoch")
	case 3:
		r.NotBefore = begun.Add(time.Millisecond)
	}
	return session, u, r
}

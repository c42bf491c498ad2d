package storetest

import (
	"context"
	"testing"
	"time"

	"signet/store"
)

// present is one step of a story: a generation is presented at a time after t0 and the answer and
// the record are what they should be.
type present struct {
	at         time.Duration
	generation uint32
	want       store.Outcome

	// the record afterwards, unless it is gone
	stored  uint32
	replays uint16
	rotated time.Duration // RotatedAt, after t0

	rotation func(r *store.Rotation) // changes what is presented
	before   func(t *testing.T, s store.Store, user store.UserID)
}

func otherClient(r *store.Rotation) { r.ClientID = "other" }
func noGrace(r *store.Rotation)     { r.Grace = 0 }
func noReplays(r *store.Rotation)   { r.MaxReplays = 0 }

func lifetimes(idle, absolute time.Duration) func(*store.Rotation) {
	return func(r *store.Rotation) { r.Lifetimes = store.Lifetimes{Idle: idle, Absolute: absolute} }
}

func clientNotBefore(d time.Duration) func(*store.Rotation) {
	return func(r *store.Rotation) { r.NotBefore = t0.Add(d) }
}

func deleteUser(t *testing.T, s store.Store, user store.UserID) {
	noError(t, "DeleteUser", s.DeleteUser(context.Background(), user))
}

func disableUser(t *testing.T, s store.Store, user store.UserID) { disable(t, s, user) }

const (
	rotated  = store.Rotated
	replayed = store.Replayed
	reused   = store.Reused
	healed   = store.Healed
	revoked  = store.Revoked
	gone     = store.Gone

	ms = time.Millisecond
	s1 = time.Second
)

// stories are about one session that begins at t0. Unless they say otherwise, grace is ten seconds
// and three replays are allowed.
var stories = []struct {
	name  string
	steps []present
}{
	{"rotated", []present{
		{at: s1, generation: 0, want: rotated, stored: 1, rotated: s1},
		{at: 9 * s1, generation: 1, want: rotated, stored: 2, rotated: 9 * s1},
		{at: 99 * s1, generation: 2, want: rotated, stored: 3, rotated: 99 * s1},
	}},
	{"replayed inside grace and in its last millisecond", []present{
		{at: s1, generation: 0, want: rotated, stored: 1, rotated: s1},
		{at: s1, generation: 0, want: replayed, stored: 1, replays: 1, rotated: s1},
		{at: 11 * s1, generation: 0, want: replayed, stored: 1, replays: 2, rotated: s1},
	}},
	{"reused after grace", []present{
		{at: s1, generation: 0, want: rotated, stored: 1, rotated: s1},
		{at: 11*s1 + ms, generation: 0, want: reused},
		{at: 12 * s1, generation: 1, want: gone},
	}},
	{"a replay does not extend the grace window", []present{
		{at: s1, generation: 0, want: rotated, stored: 1, rotated: s1},
		{at: 10 * s1, generation: 0, want: replayed, stored: 1, replays: 1, rotated: s1},
		{at: 12 * s1, generation: 0, want: reused},
	}},
	{"reused beyond the replay bound", []present{
		{at: s1, generation: 0, want: rotated, stored: 1, rotated: s1},
		{at: 2 * s1, generation: 0, want: replayed, stored: 1, replays: 1, rotated: s1},
		{at: 2 * s1, generation: 0, want: replayed, stored: 1, replays: 2, rotated: s1},
		{at: 2 * s1, generation: 0, want: replayed, stored: 1, replays: 3, rotated: s1},
		{at: 2 * s1, generation: 0, want: reused},
	}},
	{"a rotation makes room for new replays", []present{
		{at: s1, generation: 0, want: rotated, stored: 1, rotated: s1},
		{at: 2 * s1, generation: 0, want: replayed, stored: 1, replays: 1, rotated: s1},
		{at: 3 * s1, generation: 1, want: rotated, stored: 2, rotated: 3 * s1},
		{at: 4 * s1, generation: 1, want: replayed, stored: 2, replays: 1, rotated: 3 * s1},
	}},
	{"without grace", []present{
		{at: s1, generation: 0, want: rotated, stored: 1, rotated: s1},
		{at: s1, generation: 0, want: reused, rotation: noGrace},
	}},
	{"without replays", []present{
		{at: s1, generation: 0, want: rotated, stored: 1, rotated: s1},
		{at: s1, generation: 0, want: reused, rotation: noReplays},
	}},
	{"two generations back is reuse inside grace", []present{
		{at: s1, generation: 0, want: rotated, stored: 1, rotated: s1},
		{at: s1, generation: 1, want: rotated, stored: 2, rotated: s1},
		{at: s1, generation: 0, want: reused},
		{at: s1, generation: 2, want: gone},
	}},
	{"healed", []present{
		{at: s1, generation: 5, want: healed, stored: 6, rotated: s1},
		{at: 2 * s1, generation: 5, want: replayed, stored: 6, replays: 1, rotated: s1},
		{at: 3 * s1, generation: 6, want: rotated, stored: 7, rotated: 3 * s1},
		{at: 4 * s1, generation: 3, want: reused},
	}},
	{"healing forgets replays", []present{
		{at: s1, generation: 0, want: rotated, stored: 1, rotated: s1},
		{at: s1, generation: 0, want: replayed, stored: 1, replays: 1, rotated: s1},
		{at: 2 * s1, generation: 2, want: healed, stored: 3, rotated: 2 * s1},
	}},
	{"the last generation has no successor", []present{
		{at: s1, generation: 1<<32 - 2, want: healed, stored: 1<<32 - 1, rotated: s1},
		{at: 2 * s1, generation: 1<<32 - 2, want: replayed, stored: 1<<32 - 1, replays: 1, rotated: s1},
		{at: 3 * s1, generation: 1<<32 - 1, want: gone},
		{at: 3 * s1, generation: 1<<32 - 2, want: gone},
	}},
	{"another client changes nothing", []present{
		{at: s1, generation: 0, want: rotated, stored: 1, rotated: s1},
		{at: 2 * s1, generation: 1, want: gone, stored: 1, rotated: s1, rotation: otherClient},
		{at: 30 * s1, generation: 0, want: gone, stored: 1, rotated: s1, rotation: otherClient},
		{at: 1e6 * s1, generation: 9, want: gone, stored: 1, rotated: s1, rotation: func(r *store.Rotation) {
			otherClient(r)
			r.Lifetimes = store.Lifetimes{Idle: 1, Absolute: 1}
		}},
		{at: 31 * s1, generation: 1, want: rotated, stored: 2, rotated: 31 * s1},
	}},
	{"idle until the end", []present{
		{at: 60*s1 - ms, generation: 0, want: rotated, stored: 1, rotated: 60*s1 - ms, rotation: lifetimes(60*s1, 300*s1)},
		{at: 120*s1 - 2*ms, generation: 1, want: rotated, stored: 2, rotated: 120*s1 - 2*ms, rotation: lifetimes(60*s1, 300*s1)},
		{at: 180*s1 - 2*ms, generation: 2, want: gone, rotation: lifetimes(60*s1, 300*s1)},
		{at: 180*s1 - 2*ms, generation: 2, want: gone}, // it was deleted, not only refused
	}},
	{"absolute end", []present{
		{at: 100*s1 - ms, generation: 0, want: rotated, stored: 1, rotated: 100*s1 - ms, rotation: lifetimes(60000*s1, 100*s1)},
		{at: 100 * s1, generation: 1, want: gone, rotation: lifetimes(60000*s1, 100*s1)},
		{at: 100 * s1, generation: 1, want: gone},
	}},
	{"an old generation of a session that is over is no reuse", []present{
		{at: s1, generation: 0, want: rotated, stored: 1, rotated: s1},
		{at: 100 * s1, generation: 0, want: gone, rotation: lifetimes(60*s1, 300*s1)},
	}},
	{"a clock that is behind does not turn the session's time back", []present{
		{at: 10 * s1, generation: 0, want: rotated, stored: 1, rotated: 10 * s1},
		{at: 4 * s1, generation: 0, want: replayed, stored: 1, replays: 1, rotated: 10 * s1},
		{at: 5 * s1, generation: 1, want: rotated, stored: 2, rotated: 10 * s1},
		{at: 6 * s1, generation: 4, want: healed, stored: 5, rotated: 10 * s1},
		{at: 12 * s1, generation: 5, want: rotated, stored: 6, rotated: 12 * s1},
	}},
	{"user disabled", []present{
		{at: s1, generation: 0, want: revoked, before: disableUser},
		{at: s1, generation: 0, want: gone},
	}},
	{"a disabled user's old generation is revoked, not reused", []present{
		{at: s1, generation: 0, want: rotated, stored: 1, rotated: s1},
		{at: 99 * s1, generation: 0, want: revoked, before: disableUser},
	}},
	{"a disabled user's session that is over is revoked", []present{
		{at: 99 * s1, generation: 0, want: revoked, rotation: lifetimes(s1, s1), before: disableUser},
	}},
	{"another client learns nothing of a disabled user", []present{
		{at: s1, generation: 0, want: gone, stored: 0, rotation: otherClient, before: disableUser},
	}},
	{"user deleted", []present{
		{at: s1, generation: 0, want: gone, before: deleteUser}, // its sessions went with it
	}},
	{"client's NotBefore", []present{
		{at: s1, generation: 0, want: rotated, stored: 1, rotated: s1, rotation: clientNotBefore(0)}, // begun at it, not before
		{at: 2 * s1, generation: 1, want: revoked, rotation: clientNotBefore(ms)},
		{at: 2 * s1, generation: 1, want: gone},
	}},
}

func testRotate(t *testing.T, b Backend) {
	for _, story := range stories {
		t.Run(story.name, func(t *testing.T) { tell(t, b.Store, story.steps) })
	}
	t.Run("unknown session", func(t *testing.T) {
		r := rotation(store.Session{ID: newSessionID(), UserID: addUser(t, b.Store).ID, ClientID: "app"}, 0, t0)
		session, user, o, err := b.Store.Rotate(context.Background(), r)
		noError(t, "Rotate", err)
		equal(t, "outcome", o, gone)
		equal(t, "what comes with it", []any{session, user}, []any{store.Session{}, store.User{}})
	})
}

func tell(t *testing.T, s store.Store, steps []present) {
	u := addUser(t, s)
	session := addSession(t, s, u.ID, t0)
	for i, step := range steps {
		if step.before != nil {
			step.before(t, s, u.ID)
		}
		r := rotation(session, step.generation, t0.Add(step.at))
		if step.rotation != nil {
			step.rotation(&r)
		}
		got, user, o, err := s.Rotate(context.Background(), r)
		noError(t, "Rotate", err)
		if o != step.want {
			t.Fatalf("step %d: generation %d at %v: got %v, want %v", i+1, step.generation, step.at, o, step.want)
		}
		want := session
		want.Generation, want.Replays, want.RotatedAt = step.stored, step.replays, t0.Add(step.rotated)
		switch o {
		case rotated, replayed, healed:
			equal(t, "the session returned", got, want)
			equal(t, "the user returned", user, u)
		default:
			equal(t, "what comes with "+o.String(), []any{got, user}, []any{store.Session{}, store.User{}})
		}
		left := must[store.TokenState](t, "TokenState")(s.TokenState(context.Background(), store.TokenRef{JTI: "x", UserID: u.ID, SessionID: session.ID}))
		if kept := step.want != reused && step.want != revoked && (step.want != gone || r.ClientID != session.ClientID); !kept {
			want = store.Session{}
		}
		equal(t, "the record", left.Session, want)
	}
}

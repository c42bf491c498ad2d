package storetest

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"time"

	"signet/store"
)

// present is one step of a story: the generation that is presented at a time after t0, the outcome, and the record
// afterwards.
type present struct {
	at         time.Duration
	generation uint32
	want       store.Outcome

	// the record afterwards, unless it is gone
	stored  uint32
	replays uint16
	rotated time.Duration // RotatedAt, after t0
	skipped uint16

	rotation func(r *store.Rotation) // changes what is presented
	before   func(t *testing.T, s store.Store, user store.UserID)
}

func otherClient(r *store.Rotation) { r.ClientID = "other" }
func noGrace(r *store.Rotation)     { r.Grace = 0 }
func noReplays(r *store.Rotation)   { r.MaxReplays = 0 }

func lifetimes(idle, absolute time.Duration) func(*store.Rotation) {
	return func(r *store.Rotation) { r.Lifetimes = store.Lifetimes{Idle: idle, Absolute: absolute} }
}

// lately answers late refreshes within a minute.
func lately(r *store.Rotation) { r.Late = time.Minute }

func latelyWithoutGrace(r *store.Rotation) { r.Late, r.Grace = time.Minute, 0 }

// lossAfter explains every generation that is newer than its record: t is after its last rotation.
func lossAfter(t time.Time) store.Loss { return store.Loss{At: t} }

func noLoss(r *store.Rotation) { r.Loss = store.Loss{} }

func lossAt(d time.Duration) func(*store.Rotation) {
	return func(r *store.Rotation) { r.Loss = store.Loss{At: t0.Add(d)} }
}

func lossAtFor(d, idle time.Duration) func(*store.Rotation) {
	return func(r *store.Rotation) {
		r.Loss, r.Lifetimes = store.Loss{At: t0.Add(d)}, store.Lifetimes{Idle: idle, Absolute: idle}
	}
}

func clientEpoch(e uint32) func(*store.Rotation) {
	return func(r *store.Rotation) { r.ClientEpoch = e }
}

func clientConfirmed(e uint32) func(*store.Rotation) {
	return func(r *store.Rotation) { r.ClientEpoch, r.ClientConfirmed = e, true }
}

func clientNotBefore(d time.Duration) func(*store.Rotation) {
	return func(r *store.Rotation) { r.NotBefore = t0.Add(d) }
}

func deleteUser(t *testing.T, s store.Store, user store.UserID) {
	noError(t, "DeleteUser", s.DeleteUser(context.Background(), user))
}

func endSessions(t *testing.T, s store.Store, user store.UserID) {
	must[int](t, "RevokeSessions")(s.RevokeSessions(context.Background(), user))
}

func disableUser(t *testing.T, s store.Store, user store.UserID) { disable(t, s, user) }

const (
	rotated  = store.Rotated
	replayed = store.Replayed
	reused   = store.Reused
	late     = store.Late
	stale    = store.Stale
	healed   = store.Healed
	ahead    = store.Ahead
	revoked  = store.Revoked
	gone     = store.Gone

	ms = time.Millisecond
	s1 = time.Second
)

// stories are about one session that begins at t0. By default grace is ten seconds and three replays are allowed.
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
	{"a newer generation that no loss explains", []present{
		{at: s1, generation: 0, want: rotated, stored: 1, rotated: s1},
		{at: 2 * s1, generation: 5, want: ahead, stored: 1, rotated: s1, rotation: noLoss},
		{at: 2 * s1, generation: 5, want: ahead, stored: 1, rotated: s1, rotation: lossAt(s1 - ms)}, // rotated after the loss
		{at: 2 * s1, generation: 1, want: rotated, stored: 2, rotated: 2 * s1},
		{at: 3 * s1, generation: 5, want: healed, stored: 6, rotated: 3 * s1, rotation: lossAt(2 * s1)},
	}},
	{"a loss explains a newer generation for a week", []present{
		{at: store.HealWithin, generation: 5, want: healed, stored: 6, rotated: store.HealWithin, rotation: lossAtFor(0, 3*store.HealWithin)},
	}},
	{"a loss of more than a week ago", []present{
		{at: store.HealWithin + ms, generation: 5, want: ahead, rotation: lossAtFor(0, 3*store.HealWithin)},
		{at: store.HealWithin + ms, generation: 0, want: rotated, stored: 1, rotated: store.HealWithin + ms, rotation: lossAtFor(0, 3*store.HealWithin)},
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
	{"another client gets no answer about a disabled user", []present{
		{at: s1, generation: 0, want: gone, stored: 0, rotation: otherClient, before: disableUser},
	}},
	{"user deleted", []present{
		{at: s1, generation: 0, want: gone, before: deleteUser}, // its sessions went with it
	}},
	{"late", []present{
		{at: s1, generation: 0, want: rotated, stored: 1, rotated: s1, rotation: lately},
		{at: 11 * s1, generation: 0, want: replayed, stored: 1, replays: 1, rotated: s1, rotation: lately},
		{at: 11*s1 + ms, generation: 0, want: late, stored: 2, rotated: 11*s1 + ms, skipped: 1, rotation: lately},
		{at: 12 * s1, generation: 0, want: replayed, stored: 2, replays: 1, rotated: 11*s1 + ms, skipped: 1, rotation: lately},
		{at: 71*s1 + ms, generation: 0, want: late, stored: 3, rotated: 71*s1 + ms, skipped: 2, rotation: lately}, // in its last millisecond
		{at: 72 * s1, generation: 3, want: rotated, stored: 4, rotated: 72 * s1, rotation: lately},
		{at: 73 * s1, generation: 3, want: replayed, stored: 4, replays: 1, rotated: 72 * s1, rotation: lately},
		{at: 99 * s1, generation: 3, want: late, stored: 5, rotated: 99 * s1, skipped: 1, rotation: lately},
	}},
	{"too late", []present{
		{at: s1, generation: 0, want: rotated, stored: 1, rotated: s1, rotation: lately},
		{at: 61*s1 + ms, generation: 0, want: reused, rotation: lately},
		{at: 62 * s1, generation: 1, want: gone, rotation: lately},
	}},
	{"late without grace", []present{
		{at: s1, generation: 0, want: rotated, stored: 1, rotated: s1, rotation: latelyWithoutGrace},
		{at: s1, generation: 0, want: late, stored: 2, rotated: s1, skipped: 1, rotation: latelyWithoutGrace},
	}},
	{"a skipped generation is reuse", []present{
		{at: s1, generation: 0, want: rotated, stored: 1, rotated: s1, rotation: lately},
		{at: 20 * s1, generation: 0, want: late, stored: 2, rotated: 20 * s1, skipped: 1, rotation: lately},
		{at: 21 * s1, generation: 1, want: reused, rotation: lately}, // inside grace too
		{at: 21 * s1, generation: 2, want: gone, rotation: lately},
	}},
	{"the first of two skipped generations is reuse", []present{
		{at: s1, generation: 0, want: rotated, stored: 1, rotated: s1, rotation: lately},
		{at: 20 * s1, generation: 0, want: late, stored: 2, rotated: 20 * s1, skipped: 1, rotation: lately},
		{at: 40 * s1, generation: 0, want: late, stored: 3, rotated: 40 * s1, skipped: 2, rotation: lately},
		{at: 41 * s1, generation: 1, want: reused, rotation: lately},
	}},
	{"the predecessor of a used successor is reuse", []present{
		{at: s1, generation: 0, want: rotated, stored: 1, rotated: s1, rotation: lately},
		{at: 20 * s1, generation: 0, want: late, stored: 2, rotated: 20 * s1, skipped: 1, rotation: lately},
		{at: 30 * s1, generation: 2, want: rotated, stored: 3, rotated: 30 * s1, rotation: lately},
		{at: 31 * s1, generation: 0, want: reused, rotation: lately},
	}},
	{"late refreshes are not answered for more replays inside grace", []present{
		{at: s1, generation: 0, want: rotated, stored: 1, rotated: s1, rotation: lately},
		{at: 2 * s1, generation: 0, want: replayed, stored: 1, replays: 1, rotated: s1, rotation: lately},
		{at: 2 * s1, generation: 0, want: replayed, stored: 1, replays: 2, rotated: s1, rotation: lately},
		{at: 2 * s1, generation: 0, want: replayed, stored: 1, replays: 3, rotated: s1, rotation: lately},
		{at: 2 * s1, generation: 0, want: reused, rotation: lately},
	}},
	{"late refreshes of a disabled user are revoked", []present{
		{at: s1, generation: 0, want: rotated, stored: 1, rotated: s1, rotation: lately},
		{at: 20 * s1, generation: 0, want: revoked, rotation: lately, before: disableUser},
	}},
	{"a healed session that is late", []present{
		{at: s1, generation: 5, want: healed, stored: 6, rotated: s1, rotation: lately},
		{at: 20 * s1, generation: 5, want: late, stored: 7, rotated: 20 * s1, skipped: 1, rotation: lately},
		{at: 21 * s1, generation: 9, want: healed, stored: 10, rotated: 21 * s1, rotation: lately},
		{at: 22 * s1, generation: 5, want: reused, rotation: lately},
	}},
	{"the last generation has no late successor", []present{
		{at: s1, generation: 1<<32 - 2, want: healed, stored: 1<<32 - 1, rotated: s1, rotation: lately},
		{at: 20 * s1, generation: 1<<32 - 2, want: reused, rotation: lately},
	}},
	{"the session is from before an epoch of the client", []present{
		{at: s1, generation: 0, want: rotated, stored: 1, rotated: s1, rotation: clientEpoch(0)},
		{at: 2 * s1, generation: 1, want: revoked, rotation: clientEpoch(1)},
		{at: 2 * s1, generation: 1, want: gone},
	}},
	{"all sessions ended", []present{
		{at: s1, generation: 0, want: gone, before: endSessions},
	}},
	{"client's NotBefore", []present{
		{at: s1, generation: 0, want: rotated, stored: 1, rotated: s1, rotation: clientNotBefore(0)}, // begun at it, not before
		{at: 2 * s1, generation: 1, want: revoked, rotation: clientNotBefore(ms)},
		{at: 2 * s1, generation: 1, want: gone},
	}},
}

func testRotate(t *testing.T, b Backend) {
	for _, story := range stories {
		if b.Store.Format() == store.Format1 && slices.ContainsFunc(story.steps, ofFormat2) {
			continue
		}
		t.Run(story.name, func(t *testing.T) { runStory(t, b.Store, story.steps) })
	}
	if b.Store.Format() >= store.Format2 {
		t.Run("client epochs", func(t *testing.T) { testClientEpochs(t, b.Store) })
	}
	t.Run("unknown session", func(t *testing.T) {
		r := rotation(store.Session{ID: newSessionID(), UserID: addUser(t, b.Store).ID, ClientID: "app"}, 0, t0)
		session, user, o, err := b.Store.Rotate(context.Background(), r)
		noError(t, "Rotate", err)
		equal(t, "outcome", o, gone)
		equal(t, "what comes with it", []any{session, user}, []any{store.Session{}, store.User{}})
	})
}

// ofFormat2 reports whether a step needs what stores of format 1 do not keep.
func ofFormat2(p present) bool {
	r := store.Rotation{}
	if p.rotation != nil {
		p.rotation(&r)
	}
	return r.Late > 0 || r.ClientEpoch > 0
}

func runStory(t *testing.T, s store.Store, steps []present) {
	u := addUser(t, s)
	session := addSession(t, s, u.ID, t0)
	before := session
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
		want.Generation, want.Replays, want.RotatedAt, want.Skipped = step.stored, step.replays, t0.Add(step.rotated), step.skipped
		switch {
		case o.GoesOn():
			equal(t, "the session returned", got, want)
			equal(t, "the user returned", user, u)
		case o == reused:
			equal(t, "what comes with reuse", []any{got, user}, []any{before, store.User{}})
		default:
			equal(t, "what comes with "+o.String(), []any{got, user}, []any{store.Session{}, store.User{}})
		}
		left := tokenState(t, s, u.ID, session.ID)
		if kept := step.want != reused && step.want != revoked && (step.want != gone || r.ClientID != session.ClientID); !kept {
			want = store.Session{}
		}
		equal(t, "the record", left.Session, want)
		before = want
	}
}

// testClientEpochs: a session that began in a later epoch of its client than the caller has is not
// touched until the caller has read the client again.
func testClientEpochs(t *testing.T, s store.Store) {
	ctx := context.Background()
	begin := func() store.Session {
		in := store.Session{ID: newSessionID(), UserID: addUser(t, s).ID, ClientID: "app", StartedAt: t0, ClientEpoch: 2, Address: netip.MustParseAddr("192.0.2.1")}
		got, _, err := s.StartSession(ctx, in, ten)
		noError(t, "StartSession", err)
		return got
	}
	for _, c := range []struct {
		name   string
		change func(*store.Rotation)
		want   store.Outcome
	}{
		{"older", clientEpoch(1), stale},
		{"older, confirmed", clientConfirmed(1), revoked},
		{"the same", clientEpoch(2), rotated},
		{"the same, confirmed", clientConfirmed(2), rotated},
		{"newer", clientEpoch(3), revoked},
	} {
		session := begin()
		r := rotation(session, 0, t0.Add(s1))
		r.Address = netip.MustParseAddr("2001:db8:1:2:3:4:5:6")
		c.change(&r)
		got, o := rotate(t, s, r)
		equal(t, "the client's epoch is "+c.name, o, c.want)
		want := session
		switch o {
		case stale:
		case rotated:
			want.Generation, want.RotatedAt, want.Address = 1, r.Now, netip.MustParseAddr("2001:db8:1:2::")
			equal(t, "the session returned", got, want)
		default:
			want = store.Session{}
		}
		left := tokenState(t, s, session.UserID, session.ID)
		equal(t, c.name+": the record", left.Session, want)
	}
}

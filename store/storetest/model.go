package storetest

import (
	"cmp"
	"context"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signet/store"
)

// testModel does random operations on one user's sessions and on a map, and compares the answers. The rules of the map are
// written independently of store.Decide.
func testModel(t *testing.T, b Backend) {
	rapid.Check(t, func(rt *rapid.T) {
		u := store.User{ID: newUserID(), Username: randomName()}
		noError(rt, "CreateUser", b.Store.CreateUser(context.Background(), u))
		m := &model{t: rt, store: b.Store, user: u.ID, now: t0.UnixMilli(), sessions: map[store.SessionID]*entry{}}
		rt.Repeat(map[string]func(*rapid.T){
			"start":     m.start,
			"rotate":    m.rotate,
			"retry":     m.retry,
			"revoke":    m.revoke,
			"revokeAll": m.revokeAll,
			"wait":      m.wait,
			"":          m.compare,
		})
	})
}

// entry is a session as the model keeps it; times are in milliseconds.
type entry struct {
	generation, replays int64
	skipped             int64
	started, rotated    int64
}

type model struct {
	t        *rapid.T
	store    store.Store
	user     store.UserID
	now      int64
	sessions map[store.SessionID]*entry
	known    []store.SessionID // all that were ever started
}

const (
	modelLimit    = 3
	modelGrace    = 2000
	modelReplays  = 2
	modelLate     = 9000
	modelIdle     = 20_000
	modelAbsolute = 60_000
)

func (m *model) time(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func (m *model) wait(t *rapid.T) {
	m.now += rapid.SampledFrom([]int64{1, 999, 1000, 2000, 2001, 7000, 9000, 19_999, 20_000, -500, -3000}).Draw(t, "milliseconds")
}

func (m *model) start(t *rapid.T) {
	id := newSessionID()
	got, _, err := m.store.StartSession(context.Background(), store.Session{ID: id, UserID: m.user, ClientID: "app", StartedAt: m.time(m.now)}, store.SessionLimits{PerUser: modelLimit})
	noError(t, "StartSession", err)
	e := &entry{started: m.now}
	e.rotated = e.started
	for len(m.sessions) >= modelLimit {
		delete(m.sessions, m.oldest())
	}
	m.sessions[id] = e
	m.known = append(m.known, id)
	equal(t, "StartedAt", got.StartedAt, m.time(e.started))
}

func (m *model) oldest() (id store.SessionID) {
	for i, e := range m.sessions {
		o := m.sessions[id]
		if o == nil || cmp.Or(cmp.Compare(e.started, o.started), cmp.Compare(e.rotated, o.rotated), slices.Compare(i[:], id[:])) < 0 {
			id = i
		}
	}
	return id
}

func (m *model) pick(t *rapid.T) store.SessionID {
	if len(m.known) == 0 {
		t.Skip("no session yet")
	}
	return rapid.SampledFrom(m.known).Draw(t, "session")
}

// rotate presents any generation near the current one.
func (m *model) rotate(t *rapid.T) {
	id := m.pick(t)
	generation := rapid.Int64Range(0, 6).Draw(t, "generation")
	if e := m.sessions[id]; e != nil {
		generation = max(0, e.generation+rapid.Int64Range(-3, 2).Draw(t, "difference"))
	}
	m.present(t, id, generation, rapid.SampledFrom([]string{"app", "app", "app", "other"}).Draw(t, "client"))
}

// retry presents the predecessor, which random choice does too seldom.
func (m *model) retry(t *rapid.T) {
	id := m.pick(t)
	if e := m.sessions[id]; e != nil && e.generation > 0 {
		m.present(t, id, e.generation-1-e.skipped, "app")
	}
}

func (m *model) present(t *rapid.T, id store.SessionID, generation int64, client string) {
	want := m.expect(id, generation, client)
	got, _, o, err := m.store.Rotate(context.Background(), store.Rotation{
		UserID: m.user, SessionID: id, ClientID: client, Generation: uint32(generation), Now: m.time(m.now),
		Lifetimes: store.Lifetimes{Idle: modelIdle * time.Millisecond, Absolute: modelAbsolute * time.Millisecond},
		Grace:     modelGrace * time.Millisecond, MaxReplays: modelReplays, Late: modelLate * time.Millisecond, Loss: lossAfter(m.time(m.now).Add(time.Hour)),
	})
	noError(t, "Rotate", err)
	if o != want {
		t.Fatalf("Rotate of generation %d at %d: got %v, want %v", generation, m.now, o, want)
	}
	if e := m.sessions[id]; e != nil && o.GoesOn() {
		equal(t, "generation", int64(got.Generation), e.generation)
	}
}

// expect does to the map what Rotate should do to the store.
func (m *model) expect(id store.SessionID, generation int64, client string) store.Outcome {
	e := m.sessions[id]
	if e == nil || client != "app" {
		return store.Gone
	}
	now := max(m.now, e.rotated)
	if now >= e.rotated+modelIdle || now >= e.started+modelAbsolute {
		delete(m.sessions, id)
		return store.Gone
	}
	behind := e.generation - generation
	if behind <= 0 {
		e.generation, e.replays, e.rotated, e.skipped = generation+1, 0, now, 0
		if behind == 0 {
			return store.Rotated
		}
		return store.Healed
	}
	inGrace := now <= e.rotated+modelGrace
	switch {
	case behind != 1+e.skipped:
	case inGrace && e.replays < modelReplays:
		e.replays++
		return store.Replayed
	case !inGrace && now <= e.rotated+modelLate && m.store.Format() >= store.Format2:
		e.generation, e.replays, e.rotated, e.skipped = e.generation+1, 0, now, e.skipped+1
		return store.Late
	}
	delete(m.sessions, id)
	return store.Reused
}

func (m *model) revoke(t *rapid.T) {
	id := m.pick(t)
	existed, err := m.store.RevokeSession(context.Background(), m.user, id)
	noError(t, "RevokeSession", err)
	equal(t, "existed", existed, m.sessions[id] != nil)
	delete(m.sessions, id)
}

func (m *model) revokeAll(t *rapid.T) {
	n, err := m.store.RevokeSessions(context.Background(), m.user)
	noError(t, "RevokeSessions", err)
	equal(t, "ended", n, len(m.sessions))
	clear(m.sessions)
}

func (m *model) compare(t *rapid.T) {
	list, err := m.store.ListSessions(context.Background(), m.user, t0.Add(-time.Hour), month)
	noError(t, "ListSessions", err)
	got := map[store.SessionID]entry{}
	for _, s := range list {
		got[s.ID] = entry{int64(s.Generation), int64(s.Replays), int64(s.Skipped), s.StartedAt.UnixMilli(), s.RotatedAt.UnixMilli()}
	}
	want := map[store.SessionID]entry{}
	for id, e := range m.sessions {
		want[id] = *e
	}
	equal(t, "sessions", got, want)
}

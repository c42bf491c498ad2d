package redis

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/redis/go-redis/v9"

	"signet/store"
	"signet/store/codec"
	"signet/store/redis/conn"
	"signet/store/redis/redistest"
	"signet/store/storetest"
)

// TestLinearizable has two replicas of Signet ask the same few things at once, over connections of
// which some are lost, before or after the server has done what was asked.
func TestLinearizable(t *testing.T) {
	server := redistest.Start(t, redistest.Config{})
	testLinearizable(t, Config{Addrs: []string{server.Addr()}})
}

func TestLinearizableOnCluster(t *testing.T) {
	cluster := redistest.StartCluster(t, 3, 0)
	testLinearizable(t, Config{Mode: conn.Cluster, Addrs: cluster.Addrs()})
}

func testLinearizable(t *testing.T, cfg Config) {
	var unknown int
	count := map[store.Outcome]int{}
	for range 3 {
		h := recordHistory(t, cfg, (*Store).Rotate)
		h.report(t)
		if got := h.check(); got != porcupine.Ok {
			t.Fatalf("got %v, want %v", got, porcupine.Ok)
		}
		unknown += h.unknown
		for o, n := range h.count {
			count[o] += n
		}
	}
	for _, o := range []store.Outcome{store.Rotated, store.Replayed, store.Reused, store.Healed, store.Gone} {
		if count[o] == 0 {
			t.Errorf("no rotation was answered %q", o)
		}
	}
	if unknown == 0 {
		t.Error("no answer was lost")
	}
}

// TestLinearizableFindsDoubleWin forges a history: one who heard "replayed" is said to have heard "rotated".
func TestLinearizableFindsDoubleWin(t *testing.T) {
	server := redistest.Start(t, redistest.Config{})
	h := recordHistory(t, Config{Addrs: []string{server.Addr()}}, (*Store).Rotate)
	if got := h.check(); got != porcupine.Ok {
		t.Fatalf("before: got %v, want %v", got, porcupine.Ok)
	}
	h.forgeDoubleWin(t)
	if got := h.check(); got != porcupine.Illegal {
		t.Errorf("with a generation that was won twice: got %v, want %v", got, porcupine.Illegal)
	}
}

func (h *history) forgeDoubleWin(t *testing.T) {
	t.Helper()
	won := map[question]bool{} // not by somebody whose answer was lost, who may not have won
	for _, o := range h.ops {
		if o.Output.(reply).outcome == store.Rotated {
			won[o.Input.(question)] = true
		}
	}
	for i, o := range h.ops {
		heard := o.Output.(reply)
		if heard.outcome == store.Replayed && won[o.Input.(question)] {
			heard.outcome = store.Rotated
			h.ops[i].Output = heard
			return
		}
	}
	t.Fatal("nothing was replayed")
}

// TestLinearizableFindsTwoSteps runs a store that gets, decides, and then sets.
func TestLinearizableFindsTwoSteps(t *testing.T) {
	server := redistest.Start(t, redistest.Config{})
	h := recordHistory(t, Config{Addrs: []string{server.Addr()}}, rotateInTwoSteps)
	h.report(t)
	if got := h.check(); got != porcupine.Illegal {
		t.Errorf("got %v, want %v", got, porcupine.Illegal)
	}
}

func rotateInTwoSteps(s *Store, ctx context.Context, r store.Rotation) (store.Session, store.User, store.Outcome, error) {
	key := s.deps.Key.Sessions(r.UserID)
	get := conn.Command(key, "hget", key, r.SessionID[:])
	if err := s.deps.Conn.Do(ctx, "reading a session", get); err != nil {
		return store.Session{}, store.User{}, store.Gone, err
	}
	raw, found := get.Text()
	if !found {
		return store.Session{}, store.User{}, store.Gone, nil
	}
	was, err := codec.DecodeSession(r.UserID, r.SessionID, []byte(raw), r.ClientID)
	if err != nil {
		return store.Session{}, store.User{}, store.Gone, err
	}
	session, o := store.Decide(was, store.UserStatus{}, r)
	set := conn.Command(key, "hset", key, r.SessionID[:], codec.EncodeSession(session, store.Format2))
	if session.ID.IsZero() {
		set = conn.Command(key, "hdel", key, r.SessionID[:])
	}
	return session, store.User{}, o, s.deps.Conn.Do(ctx, "writing a session", set)
}

type rotateFunc func(*Store, context.Context, store.Rotation) (store.Session, store.User, store.Outcome, error)

const (
	recordUsers   = 4
	recordClients = 12
	recordAsked   = 80 // by each client
)

// history is what clients have asked and heard, and when.
type history struct {
	stores [2]*Store
	rotate rotateFunc
	users  [recordUsers]recordedUser
	begun  time.Time

	mu      sync.Mutex
	ops     []porcupine.Operation
	count   map[store.Outcome]int
	unknown int
}

// recordedUser is what the clients, together, know of a user.
type recordedUser struct {
	id store.UserID

	mu       sync.Mutex
	time     int64   // of the last revocation of all sessions
	sessions []token // by number
	started  []int   // numbers of those that are known to be there, or to have been
}

func recordHistory(t *testing.T, cfg Config, rotate rotateFunc) *history {
	t.Helper()
	cfg.Timeout, cfg.PoolSize = 10*time.Second, 50 // the machine may be busy; this is not about time
	cfg.Prefix = "linear-" + store.SessionID(randomID()).String()
	h := &history{rotate: rotate, begun: time.Now(), count: map[store.Outcome]int{}}
	for i := range h.stores {
		h.stores[i] = mustOpen(t, cfg)
	}
	for i := range h.users {
		h.users[i].id = seedUser(t, h.stores[0]).ID
		h.users[i].time = begun.UnixMilli()
	}
	for _, s := range h.stores {
		s.loseSome(t)
	}
	var clients sync.WaitGroup
	for client := range recordClients {
		clients.Go(func() {
			for range recordAsked {
				h.askSomething(client)
			}
		})
	}
	clients.Wait()
	return h
}

func (h *history) check() porcupine.CheckResult {
	return porcupine.CheckOperationsTimeout(sessionModel(), h.ops, time.Minute)
}

func (h *history) report(t *testing.T) {
	t.Helper()
	t.Logf("%d operations of %d clients: outcomes %v, without an answer %d", len(h.ops), recordClients, h.count, h.unknown)
}

// askSomething is one client's next question.
func (h *history) askSomething(client int) {
	user := rand.IntN(recordUsers)
	u := &h.users[user]
	u.mu.Lock()
	q, asked := u.question()
	u.mu.Unlock()
	q.user = user
	h.ask(client, q, asked)
}

// question needs mu. Nobody knows of a session before its start was answered, so nobody asks.
func (u *recordedUser) question() (question, token) {
	if len(u.started) == 0 || len(u.sessions) < mostSessions && rand.IntN(100) < 8 {
		u.sessions = append(u.sessions, token{user: u.id, session: randomID()})
		n := len(u.sessions) - 1
		return question{verb: start, session: n}, u.sessions[n]
	}
	n := u.started[len(u.started)-1-rand.IntN(min(4, len(u.started)))] // one of the youngest: the others are mostly over
	q := question{session: n}
	switch percent := rand.IntN(100); {
	case percent < 72:
		q.verb, q.generation = rotate, near(u.sessions[n].generation)
	case percent < 80:
		q.verb = list
	case percent < 92:
		q.verb = look
	case percent < 98:
		q.verb = revoke
	default:
		u.time++
		q.verb, q.time = revokeAll, u.time
	}
	return q, u.sessions[n]
}

// near is mostly the generation itself.
func near(generation uint32) uint32 {
	switch n := rand.IntN(100); {
	case n < 2:
		return generation + 1
	case n < 14 && generation >= 1:
		return generation - 1
	case n < 16 && generation >= 2:
		return generation - 2
	}
	return generation
}

func (h *history) ask(client int, q question, k token) {
	ctx, s := context.Background(), h.stores[client%len(h.stores)]
	call := time.Since(h.begun).Nanoseconds()
	heard, err := h.answer(ctx, s, q, k)
	o := porcupine.Operation{ClientId: client, Input: q, Call: call, Output: heard, Return: time.Since(h.begun).Nanoseconds()}
	h.mu.Lock()
	defer h.mu.Unlock()
	if q.verb == rotate && err == nil {
		h.count[heard.outcome]++
	}
	// A store that hears of a revocation while its rotation is under way says "revoked" of a session
	// that it may have rotated before: two things, of which the second is what it says.
	if err == nil && heard.outcome == store.Revoked {
		seen := o
		seen.Input = question{verb: dead, user: q.user, session: q.session}
		h.ops = append(h.ops, seen)
	}
	if err != nil || heard.outcome == store.Revoked {
		o.Output, o.Return = reply{unknown: true}, never
		h.unknown++
	}
	h.ops = append(h.ops, o)
}

func (h *history) answer(ctx context.Context, s *Store, q question, k token) (r reply, err error) {
	switch q.verb {
	case start:
		if _, err = startSession(ctx, s, k.user, k.session); err == nil {
			h.learn(q, 0)
		}
	case rotate:
		var session store.Session
		session, _, r.outcome, err = h.rotate(s, ctx, store.Rotation{
			UserID: k.user, SessionID: k.session, ClientID: app, Generation: q.generation, Now: presented,
			Lifetimes: long, Grace: time.Minute, MaxReplays: modelReplays, Loss: store.Loss{At: presented.Add(time.Hour)},
		})
		if goesOn(r.outcome) {
			r.generation = session.Generation
			h.learn(q, r.generation)
		}
	case revoke:
		var existed bool
		if existed, err = s.RevokeSession(ctx, k.user, k.session); existed {
			r.n = 1
		}
	case revokeAll:
		r.n, err = s.RevokeSessions(ctx, k.user)
	case list:
		r.sessions, err = h.list(ctx, s, q)
	case look:
		var state store.TokenState
		state, err = s.TokenState(ctx, store.TokenRef{JTI: "none", UserID: k.user, SessionID: k.session})
		r.live, r.generation = state.Live, state.Session.Generation
	}
	return r, err
}

func (h *history) learn(q question, generation uint32) {
	u := &h.users[q.user]
	u.mu.Lock()
	defer u.mu.Unlock()
	if q.verb == start {
		u.started = append(u.started, q.session)
	}
	u.sessions[q.session].generation = max(u.sessions[q.session].generation, generation)
}

func (h *history) list(ctx context.Context, s *Store, q question) (all [mostSessions]kept, err error) {
	u := &h.users[q.user]
	sessions, err := s.ListSessions(ctx, u.id, presented, long)
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, session := range sessions {
		n := slices.IndexFunc(u.sessions, func(k token) bool { return k.session == session.ID })
		all[n] = kept{session.StartedAt.UnixMilli(), session.Generation, session.Replays}
	}
	return all, err
}

// loseSome loses two of a hundred writes of the store: one before, one after it was carried out.
func (s *Store) loseSome(t *testing.T) {
	add := func(_ context.Context, node *redis.Client) error { node.AddHook(loseSomeHook{}); return nil }
	if err := s.deps.Conn.EachMaster(t.Context(), add); err != nil {
		t.Fatal(err)
	}
}

type loseSomeHook struct{}

func (loseSomeHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (loseSomeHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		return loseSome([]redis.Cmder{cmd}, func() error { return next(ctx, cmd) })
	}
}

func (loseSomeHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		return loseSome(cmds, func() error { return next(ctx, cmds) })
	}
}

func loseSome(cmds []redis.Cmder, next func() error) error {
	at := rand.IntN(100)
	if at > 1 {
		return next()
	}
	fault := faultHook{at: storetest.Fault(at)}
	fault.on.Store(true)
	return fault.fail(cmds, next)
}

package storetest

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/store"
)

// try is one attempt at a time after the beginning and the wait that it meets.
type try struct {
	at   time.Duration
	wait time.Duration
	same string
}

const mi = time.Minute

// throttles are about failures of one limit that are known at once.
var throttles = []struct {
	name  string
	limit store.Limit
	tries []try
}{
	{"limit and window", store.Limit{Free: 2, Window: mi}, []try{
		{at: 0}, {at: 10 * s1}, {at: 20 * s1, wait: 40 * s1}, {at: 59 * s1, wait: s1}, {at: mi - ms, wait: ms},
		{at: mi}, {at: mi}, {at: mi + s1, wait: 59 * s1},
	}},
	{"the window counts from the first attempt", store.Limit{Free: 2, Window: mi}, []try{
		{at: 0}, {at: 59 * s1}, {at: 60 * s1}, {at: 61 * s1}, {at: 62 * s1, wait: 58 * s1},
	}},
	{"a limit of nothing", store.Limit{Free: 0, Window: mi}, []try{{at: 0, wait: mi}, {at: s1, wait: mi}}},
	{"backoff doubles from one second to its most", store.Limit{Free: 2, Window: 10 * mi, Backoff: 6 * s1}, []try{
		{at: 0}, {at: 0},
		{at: 0, wait: s1}, {at: s1 - ms, wait: ms}, {at: s1},
		{at: s1, wait: 2 * s1}, {at: 3 * s1},
		{at: 3 * s1, wait: 4 * s1}, {at: 7 * s1},
		{at: 7 * s1, wait: 6 * s1}, {at: 13 * s1},
		{at: 13 * s1, wait: 6 * s1}, {at: 19 * s1}, {at: 24 * s1, wait: s1},
	}},
	{"with backoff the window counts from the last attempt", store.Limit{Free: 1, Window: mi, Backoff: 4 * s1}, []try{
		{at: 0}, {at: 30 * s1}, {at: 80 * s1}, {at: 80 * s1, wait: 4 * s1},
		{at: 80*s1 + mi}, {at: 80*s1 + mi, wait: s1},
	}},
	{"backoff below a second", store.Limit{Free: 1, Window: mi, Backoff: 500 * ms}, []try{{at: 0}, {at: 0, wait: 500 * ms}, {at: 500 * ms}}},
	{"refusals count nothing", store.Limit{Free: 1, Window: mi, Backoff: 8 * s1}, []try{
		{at: 0}, {at: 0, wait: s1}, {at: 0, wait: s1}, {at: 0, wait: s1}, {at: s1}, {at: s1, wait: 2 * s1},
	}},
	{"the same attempt counts once", store.Limit{Free: 1, Window: mi, SameFor: 10 * s1}, []try{
		{at: 0, same: "a"}, {at: s1, same: "a"}, {at: 10 * s1, same: "a"},
		{at: 10*s1 + ms, same: "a", wait: 50*s1 - ms},
		{at: 11 * s1, same: "b", wait: 49 * s1},
	}},
	{"the same attempt, but not the one before", store.Limit{Free: 2, Window: mi, SameFor: 10 * s1}, []try{
		{at: 0, same: "a"}, {at: s1, same: "b"}, {at: 2 * s1, same: "a", wait: 58 * s1}, {at: 2 * s1, same: "b"},
	}},
	{"a refused attempt is not the one before", store.Limit{Free: 1, Window: mi, SameFor: 10 * s1}, []try{
		{at: 0, same: "a"}, {at: s1, same: "b", wait: 59 * s1}, {at: 2 * s1, same: "b", wait: 58 * s1}, {at: 2 * s1, same: "a"},
	}},
	{"attempts without Same are all different", store.Limit{Free: 1, Window: mi, SameFor: 10 * s1}, []try{
		{at: 0}, {at: 0, wait: mi},
	}},
	{"a clock that runs backwards", store.Limit{Free: 1, Window: mi, Backoff: 8 * s1}, []try{
		{at: 10 * s1}, {at: 0, wait: s1}, {at: 11 * s1},
	}},
}

// soon is now in whole milliseconds: throttle times stay near the clock, because a backend may also
// let its records run out by it.
func soon() time.Time { return time.Now().Truncate(time.Millisecond) }

func testThrottle(t *testing.T, b Backend) {
	begin := soon()
	for _, c := range throttles {
		t.Run(c.name, func(t *testing.T) {
			limit := c.limit
			limit.Key = "key-" + randomName()
			for i, try := range c.tries {
				limit.Same = []byte(try.same)
				wait, err := b.Store.Count(context.Background(), begin.Add(try.at), at("here", limit))
				noError(t, "Count", err)
				if wait != try.wait {
					t.Fatalf("failure %d, at %v: got a wait of %v, want %v", i+1, try.at, wait, try.wait)
				}
			}
		})
	}
}

func count(t *testing.T, s store.Store, now time.Time, limits ...store.Limit) time.Duration {
	t.Helper()
	return must[time.Duration](t, "Count")(s.Count(context.Background(), now, at("here", limits...)))
}

func at(place string, limits ...store.Limit) store.Scope {
	return store.Scope{Place: place, Limits: limits}
}

// newAttempt is one try at each of the scopes.
func newAttempt(scopes ...store.Scope) (a store.Attempt) {
	copy(a.ID[:], randomName())
	a.Scopes = scopes
	return a
}

func allow(t failer, s store.Store, now time.Time, scopes ...store.Scope) store.Admission {
	t.Helper()
	adm, err := s.Allow(context.Background(), now, newAttempt(scopes...))
	noError(t, "Allow", err)
	return adm
}

// goes is an attempt that may go ahead.
func goes(t failer, s store.Store, now time.Time, scopes ...store.Scope) store.Receipt {
	t.Helper()
	adm := allow(t, s, now, scopes...)
	if adm.Wait > 0 || adm.Busy {
		t.Fatalf("got a wait of %v, busy %v, want it to go ahead", adm.Wait, adm.Busy)
	}
	return adm.Receipt
}

func fails(t failer, s store.Store, now time.Time, r store.Receipt) []string {
	t.Helper()
	reached, err := s.Fail(context.Background(), now, r)
	noError(t, "Fail", err)
	return reached
}

func refund(t failer, s store.Store, r store.Receipt) {
	t.Helper()
	noError(t, "Refund", s.Refund(context.Background(), soon(), r))
}

func waits(t failer, s store.Store, now time.Time, want time.Duration, scopes ...store.Scope) {
	t.Helper()
	if adm := allow(t, s, now, scopes...); adm.Wait != want || adm.Busy || adm.Receipt.Places != 0 {
		t.Fatalf("got %+v, want a wait of %v", adm, want)
	}
}

func busy(t failer, s store.Store, now time.Time, scopes ...store.Scope) {
	t.Helper()
	if adm := allow(t, s, now, scopes...); !adm.Busy || adm.Wait != 0 || adm.Receipt.Places != 0 {
		t.Fatalf("got %+v, want busy", adm)
	}
}

// testReserve: attempts under way take places, failures count, refunds leave nothing, and each happens once.
func testReserve(t *testing.T, b Backend) {
	s, now := b.Store, soon()
	here := at("here", store.Limit{Key: "x", Free: 2, Window: mi})
	one, two := goes(t, s, now, here), goes(t, s, now, here)
	busy(t, s, now, here)
	refund(t, s, one)
	refund(t, s, one) // a second time there is nothing to take back
	three := goes(t, s, now, here)
	busy(t, s, now, here)
	equal(t, "the first failure", fails(t, s, now, two), []string(nil))
	equal(t, "the same receipt again", fails(t, s, now, two), []string(nil))
	busy(t, s, now, here)
	equal(t, "the failure that reaches what is free", fails(t, s, now, three), []string{"x"})
	refund(t, s, three)
	waits(t, s, now.Add(s1), 59*s1, here)
	waits(t, s, now.Add(s1), 59*s1, here)
	four := goes(t, s, now.Add(mi), here)
	refund(t, s, four)
	refund(t, s, store.Receipt{}) // holds nothing

	slow := at("slow", store.Limit{Key: "y", Free: 1, Window: mi, Backoff: 8 * s1})
	fails(t, s, now, goes(t, s, now, slow))
	waits(t, s, now, s1, slow)
	five := goes(t, s, now.Add(s1), slow)
	busy(t, s, now.Add(s1), slow) // with backoff one at a time
	fails(t, s, now.Add(s1), five)
	waits(t, s, now.Add(s1), 2*s1, slow)
}

// testScopes: an attempt takes places in all of its scopes, or in none.
func testScopes(t *testing.T, b Backend) {
	s, now := b.Store, soon()
	narrow, wide := at("narrow", store.Limit{Key: "x", Free: 1, Window: mi}), at("wide", store.Limit{Key: "x", Free: 3, Window: mi})
	one := goes(t, s, now, wide, narrow)
	equal(t, "places", one.Places, 2)
	busy(t, s, now, wide, narrow)
	busy(t, s, now, narrow, wide)
	two, three := goes(t, s, now, wide), goes(t, s, now, wide)
	busy(t, s, now, wide)
	equal(t, "reached", fails(t, s, now, one), []string{"x"})
	refund(t, s, two)
	refund(t, s, three)
	waits(t, s, now, mi, wide, narrow)
	goes(t, s, now, wide)
}

// testRepeats: the failure before is let through again without a place, and counts once however often it is sent.
func testRepeats(t *testing.T, b Backend) {
	s, now := b.Store, soon()
	try := func(same string) store.Scope {
		return at("here", store.Limit{Key: "x", Free: 2, Window: mi, Same: []byte(same), SameFor: 10 * s1})
	}
	fails(t, s, now, goes(t, s, now, try("a")))
	for range 3 {
		again := goes(t, s, now.Add(s1), try("a"))
		equal(t, "places of a repeat", again.Places, 0)
		refund(t, s, again)
		fails(t, s, now.Add(s1), again)
	}
	// Two at once: both are hashed, and they are one mistake.
	one, two := goes(t, s, now.Add(s1), try("b")), allow(t, s, now.Add(s1), try("b"))
	equal(t, "the second at once", two.Busy, true)
	refund(t, s, one)
	one = goes(t, s, now.Add(11*s1), try("a")) // the repeat comes too late
	equal(t, "places", one.Places, 1)
	fails(t, s, now.Add(11*s1), one)
	waits(t, s, now.Add(12*s1), 48*s1, try("c"))
	goes(t, s, now.Add(12*s1), try("a"))

	wide := func(same string) store.Scope {
		return at("wide", store.Limit{Key: "x", Free: 3, Window: mi, Same: []byte(same), SameFor: 10 * s1})
	}
	one, again := goes(t, s, now, wide("a")), goes(t, s, now, wide("a"))
	fails(t, s, now, one)
	fails(t, s, now, again)
	one, again = goes(t, s, now, wide("b")), goes(t, s, now, wide("c"))
	fails(t, s, now, one)
	fails(t, s, now, again)
	waits(t, s, now, mi, wide("d"))
}

// testUndecided: an attempt that nobody decides, because its replica died, counts as failed after a while.
func testUndecided(t *testing.T, b Backend) {
	s, now := b.Store, soon()
	here := at("here", store.Limit{Key: "x", Free: 2, Window: 10 * mi})
	lost := goes(t, s, now, here)
	goes(t, s, now, here)
	busy(t, s, now.Add(store.ReservedFor-ms), here)
	adm := allow(t, s, now.Add(store.ReservedFor), here)
	equal(t, "afterwards", []any{adm.Wait, adm.Reached}, []any{10 * mi, []string{"x"}})
	equal(t, "reached again", allow(t, s, now.Add(store.ReservedFor), here).Reached, []string(nil))
	fails(t, s, now.Add(store.ReservedFor), lost) // too late
	states := must[[]store.ThrottleState](t, "ListThrottle")(s.ListThrottle(context.Background(), now.Add(store.ReservedFor),
		func(place, _ string) bool { return place == "here" }, 10))
	equal(t, "failures", states[0].Failures, 2)
}

// testSucceed: a success gives back and forgets, and from where somebody succeeded limits of that place do not hold.
func testSucceed(t *testing.T, b Backend) {
	s, now := b.Store, soon()
	u := addUser(t, s)
	finish := func(now time.Time, r store.Receipt) {
		t.Helper()
		in := store.Session{ID: newSessionID(), UserID: u.ID, ClientID: "app", StartedAt: now}
		_, err := s.FinishLogin(context.Background(), now, r, in, store.SessionLimits{PerUser: 3})
		noError(t, "FinishLogin", err)
	}
	here := at("here", store.Limit{Key: "forgives", Free: 3, Window: mi, Forgive: true}, store.Limit{Key: "counts", Free: 3, Window: mi})
	account := func(from string) store.Scope {
		scope := at("account", store.Limit{Key: "anywhere", Free: 3, Window: mi})
		scope.From = []byte(from)
		return scope
	}
	fails(t, s, now, goes(t, s, now, here, account("home..")))
	other := goes(t, s, now, here, account("home.."))
	finish(now, goes(t, s, now, here, account("home..")))
	fails(t, s, now, other)
	fails(t, s, now, goes(t, s, now, here))
	waits(t, s, now, mi, here) // by the limit that does not forgive
	fails(t, s, now, goes(t, s, now, account("abroad")))
	waits(t, s, now, mi, account("abroad"))
	home := goes(t, s, now, account("home.."))
	equal(t, "places of somebody at home", home.Places, 0)
	fails(t, s, now, home)
	s = b.Reopen(t)
	waits(t, s, now, mi, account("abroad"))
	goes(t, s, now, account("home.."))

	for i := range store.KeptNetworks {
		finish(now.Add(mi), goes(t, s, now.Add(mi), account(fmt.Sprintf("net%03d", i))))
	}
	for range 3 {
		fails(t, s, now.Add(mi), goes(t, s, now.Add(mi), account("abroad")))
	}
	waits(t, s, now.Add(mi), mi, account("home..")) // the oldest has made room
	goes(t, s, now.Add(mi), account("net000"))
}

func testClearThrottle(t *testing.T, b Backend) {
	ctx, s, now := context.Background(), b.Store, soon()
	x, y := store.Limit{Key: "x", Free: 2, Window: mi}, store.Limit{Key: "y", Free: 2, Window: mi}
	for range 2 {
		equal(t, "wait", count(t, s, now, x, y), 0*s1)
	}
	underWay := goes(t, s, now, at("here", store.Limit{Key: "z", Free: 1, Window: mi}))
	list := func() []store.ThrottleState {
		t.Helper()
		all, err := s.ListThrottle(ctx, now, func(place, _ string) bool { return place == "here" }, 10)
		noError(t, "ListThrottle", err)
		slices.SortFunc(all, func(a, b store.ThrottleState) int { return int(a.Key[0]) - int(b.Key[0]) })
		for i := range all {
			all[i].Last, all[i].Until = time.Time{}, time.Time{}
		}
		return all
	}
	state := func(key string, failures, underWay int) store.ThrottleState {
		return store.ThrottleState{Place: "here", Key: key, Failures: failures, UnderWay: underWay}
	}
	equal(t, "the list", list(), []store.ThrottleState{state("x", 2, 0), state("y", 2, 0), state("z", 0, 1)})
	none, err := s.ListThrottle(ctx, now, func(place, _ string) bool { return place == "elsewhere" }, 10)
	equal(t, "what is picked", []any{len(none), err}, []any{0, nil})
	noError(t, "ClearThrottle", s.ClearThrottle(ctx, "here", []string{"x", "z", "unknown"}))
	equal(t, "the list afterwards", list(), []store.ThrottleState{state("y", 2, 0), state("z", 0, 1)})
	equal(t, "x takes two", []time.Duration{count(t, s, now, x), count(t, s, now, x), count(t, s, now, x)}, []time.Duration{0, 0, mi})
	refund(t, s, underWay)
}

func testTakeAll(t *testing.T, b Backend) {
	s, now := b.Store, soon()
	narrow, wide := store.Limit{Key: "narrow", Free: 1, Window: mi}, store.Limit{Key: "wide", Free: 2, Window: 2 * mi}
	equal(t, "both free", count(t, s, now, narrow, wide), 0*s1)
	equal(t, "one refuses", count(t, s, now, wide, narrow), mi)
	equal(t, "the other has not counted", count(t, s, now, wide), 0*s1)
	equal(t, "both refuse: the longer wait", count(t, s, now, narrow, wide), 2*mi)
	equal(t, "no limits", count(t, s, now), 0*s1)
	elsewhere := must[time.Duration](t, "Count")(s.Count(context.Background(), now, at("elsewhere", narrow, wide)))
	equal(t, "the same keys in another place", elsewhere, 0*s1)
}

func testThrottleRace(t *testing.T, b Backend) {
	now := soon()
	var passed, under atomic.Int32
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			own := store.Limit{Key: fmt.Sprint("own", i), Free: 1, Window: mi}
			wait, err := b.Store.Count(context.Background(), now, at("here", store.Limit{Key: "shared", Free: 10, Window: mi}, own))
			noErrorf(t, "Count", err)
			if wait == 0 {
				passed.Add(1)
			}
			adm, err := b.Store.Allow(context.Background(), now, newAttempt(at("there", store.Limit{Key: "shared", Free: 10, Window: mi}, own)))
			noErrorf(t, "Allow", err)
			if adm.Wait == 0 && !adm.Busy {
				under.Add(1)
			}
		})
	}
	wg.Wait()
	equal(t, "failures that got through a limit of ten", passed.Load(), int32(10))
	equal(t, "attempts under way in a limit of ten", under.Load(), int32(10))
}

func testThrottleReopen(t *testing.T, b Backend) {
	now := soon()
	x := store.Limit{Key: "x", Free: 1, Window: mi, SameFor: mi, Same: []byte("a")}
	held := at("there", store.Limit{Key: "held", Free: 1, Window: mi})
	equal(t, "wait", count(t, b.Store, now, x), 0*s1)
	goes(t, b.Store, now, held)
	s := b.Reopen(t)
	equal(t, "the same after reopening", count(t, s, now.Add(s1), x), 0*s1)
	x.Same = []byte("b")
	equal(t, "another after reopening", count(t, s, now.Add(s1), x), 59*s1)
	if b.OneProcess {
		goes(t, s, now.Add(s1), held)
	} else {
		busy(t, s, now.Add(s1), held)
	}
}

// testThrottleModel runs random attempts through the backend and through store.Tally side by side: they are cancelled before
// and while they are counted, repeated, hashed, given back while the pool is busy, forgotten by a replica that dies, right
// and wrong. Both must give the same answers, and no more guesses may be hashed than are free and the waits allow.
func testThrottleModel(t *testing.T, b Backend) {
	for round := range 6 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			t.Logf("seed %d", seed)
			m := newThrottleModel(t, b.Store, seed)
			for range 150 {
				m.step()
			}
		})
	}
}

// throttleModel is one account that is attacked from one network, where another account only ever succeeds.
type throttleModel struct {
	t       *testing.T
	s       store.Store
	r       *rand.Rand
	place   string
	begin   time.Time
	now     time.Time
	tallies map[string]*store.Tally
	open    []store.Receipt
	hashed  map[string]bool // wrong passwords that were compared
}

const modelFree = 4

func newThrottleModel(t *testing.T, s store.Store, seed uint64) *throttleModel {
	now := soon()
	return &throttleModel{t: t, s: s, r: rand.New(rand.NewPCG(seed, 1)), place: "place-" + randomName(), begin: now, now: now,
		tallies: map[string]*store.Tally{}, hashed: map[string]bool{}}
}

func (m *throttleModel) guess(password byte) store.Attempt {
	return newAttempt(at(m.place,
		store.Limit{Key: "account", Free: modelFree, Window: 15 * mi, Backoff: mi, Same: []byte{password}, SameFor: 10 * s1, Forgive: true},
		store.Limit{Key: "logins", Free: 20, Window: mi}))
}

func (m *throttleModel) step() {
	switch m.r.IntN(10) {
	case 0, 1:
		m.now = m.now.Add(time.Duration(m.r.IntN(int(20*s1))) / time.Duration(1+m.r.IntN(20))).Truncate(time.Millisecond)
	case 2:
		m.decide(func(r store.Receipt) { // the pool was busy
			refund(m.t, m.s, r)
			m.each(r.Attempt, func(t *store.Tally, _ store.Limit) { t.Refund(r.ID) })
		})
	case 3, 4, 5:
		m.decide(m.hash)
	case 6:
		m.succeedElsewhere()
	default:
		m.attempt()
	}
}

// decide takes one of the attempts that are under way; of some of them nobody ever hears again.
func (m *throttleModel) decide(how func(store.Receipt)) {
	if len(m.open) == 0 {
		return
	}
	i := m.r.IntN(len(m.open))
	r := m.open[i]
	m.open = slices.Delete(m.open, i, i+1)
	if m.r.IntN(12) > 0 {
		how(r)
	}
}

func (m *throttleModel) each(a store.Attempt, do func(*store.Tally, store.Limit)) {
	for _, scope := range a.Scopes {
		for _, l := range scope.Limits {
			key := scope.Place + "/" + l.Key
			if m.tallies[key] == nil {
				m.tallies[key] = &store.Tally{}
			}
			do(m.tallies[key], l)
		}
	}
}

// hash compares a wrong password: it is a guess that the attacker has learned from.
func (m *throttleModel) hash(r store.Receipt) {
	l := r.Scopes[0].Limits[0]
	m.hashed[fmt.Sprint(l.Same, m.now.Unix()/10)] = true // the same within ten seconds is no other guess
	var want []string
	m.each(r.Attempt, func(t *store.Tally, l store.Limit) {
		if t.Fail(m.now, r.ID, l) {
			want = append(want, l.Key)
		}
	})
	equal(m.t, "limits reached", fails(m.t, m.s, m.now, r), want)
	free, waited := modelFree, time.Duration(0)
	for pause := s1; waited <= m.now.Sub(m.begin); pause = min(2*pause, mi) {
		waited += pause
		free++
	}
	if tooMany := 2*free + 2; len(m.hashed) > tooMany { // twice, since repeats may straddle the ten seconds above
		m.t.Fatalf("%d guesses were hashed in %v, want %d at most", len(m.hashed), m.now.Sub(m.begin), tooMany)
	}
}

func (m *throttleModel) attempt() {
	a := m.guess(byte(m.r.IntN(30)))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	switch m.r.IntN(6) {
	case 0:
		cancel()
	case 1:
		go cancel()
	}
	adm, err := m.s.Allow(ctx, m.now, a)
	if err != nil { // it is not known what it counted; its own receipt takes that back, and nothing else
		refund(m.t, m.s, store.Receipt{Attempt: a, Places: 1})
		m.compare()
		return
	}
	var want store.Admission
	m.each(a, func(t *store.Tally, l store.Limit) {
		v := t.Ask(m.now, l)
		want.Wait, want.Busy = max(want.Wait, v.Wait), want.Busy || v.Busy
		if v.Reached {
			want.Reached = append(want.Reached, l.Key)
		}
		if v.Place {
			want.Receipt.Places++
		}
	})
	if want.Wait > 0 || want.Busy {
		want.Receipt.Places = 0
	} else {
		m.each(a, func(t *store.Tally, l store.Limit) {
			if t.Ask(m.now, l).Place {
				t.Take(m.now, a.ID)
			}
		})
		m.open = append(m.open, adm.Receipt)
	}
	adm.Receipt = store.Receipt{Places: adm.Receipt.Places}
	if adm.Wait > 0 {
		adm.Busy, want.Busy = false, false // the wait is the answer
	}
	equal(m.t, "the answer to an attempt", adm, want)
	m.compare()
}

// succeedElsewhere: right passwords, any number at once, are never asked to wait for each other.
func (m *throttleModel) succeedElsewhere() {
	own := at(m.place+"-office", store.Limit{Key: "logins", Free: 3, Window: mi}, store.Limit{Key: "owner", Free: 2, Window: mi, Backoff: mi})
	var all []store.Receipt
	for range 1 + m.r.IntN(5) {
		adm := allow(m.t, m.s, m.now, own)
		if adm.Wait > 0 {
			m.t.Fatalf("a login waits %v because of others that succeeded", adm.Wait)
		}
		if !adm.Busy {
			all = append(all, adm.Receipt)
		}
	}
	for _, r := range all {
		refund(m.t, m.s, r) // as FinishLogin does
	}
}

// compare holds what the backend remembers against the model.
func (m *throttleModel) compare() {
	list, err := m.s.ListThrottle(context.Background(), m.now, func(place, _ string) bool { return place == m.place }, 10)
	noError(m.t, "ListThrottle", err)
	got := map[string]int{}
	for _, state := range list {
		if m.now.Before(state.Until) || state.UnderWay > 0 {
			got[state.Key] = 1000*state.Failures + state.UnderWay
		}
	}
	want := map[string]int{}
	for key, t := range m.tallies {
		if m.now.Before(t.Ends) || len(t.Reserved) > 0 {
			want[key[len(m.place)+1:]] = 1000*int(t.Failures) + len(t.Reserved)
		}
	}
	if !maps.Equal(got, want) {
		m.t.Fatalf("remembered: got %v, want %v", got, want)
	}
}

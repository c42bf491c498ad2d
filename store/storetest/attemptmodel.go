package storetest

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"signet/store"
)

// testThrottleModel runs random attempts through the backend and through store.Tally. Attempts are cancelled before and while
// they are counted, repeated, hashed, refunded because the pool is busy, or left without a result because a replica dies.
// Both must give the same answers, and no more guesses may be hashed than the limit and the waits allow.
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

// throttleModel is one account that is attacked from one network. Another account of that network has good logins only.
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

// decide ends one of the attempts that are under way. Some are left without a result.
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

// hash is the comparison of a wrong password: a guess whose result the attacker gets.
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
	if err != nil { // what it has counted is unknown; its own receipt takes back that alone
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

// succeedElsewhere: good logins, any number at once, never wait for each other.
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

// compare compares the counts of the backend with those of the model.
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
		m.t.Fatalf("counts: got %v, want %v", got, want)
	}
}

package keys

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"signet/keys/clockcheck"
	"signet/keys/keystest"
	"signet/keys/masterkey"
	"signet/keys/privatekey"
	"signet/keys/rotation"
)

// simulation plays a scenario: real Managers over one store, edges that cache, verifiers that keep
// what they got for as long as they may and never fetch for an unknown kid. Nothing runs beside
// anything else; a call of the store that takes time lets the others go on meanwhile.
type simulation struct {
	plan      scenario
	now       time.Time // true time
	agenda    agenda
	made      int // appointments so far
	store     *keystest.Storage
	faults    []fault // not yet happened; At only matters for those without a version
	replicas  []*replica
	edges     []keySetCopy
	verifiers []keySetCopy
	tokens    []outstanding
	kids      map[string]map[string]bool // by ETag: key sets are parsed once
	failure   string                     // the first
	tally     tally
}

// tally counts what happened, so that a simulation of nothing does not pass for a proof.
type tally struct {
	scenarios, tokens, verifications, rotations, refused, unreadable, restarts, behind int
}

func (a *tally) add(b tally) {
	a.scenarios++
	a.tokens += b.tokens
	a.verifications += b.verifications
	a.rotations += b.rotations
	a.refused += b.refused
	a.unreadable += b.unreadable
	a.restarts += b.restarts
	a.behind += b.behind
}

func (a tally) String() string {
	return fmt.Sprintf("%d scenarios, %d rotations, %d tokens, %d verifications; %d signatures refused by stale replicas, %d reads failed, %d restarts of killed replicas; %d signatures refused by clocks that were set back",
		a.scenarios, a.rotations, a.tokens, a.verifications, a.refused, a.unreadable, a.restarts, a.behind)
}

// replica is a Manager, its clock and its way to the store.
type replica struct {
	replicaPlan
	sim      *simulation
	number   int
	manager  *Manager // nil: killed
	cutUntil time.Time
	busy     bool      // in a call of the Manager that reads or writes
	planned  time.Time // the change of its lineup that it will sign around
	mark     *memoryMark
	back     time.Duration             // by how much its clock is set back now
	states   map[string]rotation.State // of each key, as it was last seen
}

type keySetCopy struct {
	kids map[string]bool // nil: nothing that may be used
	at   time.Time
}

type outstanding struct {
	kid   string
	by    int
	until time.Time // exp and leeway, by true time
}

// appointment is something that happens at a time.
type appointment struct {
	at    time.Time
	order int // of two at the same time the one that was made first
	do    func()
}

type agenda []appointment

func (a agenda) Len() int      { return len(a) }
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a agenda) Less(i, j int) bool {
	if c := a[i].at.Compare(a[j].at); c != 0 {
		return c < 0
	}
	return a[i].order < a[j].order
}
func (a *agenda) Push(x any) { *a = append(*a, x.(appointment)) }
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

// simulate plays the scenario to its end or to the first token that a verifier refuses.
func simulate(plan scenario) *simulation {
	s := &simulation{plan: plan, now: simulationStart, store: &keystest.Storage{}, faults: plan.Faults, kids: map[string]map[string]bool{}}
	for i, p := range plan.Replicas {
		s.replicas = append(s.replicas, &replica{replicaPlan: p, sim: s, number: i, mark: &memoryMark{}, states: map[string]rotation.State{}})
	}
	s.replicas[0].init()
	for _, r := range s.replicas {
		r.start()
		s.every(r.Poll, r.poll)
		s.every(r.Sign, r.sign)
	}
	s.edges, s.verifiers = make([]keySetCopy, len(plan.Edges)), make([]keySetCopy, len(plan.Verifiers))
	for i, e := range plan.Edges {
		s.after(e.Phase, func() { s.refreshEdge(i) })
	}
	for i, v := range plan.Verifiers {
		s.after(v.Phase, func() { s.refreshVerifier(i) })
	}
	for _, r := range plan.Rotations {
		s.after(r.At, func() { s.rotate(r) })
	}
	for _, f := range plan.Faults {
		if f.Version == 0 {
			s.after(f.At, func() { s.befall(s.replicas[f.Replica], f) })
		}
	}
	s.runUntil(simulationStart.Add(plan.Horizon))
	return s
}

func (s *simulation) after(d time.Duration, do func()) {
	s.made++
	heap.Push(&s.agenda, appointment{s.now.Add(d), s.made, do})
}

func (s *simulation) every(d time.Duration, do func()) {
	s.after(d, func() { do(); s.every(d, do) })
}

// runUntil is entered again by calls of the store, which take time.
func (s *simulation) runUntil(end time.Time) {
	for s.failure == "" && len(s.agenda) > 0 && !s.agenda[0].at.After(end) {
		next := heap.Pop(&s.agenda).(appointment)
		s.now = later(s.now, next.at)
		next.do()
	}
	s.now = later(s.now, end)
}

func (s *simulation) fail(format string, args ...any) {
	if s.failure == "" {
		s.failure = fmt.Sprintf("after %v ", s.now.Sub(simulationStart)) + fmt.Sprintf(format, args...)
	}
}

// config has a timetable that is valid. That of the scenario need not be, and is set later.
func (r *replica) config() Config {
	s := r.sim
	tt := s.plan.Configured
	tt.ServeStale = max(tt.ServeStale, tt.SignStale+1)
	tt.Publish, tt.Retain = needs(tt)
	return Config{Storage: r, InstallID: "simulation", Master: []masterkey.Key{testMaster(1)}, Algorithms: s.plan.Algs, Timetable: tt, Poll: r.Poll, Mark: r.mark,
		Now: r.clock,
		OnEvent: func(e Event) {
			switch e.Step {
			case rotation.StepActivated:
				s.tally.rotations++
			case StepUnreadable:
				s.tally.unreadable++
			}
		}}
}

// simulationStart is testStart with a monotonic reading.
var simulationStart = func() time.Time {
	now := time.Now()
	return now.Add(testStart.Sub(now))
}()

// clock is what the replica's clock shows. A step back moves only the wall clock.
func (r *replica) clock() time.Time {
	return shiftMonotonic(r.sim.now.Add(r.Skew-r.back), r.back)
}

// init writes the first keyring.
func (r *replica) init() {
	m, err := newManager(r.config())
	if err != nil {
		panic(err)
	}
	m.cfg.Timetable = r.sim.plan.Configured
	first, _, err := firstDocument(context.Background(), m.cfg, newPendingKeys(privatekey.NewSource(privatekey.Remote{}, time.Minute), m.cfg.Log))
	if err != nil {
		panic(err)
	}
	if _, swapped, err := m.store.write(context.Background(), 0, 1, first, 0); !swapped {
		panic(err)
	}
}

// start opens the keyring, and tries again later where that does not work.
func (r *replica) start() {
	defer r.use()()
	m, err := Open(context.Background(), r.config())
	if err != nil {
		r.sim.after(r.Poll, r.start)
		return
	}
	m.cfg.Timetable = r.sim.plan.Configured
	m.store.timeout = r.sim.plan.Configured.Notice() / 2
	r.manager = m
}

// use marks the replica as busy, until the function it returns is called.
func (r *replica) use() (done func()) {
	r.busy = true
	return func() { r.busy = false }
}

// poll is a turn of Manager.Run.
func (r *replica) poll() {
	if r.manager == nil || r.busy {
		return
	}
	defer r.use()()
	m := r.manager
	err := m.Step(context.Background())
	r.forward()
	if err != nil {
		r.signAt(m.ReadAt().Add(m.cfg.Timetable.SignStale)) // the last moment at which it does
		return
	}
	if until := m.held.load().keySet.Until; !until.Equal(r.planned) && !until.IsZero() {
		r.planned = until
		r.signAt(until.Add(-time.Millisecond))
		r.signAt(until)
	}
}

// forward checks that no key has moved backwards, as this replica sees it.
func (r *replica) forward() {
	if r.manager == nil { // killed meanwhile
		return
	}
	for _, k := range r.manager.Keys() {
		if rank(k.State) < rank(r.states[k.KID]) {
			r.sim.fail("at replica %d key %s moved from %s to %s", r.number, k.KID, r.states[k.KID], k.State)
		}
		r.states[k.KID] = k.State
	}
}

// signAt has the replica sign at a time of its own clock.
func (r *replica) signAt(t time.Time) {
	if d := t.Add(-r.Skew).Sub(r.sim.now); d >= 0 {
		r.sim.after(d, r.sign)
	}
}

// sign signs a token of each algorithm, which goes to all verifiers, and to one that starts now and
// asks the replica that signed.
func (r *replica) sign() {
	s, m := r.sim, r.manager
	if m == nil {
		return
	}
	for _, alg := range s.plan.Algs {
		_, kid, err := m.Sign(context.Background(), alg, "at+jwt", struct{}{})
		if errors.Is(err, ErrStale) {
			s.tally.refused++
			return
		}
		if errors.Is(err, clockcheck.ErrClock) && r.back > 0 {
			s.tally.behind++
			return
		}
		if err != nil {
			s.fail("replica %d cannot sign: %v", r.number, err)
			return
		}
		s.tally.tokens++
		token := outstanding{kid, r.number, s.now.Add(r.Skew + s.plan.World.MaxTokenLife + s.plan.World.Leeway)}
		s.tokens = append(s.tokens, token)
		for i := range s.verifiers {
			s.present(token, i)
		}
		if kids, err := s.fetch(r); err != nil {
			s.fail("a new verifier gets no key set for the token that replica %d signed just now: %v", r.number, err)
		} else if s.tally.verifications++; !kids[kid] && !s.plan.trustsWrongClock() {
			s.fail("a new verifier does not find key %s of the token that replica %d signed just now", kid, r.number)
		}
	}
}

// present has a verifier verify a token. Its copy changes only where it is refreshed, and all
// tokens are presented then; so nothing that could fail in between is missed.
func (s *simulation) present(token outstanding, verifier int) {
	v := s.verifiers[verifier]
	if v.kids == nil || s.now.After(token.until) {
		return
	}
	if s.tally.verifications++; !v.kids[token.kid] && !s.plan.trustsWrongClock() {
		s.fail("verifier %d, with a key set it got %v ago, cannot verify a token of replica %d, good for %v more, with key %s",
			verifier, s.now.Sub(v.at), token.by, token.until.Sub(s.now), token.kid)
	}
}

// fetch asks one replica for the key set.
func (s *simulation) fetch(r *replica) (map[string]bool, error) {
	if r.manager == nil {
		return nil, keystest.ErrDown
	}
	set, err := r.manager.JWKS()
	if err != nil {
		return nil, err
	}
	kids := s.kids[set.ETag]
	if kids == nil {
		kids = map[string]bool{}
		for _, k := range r.manager.held.load().keySet.Keys {
			kids[k.KID] = true
		}
		s.kids[set.ETag] = kids
	}
	return kids, nil
}

// ask is an edge's fetch: from the replica it prefers, or the next one that serves.
func (s *simulation) ask(edge int) map[string]bool {
	for i := range s.replicas {
		if kids, err := s.fetch(s.replicas[(s.plan.Edges[edge].Prefers+i)%len(s.replicas)]); err == nil {
			return kids
		}
	}
	return nil
}

// refreshEdge lets an edge's copy go when it is too old, and not before.
func (s *simulation) refreshEdge(i int) {
	if cache := s.plan.Edges[i].Cache; cache > 0 {
		s.edges[i] = keySetCopy{s.ask(i), s.now}
		s.after(s.retry(cache, s.edges[i].kids), func() { s.refreshEdge(i) })
	}
}

// refreshVerifier does so for a verifier.
func (s *simulation) refreshVerifier(i int) {
	plan := s.plan.Verifiers[i]
	kids := s.edges[plan.Edge].kids
	if s.plan.Edges[plan.Edge].Cache == 0 {
		kids = s.ask(plan.Edge)
	}
	s.verifiers[i] = keySetCopy{kids, s.now}
	s.after(s.retry(plan.Cache, kids), func() { s.refreshVerifier(i) })
	s.tokens = slices.DeleteFunc(s.tokens, func(o outstanding) bool { return s.now.After(o.until) })
	for _, token := range s.tokens {
		s.present(token, i)
	}
}

// retry is how long it is to the next fetch: soon after one that got nothing.
func (s *simulation) retry(cache time.Duration, kids map[string]bool) time.Duration {
	if kids == nil {
		return min(cache, 10*time.Second)
	}
	return cache
}

func (s *simulation) rotate(plan handRotation) {
	r := s.replicas[plan.By]
	if r.manager == nil || r.busy {
		return
	}
	if plan.CutOff != plan.By {
		s.replicas[plan.CutOff].cutUntil = s.now.Add(plan.CutOffBy)
	}
	defer r.use()()
	_, _ = r.manager.Edit().Rotate(context.Background(), s.plan.Algs[0]) // the store may be out of reach
}

package keys

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// simulation is a few replicas with skewed clocks and failing stores, a CDN, and verifiers that
// cache for as long as they were ever promised they may.
type simulation struct {
	t         *testing.T
	rng       *rand.Rand
	tt        Timetable
	now       time.Time // true time
	store     *memory
	replicas  []*replica
	edge      keySetCopy
	verifiers []keySetCopy
	tokens    []outstanding
	failures  []string
	kids      map[string]bool // that signed
	stale     int             // refused signatures: the faults must really happen
}

type replica struct {
	*memory // the shared store, behind this replica's network
	manager *Manager
	skew    time.Duration
	cut     bool
}

func (r *replica) LoadKeyring(ctx context.Context) (uint64, []byte, error) {
	if r.cut {
		return 0, nil, errDown
	}
	return r.memory.LoadKeyring(ctx)
}

func (r *replica) SwapKeyring(ctx context.Context, old, next uint64, document []byte) (bool, error) {
	if r.cut {
		return false, errDown
	}
	return r.memory.SwapKeyring(ctx, old, next, document)
}

type keySetCopy struct {
	kids []string
	at   time.Time
}

type outstanding struct {
	kid   string
	until time.Time // exp and leeway
}

func tightTimetable() Timetable {
	tt := Timetable{
		VerifierCache: 20 * time.Minute, EdgeCache: 15 * time.Minute, ClockSkew: 2 * time.Minute,
		TokenLife: 20 * time.Minute, Leeway: 5 * time.Minute, SignStale: 10 * time.Minute, ServeStale: 40 * time.Minute,
	}
	tt.Publish = tt.ServeStale + tt.EdgeCache + tt.VerifierCache + tt.ClockSkew
	tt.Retain = tt.SignStale + tt.ClockSkew + tt.TokenLife + tt.Leeway
	tt.Active = tt.Publish + 10*time.Minute
	return tt
}

// newSimulation starts the replicas; believed is the timetable that they follow.
func newSimulation(t *testing.T, seed uint64, believed Timetable) *simulation {
	s := &simulation{t: t, rng: rand.New(rand.NewPCG(seed, 1)), tt: tightTimetable(), now: testStart, store: &memory{}, kids: map[string]bool{}}
	for i := range 3 {
		r := &replica{memory: s.store, skew: time.Duration(i-1) * s.tt.ClockSkew / 2}
		cfg := Config{Storage: r, InstallID: "simulation", Master: []MasterKey{testMaster(1)}, Timetable: s.tt,
			Now: func() time.Time { return s.now.Add(r.skew) }}
		r.manager = mustOpen(t, cfg)
		r.manager.cfg.Timetable = believed
		s.replicas = append(s.replicas, r)
	}
	s.verifiers = make([]keySetCopy, 6)
	return s
}

// tick is half a minute of everybody's life.
func (s *simulation) tick() {
	s.now = s.now.Add(30 * time.Second)
	for _, r := range s.replicas {
		if s.rng.IntN(120) == 0 {
			r.cut = !r.cut
		}
		if err := r.manager.Step(s.t.Context()); err != nil && !errors.Is(err, errDown) {
			s.t.Fatalf("Step: %v", err)
		}
	}
	if s.rng.IntN(400) == 0 {
		_, _ = s.any().manager.Rotate(s.t.Context(), "") // may be cut off
	}
	s.refresh()
	s.sign()
	s.verify()
}

func (s *simulation) any() *replica { return s.replicas[s.rng.IntN(len(s.replicas))] }

// refresh fetches what has become too old; nothing is fetched sooner than it must be.
func (s *simulation) refresh() {
	if set, err := s.any().manager.JWKS(); err == nil && s.now.Sub(s.edge.at) > s.tt.EdgeCache {
		s.edge = keySetCopy{setKIDs(s.t, set), s.now}
	}
	for i, v := range s.verifiers {
		due := s.now.Sub(v.at) > s.tt.VerifierCache-time.Duration(i)*3*time.Minute // they differ
		if due && s.now.Sub(s.edge.at) <= s.tt.EdgeCache {
			s.verifiers[i] = keySetCopy{s.edge.kids, s.now}
		}
	}
}

func (s *simulation) sign() {
	r := s.any()
	_, kid, err := r.manager.Sign(s.t.Context(), "", "at+jwt", struct{}{})
	if errors.Is(err, ErrStale) {
		s.stale++
		return
	}
	if err != nil {
		s.t.Fatalf("Sign: %v", err)
	}
	s.kids[kid] = true
	s.tokens = append(s.tokens, outstanding{kid, s.now.Add(r.skew + s.tt.TokenLife + s.tt.Leeway)})
}

// verify presents every token that is still good to every verifier whose copy is not too old.
func (s *simulation) verify() {
	s.tokens = slices.DeleteFunc(s.tokens, func(o outstanding) bool { return s.now.After(o.until) })
	wanted := map[string]bool{}
	for _, o := range s.tokens {
		wanted[o.kid] = true
	}
	for i, v := range s.verifiers {
		if s.now.Sub(v.at) > s.tt.VerifierCache {
			continue // nothing to fetch: all replicas are cut off
		}
		for kid := range wanted {
			if !slices.Contains(v.kids, kid) {
				s.failures = append(s.failures, fmt.Sprintf("%v: verifier %d cannot verify a token of %s", s.now.Sub(testStart), i, kid))
			}
		}
	}
}

// run lets that many ticks pass, or fewer when something has failed.
func (s *simulation) run(ticks int) *simulation {
	for range ticks {
		if s.tick(); len(s.failures) > 0 {
			break
		}
	}
	return s
}

// The headline claim: no verifier that honours J ever meets a token that it cannot verify.
func TestNoVerifierMeetsAnUnknownKey(t *testing.T) {
	for seed := range uint64(4) {
		s := newSimulation(t, seed, tightTimetable()).run(5000)
		for _, f := range s.failures {
			t.Errorf("seed %d: %s", seed, f)
		}
		if len(s.kids) < 15 || s.stale == 0 {
			t.Errorf("seed %d: %d rotations and %d refused signatures prove little", seed, len(s.kids), s.stale)
		}
	}
}

// The simulation must notice when either inequality is broken.
func TestSimulationCanFail(t *testing.T) {
	for name, change := range map[string]func(*Timetable){
		"P too short": func(tt *Timetable) { tt.Publish, tt.Active = tt.VerifierCache, tt.VerifierCache },
		"V too short": func(tt *Timetable) { tt.Retain = tt.TokenLife - 10*time.Minute },
		"D too long":  func(tt *Timetable) { tt.ServeStale *= 20 },
		"X too long":  func(tt *Timetable) { tt.SignStale *= 20; tt.ServeStale *= 20 },
	} {
		t.Run(name, func(t *testing.T) {
			believed := tightTimetable()
			change(&believed)
			for seed := range uint64(8) {
				if s := newSimulation(t, seed, believed).run(4000); len(s.failures) > 0 {
					return
				}
			}
			t.Error("nothing failed")
		})
	}
}

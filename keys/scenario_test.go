package keys

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"signet/keys/clockcheck"
	"signet/keys/jose"
	"signet/keys/timetable"
)

// scenario is everything that chance decides about one simulation: what is drawn is shrunk and
// printed, and what follows from it is the same every time.
type scenario struct {
	World      timetable.Timetable // what verifiers, caches and clocks really do
	Configured timetable.Timetable // what the replicas are configured for
	Algs       []string
	Replicas   []replicaPlan
	Edges      []edgePlan
	Verifiers  []verifierPlan
	Faults     []fault
	Rotations  []handRotation
	Horizon    time.Duration
}

type replicaPlan struct {
	Skew, Poll, Sign, Latency time.Duration // Latency is that of a call of the store, either way
}

// edgePlan is a CDN or proxy that fetches from one replica for as long as that serves. Cache 0 passes all through.
type edgePlan struct {
	Cache, Phase time.Duration
	Prefers      int
}

type verifierPlan struct {
	Cache, Phase time.Duration
	Edge         int
}

// fault befalls a replica at a time, or when a version of the keyring is about to be written.
type fault struct {
	Kind    string
	Replica int
	At, For time.Duration
	Version uint64 // 0: at At
	Back    time.Duration
}

// What can happen to a replica. The last three happen to the writer of Version.
const (
	cutOff      = "is cut off from the store"
	crash       = "is killed"
	crashBefore = "is killed before the compare-and-set"
	crashAfter  = "is killed after the compare-and-set"
	loseReply   = "never hears of its compare-and-set"
	stepBack    = "has its clock set back"
)

// handRotation is a rotation by hand, perhaps while a replica is cut off.
type handRotation struct {
	At       time.Duration
	By       int
	CutOff   int // By: nobody
	CutOffBy time.Duration
}

// draws makes drawing durations short.
type draws struct{ *rapid.T }

func (d draws) between(name string, from, to time.Duration) time.Duration {
	return time.Duration(rapid.Int64Range(int64(from/time.Second), int64(to/time.Second)).Draw(d.T, name)) * time.Second
}

// upTo is often exactly the limit: there promises are hardest to keep.
func (d draws) upTo(name string, from, limit time.Duration) time.Duration {
	if rapid.IntRange(0, 2).Draw(d.T, name+" at its limit") > 0 {
		return limit
	}
	return d.between(name, min(from, limit), limit)
}

// moment is any up to the limit, where between prefers small ones.
func (d draws) moment(name string, limit time.Duration) time.Duration {
	const parts = 20
	return time.Duration(d.index(name+" in twentieths", parts))*limit/parts + d.between(name, 0, limit/parts)
}

func (d draws) index(name string, n int) int { return rapid.IntRange(0, n-1).Draw(d.T, name) }

// tightTimetable satisfies the inequalities, mostly with nothing to spare.
func (d draws) tightTimetable() timetable.Timetable {
	tt := timetable.Timetable{
		Cache:        d.between("J", 10*time.Second, 2*time.Hour),
		CDN:          d.between("C", 0, 2*time.Hour),
		Skew:         d.between("S", 0, 5*time.Minute),
		MaxTokenLife: d.between("T", time.Minute, time.Hour),
		Leeway:       d.between("L", 0, 10*time.Minute),
		SignStale:    d.between("X", time.Minute, 40*time.Minute),
	}
	tt.ServeStale = tt.SignStale + d.between("D", time.Second, 2*time.Hour)
	tt.Publish, tt.Retain = needs(tt)
	if d.index("slack", 3) == 2 {
		tt.Publish += d.between("P", 0, time.Hour)
		tt.Retain += d.between("V", 0, time.Hour)
	}
	tt.Active = time.Minute + d.moment("K", 2*tt.Publish)
	return tt
}

// needs returns the least P and V that go with the rest.
func needs(tt timetable.Timetable) (publish, retain time.Duration) {
	return tt.ServeStale + tt.CDN + tt.Cache + tt.Skew, tt.SignStale + tt.Skew + tt.MaxTokenLife + tt.Leeway
}

// drawScenario draws one; broken changes what the replicas are configured for, or the world that they are in.
func drawScenario(t *rapid.T, broken func(world, configured *timetable.Timetable)) scenario {
	d := draws{t}
	s := scenario{World: d.tightTimetable()}
	s.Configured = s.World
	broken(&s.World, &s.Configured)
	s.Algs = [][]string{{jose.ES256}, {jose.EdDSA}, {jose.EdDSA, jose.ES256}}[d.index("algorithms", 3)]
	s.Horizon = 3*max(s.World.Active, s.World.Publish) + s.World.Retain
	for range rapid.IntRange(1, 5).Draw(t, "replicas") {
		s.Replicas = append(s.Replicas, d.replica(s))
	}
	for range rapid.IntRange(1, 3).Draw(t, "edges") {
		s.Edges = append(s.Edges, edgePlan{Cache: d.upTo("edge cache", 0, s.World.CDN), Phase: d.moment("edge phase", s.World.CDN),
			Prefers: d.index("prefers", len(s.Replicas))})
	}
	for range rapid.IntRange(1, 8).Draw(t, "verifiers") {
		s.Verifiers = append(s.Verifiers, verifierPlan{Cache: d.upTo("verifier cache", 10*time.Second, s.World.Cache),
			Phase: d.moment("verifier phase", s.World.Cache), Edge: d.index("edge", len(s.Edges))})
	}
	for range rapid.IntRange(0, 8).Draw(t, "faults") {
		s.Faults = append(s.Faults, d.fault(s))
	}
	for range rapid.IntRange(0, 5).Draw(t, "rotations") {
		n := len(s.Replicas)
		s.Rotations = append(s.Rotations, handRotation{At: d.moment("rotation", s.Horizon), By: d.index("by", n), CutOff: d.index("without", n),
			CutOffBy: d.between("without for", s.World.SignStale, 2*s.World.ServeStale)})
	}
	return s
}

func (d draws) replica(s scenario) replicaPlan {
	tt, half := s.World, s.World.Skew/2
	seldom := s.Horizon / 50 // the moments that matter come on top
	skew := d.upTo("skew", 0, half)
	if d.index("slow", 2) == 1 {
		skew = -skew
	}
	return replicaPlan{Skew: skew, Poll: d.between("poll", tt.SignStale/10, tt.SignStale/2), Sign: d.between("sign", seldom, 2*seldom),
		Latency: time.Duration(d.index("latency", 6)) * 400 * time.Millisecond}
}

func (d draws) fault(s scenario) fault {
	f := fault{Kind: rapid.SampledFrom([]string{cutOff, crash, crashBefore, crashAfter, loseReply, stepBack}).Draw(d.T, "fault"),
		Replica: d.index("of replica", len(s.Replicas)), For: d.upTo("for", 0, 2*s.World.ServeStale)}
	if f.Kind == stepBack {
		// By more than S since the replica last looked, which it does whenever it reads the keyring: a
		// smaller step is within what clocks may differ.
		f.Back = 2*max(s.World.Skew, clockcheck.LeastTolerance) + s.World.SignStale + d.between("back by", time.Minute, 24*time.Hour)
	}
	if d.index("at a write", 3) > 0 || f.Kind != cutOff && f.Kind != crash && f.Kind != stepBack {
		f.Version = uint64(rapid.IntRange(2, 12).Draw(d.T, "version"))
	} else {
		f.At = d.moment("at", s.Horizon)
	}
	return f
}

// String describes the scenario.
func (s scenario) String() string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, "\n  "+format, args...) }
	w := s.World
	say("J=%v C=%v S=%v T=%v L=%v X=%v D=%v P=%v K=%v V=%v, %v", w.Cache, w.CDN, w.Skew, w.MaxTokenLife, w.Leeway,
		w.SignStale, w.ServeStale, w.Publish, w.Active, w.Retain, s.Algs)
	if b := s.Configured; b != w {
		say("the replicas are configured for J=%v C=%v S=%v T=%v L=%v X=%v D=%v P=%v K=%v V=%v", b.Cache, b.CDN, b.Skew, b.MaxTokenLife,
			b.Leeway, b.SignStale, b.ServeStale, b.Publish, b.Active, b.Retain)
	}
	for i, r := range s.Replicas {
		say("replica %d: clock %+v, reads every %v, signs every %v, store latency %v", i, r.Skew, r.Poll, r.Sign, r.Latency)
	}
	for i, e := range s.Edges {
		say("edge %d: caches for %v, begins at %v, prefers replica %d", i, e.Cache, e.Phase, e.Prefers)
	}
	for i, v := range s.Verifiers {
		say("verifier %d: caches for %v, begins at %v, behind edge %d", i, v.Cache, v.Phase, v.Edge)
	}
	for _, f := range s.Faults {
		when := fmt.Sprintf("at %v", f.At)
		if f.Version > 0 {
			when = fmt.Sprintf("at the write of version %d", f.Version)
		}
		say("%s replica %d %s, for %v (back by %v)", when, f.Replica, f.Kind, f.For, f.Back)
	}
	for _, r := range s.Rotations {
		say("at %v replica %d rotates by hand", r.At, r.By)
		if r.CutOff != r.By {
			fmt.Fprintf(&b, " while replica %d is cut off for %v", r.CutOff, r.CutOffBy)
		}
	}
	return b.String()
}

// trustsWrongClock reports whether a clock that was set back stays wrong until it reaches the latest time
// that was seen, within S. From then on nothing shows that it is wrong: the replica signs and plans by it,
// and when it is set right later, less time has passed than its plans have. Verifiers may miss a key then.
// What must hold all the same is that no key moves backwards.
func (s scenario) trustsWrongClock() bool {
	return slices.ContainsFunc(s.Faults, func(f fault) bool {
		return f.Kind == stepBack && f.For+2*time.Second > f.Back-2*max(s.World.Skew, clockcheck.LeastTolerance)
	})
}

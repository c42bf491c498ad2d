package keys

import (
	"flag"
	"os"
	"runtime"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signet/keys/timetable"
)

// The headline claim: no verifier that honours J, behind caches that honour C, ever meets a token
// that it cannot verify. SIGNET_SIMULATION=8h plays scenarios through the night.
func TestNoVerifierMeetsAnUnknownKey(t *testing.T) {
	budget, begun := 3*within(time.Second), time.Now()
	if long, err := time.ParseDuration(os.Getenv("SIGNET_SIMULATION")); err == nil {
		budget = long
	}
	var total tally
	proves := func() bool {
		return total.rotations > 0 && total.refused > 0 && total.unreadable > 0 && total.restarts > 0 && total.behind > 0 && total.verifications >= 10_000
	}
	over := func() bool { // a slow machine needs longer until everything has come
		took := time.Since(begun)
		return took > budget && (proves() || took > 20*budget)
	}
	for !over() {
		rapid.Check(t, func(t *rapid.T) {
			if over() {
				return // within the hundred of one Check
			}
			plan := drawScenario(t, func(_, _ *timetable.Timetable) {})
			s := simulate(plan)
			if s.failure != "" {
				t.Fatal(s.failure, plan)
			}
			total.add(s.tally)
		})
	}
	t.Log(total)
	if !proves() {
		t.Error("that proves little")
	}
}

// within is how long a simulation takes at least: a tenth with -short.
func within(full time.Duration) time.Duration {
	if testing.Short() {
		return full / 10
	}
	return full
}

// breakage is one promise that is broken, by the configuration or by the world.
type breakage struct {
	name   string
	change func(world, configured *timetable.Timetable)
}

// Where an inequality is broken the simulation finds the token that cannot be verified.
func TestSimulationRefutesBrokenInequalities(t *testing.T) {
	if testing.Short() {
		t.Skip("a counterexample takes seconds to find; it is looked for without -short")
	}
	mustRefute(t,
		breakage{"P is too short", func(_, b *timetable.Timetable) { b.Publish -= b.Publish / 4 }},
		breakage{"X is not below D", func(_, b *timetable.Timetable) { b.ServeStale = b.SignStale * 3 / 4 }},
	)
}

// Each of their terms is needed.
func TestSimulationRefutesBrokenPromises(t *testing.T) {
	if os.Getenv("SIGNET_SIMULATION") == "" {
		t.Skip("half a minute; set SIGNET_SIMULATION=1m to have it")
	}
	mustRefute(t,
		breakage{"verifiers cache for longer than J", func(w, b *timetable.Timetable) { w.Cache += b.Publish / 4 }},
		breakage{"a CDN caches for longer than C", func(w, b *timetable.Timetable) { w.CDN += b.Publish / 4 }},
		breakage{"clocks differ by more than S", func(w, b *timetable.Timetable) { w.Skew += b.Retain / 4 }},
		breakage{"tokens live for longer than T", func(w, b *timetable.Timetable) { w.MaxTokenLife += b.Retain / 4 }},
		breakage{"verifiers add more than L", func(w, b *timetable.Timetable) { w.Leeway += b.Retain / 4 }},
		breakage{"replicas serve for longer than D", func(_, b *timetable.Timetable) { b.ServeStale += b.Publish / 4 }},
	)
}

// A key's Hold covers a V that is too short, for one because X was raised and V was not: no key leaves
// while a token that it signed lives.
func TestSimulationHoldOutlastsRetain(t *testing.T) {
	setFlag(t, "rapid.nofailfile", "true")
	for _, b := range []breakage{
		{"V is too short", func(_, b *timetable.Timetable) { b.Retain -= b.Retain / 4 }},
		{"X was raised without V", func(_, b *timetable.Timetable) {
			longer := b.Retain / 2
			b.SignStale, b.ServeStale, b.Publish = b.SignStale+longer, b.ServeStale+longer, b.Publish+longer
		}},
	} {
		t.Run(b.name, func(t *testing.T) {
			begun, budget := time.Now(), within(time.Second)
			rapid.Check(t, func(t *rapid.T) {
				if time.Since(begun) > budget {
					return
				}
				plan := drawScenario(t, func(world, configured *timetable.Timetable) {
					configured.Publish, configured.Retain = needs(*configured)
					b.change(world, configured)
				})
				if s := simulate(plan); s.failure != "" {
					t.Fatal(s.failure + plan.String())
				}
			})
		})
	}
}

// mustRefute wants a counterexample for each.
func mustRefute(t *testing.T, broken ...breakage) {
	setFlag(t, "rapid.nofailfile", "true")
	setFlag(t, "rapid.shrinktime", within(500*time.Millisecond).String())
	for _, b := range broken {
		t.Run(b.name, func(t *testing.T) {
			begun := time.Now()
			found := refute(t, func(world, configured *timetable.Timetable) {
				configured.Publish, configured.Retain = needs(*configured) // with nothing to spare
				b.change(world, configured)
			})
			if found == "" {
				t.Fatal("no counterexample was found")
			}
			t.Logf("in %v: %s", time.Since(begun).Round(10*time.Millisecond), found)
		})
	}
}

// refute has rapid look for a scenario that fails, and returns it in its smallest form.
func refute(t *testing.T, broken func(world, configured *timetable.Timetable)) (found string) {
	done := make(chan struct{})
	go func() { // that Check ends when it has found one
		defer close(done)
		for range 20 {
			rapid.Check(&finder{TB: t}, func(t *rapid.T) {
				plan := drawScenario(t, broken)
				if s := simulate(plan); s.failure != "" {
					found = s.failure + plan.String() // of all that fail the last one is the smallest
					t.FailNow()
				}
			})
		}
	}()
	<-done
	return found
}

// finder is a test that is meant to fail, and does so in silence.
type finder struct {
	testing.TB
	failed bool
}

func (f *finder) Log(...any)            {}
func (f *finder) Logf(string, ...any)   {}
func (f *finder) Fail()                 { f.failed = true }
func (f *finder) Failed() bool          { return f.failed }
func (f *finder) FailNow()              { f.Fail(); runtime.Goexit() }
func (f *finder) Error(...any)          { f.Fail() }
func (f *finder) Errorf(string, ...any) { f.Fail() }
func (f *finder) Fatal(...any)          { f.FailNow() }
func (f *finder) Fatalf(string, ...any) { f.FailNow() }

// setFlag sets one of rapid's for the length of a test.
func setFlag(t *testing.T, name, value string) {
	f := flag.Lookup(name)
	before := f.Value.String()
	if err := f.Value.Set(value); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Value.Set(before) })
}

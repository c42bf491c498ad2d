package keys

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signet/keys/jose"
)

// drawRing draws a ring with a history: pauses, rotations, replicas that come late.
func drawRing(t *rapid.T, tt Timetable, algs []string) (r Ring, now time.Time, newKey func(string) (Key, error)) {
	newKey, now = fakeKeys(), testStart
	r, _, err := First(tt, algs, now, newKey)
	if err != nil {
		t.Fatal(err)
	}
	for range rapid.IntRange(0, 10).Draw(t, "steps") {
		now = now.Add(time.Duration(rapid.Int64Range(0, int64(tt.Active+tt.Retain)).Draw(t, "pause"))).Truncate(time.Millisecond)
		p := newPlanner(r, tt, now, newKey)
		if err := p.advance(algs); err != nil {
			t.Fatal(err)
		}
		if rapid.Bool().Draw(t, "rotate") {
			if _, err := p.hasten(algs[0]); err != nil {
				t.Fatal(err)
			}
		}
		r = p.ring
	}
	return r, now, newKey
}

func mustPlan(t rapid.TB, r Ring, tt Timetable, algs []string, now, until time.Time) Plan {
	t.Helper()
	p, err := NewPlan(r, tt, algs, now, until)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// What the plan says is what Advance does when the time has come, by replicas that look up to a
// poll's length after it.
func TestPlanIsWhatHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tt := drawTimetable(t)
		algs := jose.Algorithms[:rapid.IntRange(1, 3).Draw(t, "algorithms")]
		r, now, newKey := drawRing(t, tt, algs)
		until := now.Add(2*(tt.Publish+tt.Active) + tt.Retain)
		plan := mustPlan(t, r, tt, algs, now, until)

		happened := forecast{known: map[string]int{}}
		happened.note(r, true)
		late := time.Duration(0) // no step can be later than all delays together
		for at := now; !at.IsZero() && !at.After(until); at = r.changesAfter(at, tt) {
			at = at.Add(time.Duration(rapid.Int64Range(0, int64(defaultPoll)).Draw(t, "late")))
			late += defaultPoll
			next, _, err := Advance(r, tt, algs, at, newKey)
			if err != nil {
				t.Fatal(err)
			}
			r = next
			happened.note(r, false)
		}
		for _, alg := range algs {
			compareLives(t, livesOf(plan.Keys, alg), livesOf(happened.plan.Keys, alg), now, until.Add(-late), late)
		}
	})
}

func livesOf(all []PlannedKey, alg string) (some []PlannedKey) {
	for _, k := range all {
		if k.Alg == alg {
			some = append(some, k)
		}
	}
	return some
}

// compareLives compares what lies in between from and until; a step may come late but not early.
func compareLives(t *rapid.T, planned, happened []PlannedKey, from, until time.Time, late time.Duration) {
	for i, k := range happened {
		if !k.PublishAt.Before(until) {
			return
		}
		if i >= len(planned) {
			t.Fatalf("%s was made and not planned", k.Name)
		}
		if k.Made && planned[i].KID != k.KID || !k.Made && planned[i].KID != "" {
			t.Fatalf("key %d: planned %+v, got %+v", i, planned[i], k)
		}
		for n, step := range k.Key.steps() {
			want := planned[i].Key.steps()[n].at
			if step.at.IsZero() || !step.at.Before(until) || !step.at.After(from) {
				continue
			}
			if by := step.at.Sub(want); by < 0 || by > late {
				t.Fatalf("%s is %s %v after it was planned, which is not from 0 to %v", k.Name, step.name, by, late)
			}
		}
	}
}

// At every moment of a plan each algorithm has one active key, and the key set is small.
func TestPlanKeepsThePromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tt := drawTimetable(t)
		algs := jose.Algorithms[:rapid.IntRange(1, 3).Draw(t, "algorithms")]
		r, now, _ := drawRing(t, tt, algs)
		p := mustPlan(t, r, tt, algs, now, now.Add(5*tt.Active+tt.Publish))
		var all Ring
		for _, k := range p.Keys {
			k.Key.KID = k.Name
			all.Keys = append(all.Keys, k.Key)
		}
		for i, k := range all.Keys { // nobody has planned an end for the last ones
			if all.Keys[i].RetireAt.IsZero() {
				all.Keys[i].RetireAt, all.Keys[i].RemoveAt = later(k.ActivateAt, p.Until).Add(1), time.Time{}
			}
		}
		for _, at := range instants(all, p.From, p.Until) {
			published := map[string]int{}
			for _, k := range all.At(at).Published {
				published[k.Alg]++
			}
			for _, alg := range algs {
				if n := len(activeOf(all, alg, at)); n != 1 {
					t.Fatalf("%v: %d active keys of %s in %+v", at, n, alg, all)
				}
				if published[alg] > maxPublished {
					t.Fatalf("%v: %d keys of %s are published", at, published[alg], alg)
				}
			}
		}
		for i, s := range p.Steps {
			if !s.At.After(p.From) || s.At.After(p.Until) || i > 0 && s.At.Before(p.Steps[i-1].At) {
				t.Fatalf("step %d, %+v, is out of order", i, s)
			}
		}
	})
}

func TestPlanOfAYear(t *testing.T) {
	tt := DefaultTimetable()
	m := mustOpen(t, testConfig(&memory{}, newClock()))
	p, err := m.Plan(0)
	if err != nil {
		t.Fatal(err)
	}
	if p.Cut || len(p.Keys) != 14 {
		t.Fatalf("got %d keys, cut %v; want the two that are there and twelve more", len(p.Keys), p.Cut)
	}
	first := m.Keys()[1]
	if k := p.Keys[1]; k.KID != first.KID || k.Name != first.KID || !k.Made || k.State != Pending || k.private != nil {
		t.Errorf("the standby: got %+v", k)
	}
	if k := p.Keys[2]; k.KID != "" || k.Name != "A" || k.Made || !k.ActivateAt.Equal(testStart.Add(2*tt.Active)) {
		t.Errorf("the first that is not made yet: got %+v", k)
	}
	var steps []string
	for _, s := range p.Steps[:4] {
		steps = append(steps, s.Step+" "+strings.TrimPrefix(s.Name, first.KID)+" after "+spell(s.At.Sub(testStart)))
	}
	want := "active  after 30d, retired " + m.Keys()[0].KID + " after 30d, published A after 720h0m10s, removed " + m.Keys()[0].KID + " after 31d"
	if got := strings.Join(steps, ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	data, err := json.Marshal(p)
	if err != nil || strings.Contains(string(data), "pkcs8") {
		t.Errorf("the plan as JSON: %v, %s", err, data)
	}
	if v, _ := m.cfg.Storage.(*memory).get(); v != 1 {
		t.Errorf("planning has written version %d", v)
	}
}

// An algorithm that is not configured any more ends in the plan as well.
func TestPlanOfALeavingAlgorithm(t *testing.T) {
	tt, make := DefaultTimetable(), fakeKeys()
	r, _, _ := First(tt, []string{jose.ES256, jose.RS256}, testStart, make)
	p := mustPlan(t, r, tt, []string{jose.ES256}, testStart, testStart.Add(90*24*time.Hour))
	rsa := livesOf(p.Keys, jose.RS256)
	if len(rsa) != 2 {
		t.Fatalf("got %d keys of jose.RS256, want no new one: %+v", len(rsa), rsa)
	}
	end := testStart.Add(tt.Publish + tt.notice())
	if k := rsa[0]; !k.RetireAt.Equal(end) || !k.RemoveAt.Equal(end.Add(tt.Retain+tt.ClockSkew)) {
		t.Errorf("the active key retires at %v and goes at %v, want %v", k.RetireAt, k.RemoveAt, end)
	}
}

func TestPlanOfSecondsIsCut(t *testing.T) {
	tt, make := DefaultTimetable(), fakeKeys()
	tt.Active, tt.Publish, tt.Retain = 15*time.Second, 10*time.Second, 15*time.Second
	tt.SignStale, tt.ServeStale, tt.TokenLife, tt.Leeway, tt.ClockSkew = 2*time.Second, 4*time.Second, 5*time.Second, time.Second, time.Second
	r, _, _ := First(tt, []string{jose.ES256}, testStart, make)
	p := mustPlan(t, r, tt, []string{jose.ES256}, testStart, testStart.Add(365*24*time.Hour))
	if !p.Cut || len(p.Keys) > maxPlanned+1 || len(p.Keys) < maxPlanned-2 || !p.Until.Before(testStart.Add(2*time.Hour)) {
		t.Errorf("got %d keys until %v, cut: %v", len(p.Keys), p.Until, p.Cut)
	}
}

func TestLetters(t *testing.T) {
	for n, want := range map[int]string{1: "A", 26: "Z", 27: "AA", 52: "AZ", 53: "BA", 702: "ZZ", 703: "AAA"} {
		if got := letter(n); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
}

// While nobody can write what is due, the next step lies in the past.
func TestNextStepThatIsOverdue(t *testing.T) {
	c, s := newClock(), &memory{}
	m := mustOpen(t, testConfig(s, c))
	tt := DefaultTimetable()
	want := testStart.Add(tt.Active)
	if got := m.NextStep(); !got.Equal(want) {
		t.Errorf("at first: got %v, want %v", got, want)
	}
	s.setDown(true)
	c.advance(tt.Active + time.Hour)
	for range 2 {
		_ = m.Step(t.Context()) // cannot read
		if got := m.NextStep(); !got.Equal(want) {
			t.Errorf("with the store down: got %v, want it overdue since %v", got, want)
		}
		c.advance(tt.Retain) // another thing is due by now; the first counts
	}
	s.setDown(false)
	mustStep(t, m)
	if got := m.NextStep(); !got.After(c.now()) {
		t.Errorf("when it was written: got %v, which is not after %v", got, c.now())
	}
}

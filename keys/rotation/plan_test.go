package rotation

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signet/keys/timetable"
)

// drawKeyring draws a keyring with a history: pauses, rotations, replicas that come late.
func drawKeyring(t *rapid.T, tt timetable.Timetable, algs []string) (r Keyring, now time.Time, fresh *Fresh) {
	fresh, now = fakeKeys(), testStart
	r, _, err := First(tt, algs, now, fresh)
	if err != nil {
		t.Fatal(err)
	}
	for range rapid.IntRange(0, 10).Draw(t, "steps") {
		now = now.Add(time.Duration(rapid.Int64Range(0, int64(tt.Active+tt.Retain)).Draw(t, "pause"))).Truncate(time.Millisecond)
		p := NewDraft(r, tt, now, fresh)
		if err := p.Advance(algs); err != nil {
			t.Fatal(err)
		}
		if rapid.Bool().Draw(t, "rotate") {
			if _, err := p.ActivateEarly(algs[0]); err != nil {
				t.Fatal(err)
			}
		}
		r = p.Keyring
	}
	return r, now, fresh
}

func mustPlan(t rapid.TB, r Keyring, tt timetable.Timetable, algs []string, now, until time.Time) Plan {
	t.Helper()
	p, err := NewPlan(r, tt, algs, now, until)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The plan is what Advance does when the time has come, by replicas that look up to a
// poll's length after it.
func TestPlanIsWhatHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tt := drawTimetable(t)
		algs := algorithms[:rapid.IntRange(1, 3).Draw(t, "algorithms")]
		r, now, fresh := drawKeyring(t, tt, algs)
		const poll = 10 * time.Second
		until := now.Add(2*(tt.Publish+tt.Active) + tt.Retain)
		plan := mustPlan(t, r, tt, algs, now, until)

		happened := forecast{known: map[string]int{}}
		happened.note(r, true)
		late := time.Duration(0) // no step can be later than all delays together
		for at := now; !at.IsZero() && !at.After(until); at = r.changesAfter(at, tt) {
			at = at.Add(time.Duration(rapid.Int64Range(0, int64(poll)).Draw(t, "late")))
			late += poll
			next, _, err := Advance(r, tt, algs, at, fresh)
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
		algs := algorithms[:rapid.IntRange(1, 3).Draw(t, "algorithms")]
		r, now, _ := drawKeyring(t, tt, algs)
		p := mustPlan(t, r, tt, algs, now, now.Add(5*tt.Active+tt.Publish))
		var all Keyring
		for _, k := range p.Keys {
			k.Key.KID = k.Name
			all.Keys = append(all.Keys, k.Key)
		}
		for i, k := range all.Keys { // the last ones have no planned end
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
	tt := timetable.Default()
	r, _, err := First(tt, []string{es256}, testStart, &Fresh{Made: map[string][]string{es256: {"first", "standby"}}})
	if err != nil {
		t.Fatal(err)
	}
	p := mustPlan(t, r, tt, []string{es256}, testStart, testStart.Add(tt.PlanLength()))
	if p.Cut || len(p.Keys) != 14 {
		t.Fatalf("got %d keys, cut %v; want the two that are there and twelve more", len(p.Keys), p.Cut)
	}
	if k := p.Keys[1]; k.KID != "standby" || k.Name != "standby" || !k.Made || k.State != Pending {
		t.Errorf("the standby: got %+v", k)
	}
	if k := p.Keys[2]; k.KID != "" || k.Name != "A" || k.Made || !k.ActivateAt.Equal(testStart.Add(2*tt.Active)) {
		t.Errorf("the first that is not made yet: got %+v", k)
	}
	var steps []string
	for _, s := range p.Steps[:4] {
		steps = append(steps, fmt.Sprint(s.Step, " ", s.Name, " after ", s.At.Sub(testStart)))
	}
	want := "active standby after 720h0m0s, retired first after 720h0m0s, published A after 720h0m10s, removed first after 744h0m0s"
	if got := strings.Join(steps, ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// An algorithm that is not configured any more ends in the plan as well.
func TestPlanOfALeavingAlgorithm(t *testing.T) {
	tt, fresh := timetable.Default(), fakeKeys()
	r, _, _ := First(tt, []string{es256, rs256}, testStart, fresh)
	p := mustPlan(t, r, tt, []string{es256}, testStart, testStart.Add(90*24*time.Hour))
	rsa := livesOf(p.Keys, rs256)
	if len(rsa) != 2 {
		t.Fatalf("got %d keys of rs256, want no new one: %+v", len(rsa), rsa)
	}
	end := testStart.Add(tt.Publish + tt.Notice())
	if k := rsa[0]; !k.RetireAt.Equal(end) || !k.RemoveAt.Equal(end.Add(tt.Retain+tt.Skew)) {
		t.Errorf("the active key retires at %v and goes at %v, want %v", k.RetireAt, k.RemoveAt, end)
	}
}

func TestPlanOfSecondsIsCut(t *testing.T) {
	tt, fresh := timetable.Default(), fakeKeys()
	tt.Active, tt.Publish, tt.Retain = 15*time.Second, 10*time.Second, 15*time.Second
	tt.SignStale, tt.ServeStale, tt.MaxTokenLife, tt.Leeway, tt.Skew = 2*time.Second, 4*time.Second, 5*time.Second, time.Second, time.Second
	r, _, _ := First(tt, []string{es256}, testStart, fresh)
	p := mustPlan(t, r, tt, []string{es256}, testStart, testStart.Add(365*24*time.Hour))
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

// While no replica writes what is due, the next step lies in the past.
func TestNextStepThatIsOverdue(t *testing.T) {
	tt, algs := timetable.Default(), []string{es256}
	r, _, err := First(tt, algs, testStart, &Fresh{Made: map[string][]string{es256: {"first", "standby"}}})
	if err != nil {
		t.Fatal(err)
	}
	want := testStart.Add(tt.Active)
	if got := r.NextStep(tt, algs, testStart); !got.Equal(want) {
		t.Errorf("at first: got %v, want %v", got, want)
	}
	now := testStart.Add(tt.Active + time.Hour)
	for range 2 {
		if got := r.NextStep(tt, algs, now); !got.Equal(want) {
			t.Errorf("with the store down: got %v, want it overdue since %v", got, want)
		}
		now = now.Add(tt.Retain) // another thing is due by now; the first counts
	}
	if r, _, err = Advance(r, tt, algs, now, fakeKeys()); err != nil {
		t.Fatal(err)
	}
	if got := r.NextStep(tt, algs, now); !got.After(now) {
		t.Errorf("when it was written: got %v, which is not after %v", got, now)
	}
}

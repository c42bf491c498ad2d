package keys

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// maxPlanned is how many keys a Plan has at most, so that a timetable of seconds makes no plan of
// millions. It is more than a year of keys that sign for a day.
const maxPlanned = 400

// plannedLives is how many lives of a key a plan has that was asked for without an end.
const plannedLives = 53

// Plan is what the keyring does by itself from one moment to another, when nobody steps in.
type Plan struct {
	From, Until time.Time // Until comes sooner than asked for where there are too many keys
	Cut         bool      // it did
	Keys        []PlannedKey
	Steps       []PlannedStep // in the order of time
}

// PlannedKey is a key with its timetable as it will have been. A key that has not been made yet has
// no kid; it is named by a letter.
type PlannedKey struct {
	Key
	Name  string // the kid, or A, B, C …
	Made  bool   // it exists
	State State  // at From
}

// PlannedStep is one step of one key.
type PlannedStep struct {
	At   time.Time
	Step string // published, or the state that begins
	Name string
	Alg  string
}

// NewPlan plays Advance forward from the ring that is there at now. It assumes that some replica
// looks at each moment at which something is due; real ones come up to a Poll later, and so does
// the publication of the key that they make then. It does no I/O and makes no keys.
func NewPlan(r Ring, tt Timetable, algs []string, now, until time.Time) (Plan, error) {
	f := forecast{plan: Plan{From: now, Until: until}, known: map[string]int{}}
	newKey := letters()
	f.note(r, true)
	for at := now; ; {
		next, _, err := Advance(r, tt, algs, at, newKey)
		if err != nil {
			return Plan{}, err
		}
		if len(f.plan.Keys) > maxPlanned {
			f.plan.Until, f.plan.Cut = at, true
			break
		}
		r = next
		f.note(r, false)
		if at = r.changesAfter(at, tt); at.IsZero() || at.After(until) {
			break
		}
	}
	return f.finish(), nil
}

// Plan is the plan of this replica's keyring and configuration for that long from now. Zero stands
// for a year, or for a year's worth of weekly keys where they live for less than a week.
func (m *Manager) Plan(long time.Duration) (Plan, error) {
	tt, now := m.cfg.Timetable, m.clock.Correct(m.cfg.Now())
	if long == 0 {
		long = min(365*24*time.Hour, plannedLives*max(tt.Active, tt.Publish))
	}
	return NewPlan(m.state.Load().ring, tt, m.cfg.Algorithms, now, now.Add(long))
}

// forecast gathers a Plan.
type forecast struct {
	plan  Plan
	known map[string]int // by kid, or by the letter that stands for one: the place in plan.Keys
}

// note takes over what the ring says of each key; the last word on a key counts.
func (f *forecast) note(r Ring, made bool) {
	for _, k := range r.Keys {
		k.private = nil
		i, ok := f.known[k.KID]
		if !ok {
			i = len(f.plan.Keys)
			f.known[k.KID] = i
			f.plan.Keys = append(f.plan.Keys, PlannedKey{Name: k.KID, Made: made})
		}
		f.plan.Keys[i].Key = k
	}
}

func (f *forecast) finish() Plan {
	p := &f.plan
	for i := range p.Keys {
		k := &p.Keys[i]
		k.State = k.Key.State(p.From)
		p.addSteps(*k)
		if !k.Made {
			k.KID = ""
		}
	}
	p.Keys = slices.DeleteFunc(p.Keys, func(k PlannedKey) bool { return k.PublishAt.After(p.Until) })
	slices.SortStableFunc(p.Steps, func(a, b PlannedStep) int {
		// An activation is told before the retirement that it brings.
		return cmp.Or(a.At.Compare(b.At), strings.Compare(a.Step, b.Step))
	})
	return *p
}

// addSteps adds the steps of a key that lie in the plan.
func (p *Plan) addSteps(k PlannedKey) {
	for _, s := range k.Key.steps() {
		if s.at.After(p.From) && !s.at.After(p.Until) && k.State != Revoked {
			p.Steps = append(p.Steps, PlannedStep{At: s.at, Step: s.name, Name: k.Name, Alg: k.Alg})
		}
	}
}

// letters makes keys for plans: without a private part, and named A … Z, AA, AB and so on.
func letters() func(alg string) (Key, error) {
	n := 0
	return func(string) (Key, error) {
		n++
		return Key{KID: letter(n)}, nil
	}
}

func letter(n int) (name string) {
	for ; n > 0; n = (n - 1) / 26 {
		name = string(rune('A'+(n-1)%26)) + name
	}
	return name
}

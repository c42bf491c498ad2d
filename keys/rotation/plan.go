package rotation

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"signet/keys/timetable"
)

// maxPlanned is how many keys a Plan has at most, so that a timetable of seconds makes no plan of
// millions. It is more than a year of keys that sign for a day.
const maxPlanned = 400

// Plan is what the keyring does by itself from one moment to another.
type Plan struct {
	From, Until time.Time // Until is earlier than asked for where there are too many keys
	Cut         bool      // it is
	Keys        []PlannedKey
	Steps       []PlannedStep // in the order of time
}

// PlannedKey is a key with the timetable that it will have followed. A key that has not been made yet has
// no kid; its name is a letter.
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

// NewPlan repeats Advance from the keyring at now until a later moment. It assumes that some replica
// advances the keyring at each moment at which something is due. Real replicas come up to a poll later,
// and so does the publication of the key that they make then.
func NewPlan(r Keyring, tt timetable.Timetable, algs []string, now, until time.Time) (Plan, error) {
	f := forecast{plan: Plan{From: now, Until: until}, known: map[string]int{}}
	fresh := &Fresh{}
	f.note(r, true)
	for at := now; ; {
		next, _, err := Advance(r, tt, algs, at, fresh)
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

// forecast gathers a Plan.
type forecast struct {
	plan  Plan
	known map[string]int // by kid or letter: the place in plan.Keys
}

// note takes over each key of the keyring; the last version of a key counts.
func (f *forecast) note(r Keyring, made bool) {
	for _, k := range r.Keys {
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
		// An activation comes before the retirement that it causes.
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

// changesAfter returns the first moment after now at which Advance could find something to do or a
// key changes its state; zero when there is none.
func (r Keyring) changesAfter(now time.Time, tt timetable.Timetable) (next time.Time) {
	for _, t := range r.moments(tt) {
		if t.After(now) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	return next
}

// moments are the times that matter to Advance, in no order.
func (r Keyring) moments(tt timetable.Timetable) (all []time.Time) {
	for _, k := range r.Keys {
		changes := k.changes()
		all = append(all, changes[:]...)
		if !k.RevokedAt.IsZero() {
			all = append(all, k.RevokedAt.Add(tt.Retain))
		}
	}
	for _, l := range r.Leaving {
		all = append(all, l.At, l.KeptUntil)
	}
	return slices.DeleteFunc(all, time.Time.IsZero)
}

// overdue returns since when the keyring has waited to be advanced; zero when it does not.
func (r Keyring) overdue(tt timetable.Timetable, algs []string, now time.Time) time.Time {
	waits := func(at time.Time) bool {
		_, steps, err := Advance(r, tt, algs, at, &Fresh{})
		return err == nil && len(steps) > 0
	}
	if !waits(now) {
		return time.Time{}
	}
	moments := slices.DeleteFunc(r.moments(tt), func(t time.Time) bool { return t.After(now) })
	slices.SortFunc(moments, time.Time.Compare)
	since := now // what is due for another reason, a new timetable for one, is due from now on
	for _, at := range slices.Backward(moments) {
		if !waits(at) {
			break
		}
		since = at
	}
	return since
}

// NextStep returns when the next step of any key is planned. It is in the past while a step that was due then
// is not written. Zero when nothing is planned.
func (r Keyring) NextStep(tt timetable.Timetable, algs []string, now time.Time) time.Time {
	if since := r.overdue(tt, algs, now); !since.IsZero() {
		return since
	}
	return r.changesAfter(now, tt)
}

// KeptPlan is an activation that was planned under a longer timetable than the current one. Plans are kept when
// the timetable changes, so a shorter one applies to later keys only; ActivateEarly brings the activation
// forward.
type KeptPlan struct {
	Alg         string
	KID         string // of the key that is to sign next
	ActivatesAt time.Time
	Would       time.Time // by the current timetable
}

// KeptPlans returns the algorithms whose next activation is later than the timetable would have it.
func (r Keyring) KeptPlans(tt timetable.Timetable, algs []string, now time.Time) (kept []KeptPlan) {
	const rounding = time.Minute
	d := NewDraft(r, tt, now, &Fresh{})
	for _, alg := range algs {
		active, pending := d.find(alg, Active), d.find(alg, Pending)
		if active == nil || pending == nil {
			continue
		}
		would := later(pending.PublishAt.Add(tt.Publish), active.ActivateAt.Add(tt.Active))
		if pending.ActivateAt.Sub(would) > rounding {
			kept = append(kept, KeptPlan{Alg: alg, KID: pending.KID, ActivatesAt: pending.ActivateAt, Would: would})
		}
	}
	return kept
}

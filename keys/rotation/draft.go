package rotation

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Fresh supplies a draft with new keys that were made for it, and records which it lacks. In place of a
// key that is missing the draft gets a placeholder, whose kid is a letter, so that it can be finished; a
// draft with placeholders must not be written.
type Fresh struct {
	Made   map[string][]string // kids of new keys by algorithm; each is used once
	Failed map[string]bool     // algorithms for which no key can be made: the draft does without

	used    map[string]int
	needs   []string
	letters int
}

// Needs returns the algorithm of every key that is missing. Who makes these keys puts them into Made of
// another Fresh and drafts again.
func (f *Fresh) Needs() []string { return f.needs }

// errNotMade: the draft has to do without a new key.
var errNotMade = errors.New("the key could not be made")

func (f *Fresh) next(alg string) (kid string, err error) {
	switch made := f.Made[alg]; {
	case f.used[alg] < len(made):
		if f.used == nil {
			f.used = map[string]int{}
		}
		f.used[alg]++
		return made[f.used[alg]-1], nil
	case f.Failed[alg]:
		return "", errNotMade
	}
	f.needs = append(f.needs, alg)
	f.letters++
	return letter(f.letters), nil
}

// letter names placeholders A … Z, AA, AB and so on.
func letter(n int) (name string) {
	for ; n > 0; n = (n - 1) / 26 {
		name = string(rune('A'+(n-1)%26)) + name
	}
	return name
}

// Draft is a changed copy of a keyring that is not written yet, with the transitions that led to it.
type Draft struct {
	Keyring     Keyring
	Transitions []Transition
	Now         time.Time // the moment of the draft

	tt     Timetable
	notice time.Duration
	fresh  *Fresh
	silent bool // something has changed that is no transition
}

// NewDraft begins a draft of the keyring at now.
func NewDraft(r Keyring, tt Timetable, now time.Time, fresh *Fresh) *Draft {
	// Times are written in UTC to the millisecond, and without the monotonic reading, which stops
	// while the machine is suspended.
	now = later(now.Round(0).UTC().Truncate(time.Millisecond), r.SeenAt)
	return &Draft{Keyring: r.Clone(), Now: now, tt: tt, notice: tt.Notice(), fresh: fresh}
}

// Changed reports whether the draft differs from the keyring that it began with.
func (d *Draft) Changed() bool { return len(d.Transitions) > 0 || d.silent }

// Record adds a transition about the keyring as a whole.
func (d *Draft) Record(step Step) { d.record(step, Key{}, d.Now) }

func (d *Draft) record(step Step, k Key, at time.Time) {
	d.Transitions = append(d.Transitions, Transition{Step: step, KID: k.KID, Alg: k.Alg, At: at})
	d.Keyring.SeenAt = d.Now
}

// newKey returns a key whose kid was never used.
func (d *Draft) newKey(alg string) (Key, error) {
	kid, err := d.fresh.next(alg)
	if err != nil {
		return Key{}, fmt.Errorf("making a signing key for %s: %w", alg, err)
	}
	if d.Keyring.Has(kid) {
		return Key{}, fmt.Errorf("making a signing key for %s: kid %s was used before", alg, kid)
	}
	return Key{KID: kid, Alg: alg, CreatedAt: d.Now, Hold: d.tt.hold()}, nil
}

func (d *Draft) add(k Key) {
	d.Keyring.Keys = append(d.Keyring.Keys, k)
	d.record(StepCreated, k, k.PublishAt)
}

// find returns the algorithm's key in that state, or nil. It points into the keyring until a key is added.
func (d *Draft) find(alg string, s State) *Key {
	i := slices.IndexFunc(d.Keyring.Keys, func(k Key) bool { return k.Alg == alg && k.State(d.Now) == s })
	if i < 0 {
		return nil
	}
	return &d.Keyring.Keys[i]
}

// recordActivated records an activation, and the retirement that it was.
func (d *Draft) recordActivated(active Key) {
	for _, k := range d.Keyring.Keys {
		if k.Alg == active.Alg && k.State(d.Now) == Retired && k.RetireAt.Equal(active.ActivateAt) {
			d.record(StepRetired, k, k.RetireAt)
		}
	}
	d.record(StepActivated, active, active.ActivateAt)
}

// recordHold records, for each key that signs or will, the longest that its tokens can live. It only ever
// grows, because it is not known under which of several timetables the key signs its last token. A
// keyring that was written before this was recorded has the plan of the timetable of then.
func (d *Draft) recordHold() {
	for i := range d.Keyring.Keys {
		k := &d.Keyring.Keys[i]
		if s := k.State(d.Now); s != Pending && s != Active {
			continue
		}
		need := max(k.Hold, d.tt.hold())
		if k.Hold == 0 && !k.RetireAt.IsZero() {
			need = max(need, k.RemoveAt.Sub(k.RetireAt))
		}
		if need == k.Hold {
			continue
		}
		k.Hold, d.silent = need, true
	}
}

// SeenLate delays the activation of a pending key that some replica did not see at its PublishAt.
func (d *Draft) SeenLate(kid string, at time.Time) {
	i := slices.IndexFunc(d.Keyring.Keys, func(k Key) bool { return k.KID == kid && k.State(d.Now) == Pending })
	if i < 0 || !d.Keyring.Keys[i].PublishAt.Before(at) {
		return
	}
	k := &d.Keyring.Keys[i]
	k.PublishAt = at
	d.record(StepScheduled, *k, later(k.ActivateAt, at.Add(d.tt.Publish)))
}

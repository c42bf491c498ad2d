package rotation

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"signet/keys/timetable"
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

// Changes is a changed copy of a keyring, with the transitions that led to it.
type Changes struct {
	Keyring     Keyring
	Transitions []Transition
	Now         time.Time // the moment of the changes

	silent bool // something has changed that is no transition
}

// Changed reports whether the copy differs from the keyring that it began with.
func (c *Changes) Changed() bool { return len(c.Transitions) > 0 || c.silent }

// Record adds a transition about the keyring as a whole.
func (c *Changes) Record(step Step) { c.record(step, Key{}, c.Now) }

func (c *Changes) record(step Step, k Key, at time.Time) {
	c.Transitions = append(c.Transitions, Transition{Step: step, KID: k.KID, Alg: k.Alg, At: at})
	c.Keyring.SeenAt = c.Now
}

func (c *Changes) add(k Key) {
	c.Keyring.Keys = append(c.Keyring.Keys, k)
	c.record(StepCreated, k, k.PublishAt)
}

// remove turns keys into tombstones.
func (c *Changes) remove(gone func(Key) bool) {
	c.Keyring.Keys = slices.DeleteFunc(c.Keyring.Keys, func(k Key) bool {
		if !gone(k) {
			return false
		}
		c.Keyring.Tombstones = append(c.Keyring.Tombstones, Tombstone{k.KID, c.Now, !k.RevokedAt.IsZero()})
		c.record(StepRemoved, k, c.Now)
		return true
	})
}

// find returns the algorithm's key in that state, or nil. It points into the keyring until a key is added.
func (c *Changes) find(alg string, s State) *Key {
	i := slices.IndexFunc(c.Keyring.Keys, func(k Key) bool { return k.Alg == alg && k.State(c.Now) == s })
	if i < 0 {
		return nil
	}
	return &c.Keyring.Keys[i]
}

// activateNow has a pending key sign since at, published or not.
func (c *Changes) activateNow(k *Key, at time.Time) {
	if k.PublishAt.After(at) {
		k.PublishAt = at
	}
	k.ActivateAt, k.ChangedAt = at, c.Now
	c.record(StepScheduled, *k, c.Now)
}

// recordActivated records an activation, and the retirement that it was.
func (c *Changes) recordActivated(active Key) {
	for _, k := range c.Keyring.Keys {
		if k.Alg == active.Alg && k.State(c.Now) == Retired && k.RetireAt.Equal(active.ActivateAt) {
			c.record(StepRetired, k, k.RetireAt)
		}
	}
	c.record(StepActivated, active, active.ActivateAt)
}

// Draft decides what changes in a keyring. It is not written yet.
type Draft struct {
	Changes

	tt     timetable.Timetable
	notice time.Duration
	fresh  *Fresh
}

// NewDraft begins a draft of the keyring at now.
func NewDraft(r Keyring, tt timetable.Timetable, now time.Time, fresh *Fresh) *Draft {
	// Times are written in UTC to the millisecond, and without the monotonic reading, which stops
	// while the machine is suspended.
	now = later(now.Round(0).UTC().Truncate(time.Millisecond), r.SeenAt)
	return &Draft{Changes: Changes{Keyring: r.Clone(), Now: now}, tt: tt, notice: tt.Notice(), fresh: fresh}
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
	return Key{KID: kid, Alg: alg, CreatedAt: d.Now, Hold: d.tt.Hold()}, nil
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
		need := max(k.Hold, d.tt.Hold())
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

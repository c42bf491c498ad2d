package rotation

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"signet/keys/timetable"
)

// maxPublished is how many keys of one algorithm are in the key set at most. The smallest verifier caches
// in use hold five.
const maxPublished = 4

// Advance returns the keyring as it should be at now, and what changed; without a Transition nothing did.
// It does no I/O, and doing it twice is doing it once.
//
// Afterwards each of algs has one active key and one pending successor, which activates when it has been
// published for Publish and its predecessor has signed for Active. A new algorithm begins with a pending
// key. Plans are kept when the timetable changes, except that they are stretched to satisfy it: so
// replicas whose configurations differ do not undo each other's work.
func Advance(r Keyring, tt timetable.Timetable, algs []string, now time.Time, fresh *Fresh) (Keyring, []Transition, error) {
	d := NewDraft(r, tt, now, fresh)
	if err := d.Advance(algs); err != nil {
		return r, nil, err
	}
	return d.Keyring, d.Transitions, nil
}

// First returns the first keyring of an install: for each algorithm a key that signs at once, because
// there are no tokens and no fetched key sets yet, and its published successor. At once is Skew ago, so
// that it has come by the clock of every replica.
func First(tt timetable.Timetable, algs []string, now time.Time, fresh *Fresh) (Keyring, []Transition, error) {
	d := NewDraft(Keyring{}, tt, now, fresh)
	d.notice = 0
	for _, alg := range algs {
		k, err := d.newKey(alg)
		if err != nil {
			return Keyring{}, nil, err
		}
		k.PublishAt, k.ActivateAt = d.Now, d.Now
		d.add(k)
	}
	if err := d.Advance(algs); err != nil {
		return Keyring{}, nil, err
	}
	for i := range d.Keyring.Keys {
		if k := &d.Keyring.Keys[i]; k.ActivateAt.Equal(d.Now) {
			k.PublishAt = d.Now.Add(-tt.Skew)
			k.ActivateAt = k.PublishAt
		}
	}
	return d.Keyring, d.Transitions, nil
}

// Advance does what is due: see the function Advance.
func (d *Draft) Advance(algs []string) error {
	d.bury()
	d.recordHold()
	for _, alg := range algs {
		d.cancelRetirement(alg)
		if err := d.ensureSuccessor(alg); err != nil {
			return err
		}
	}
	for _, alg := range d.Keyring.unconfigured(algs) {
		d.retireAlgorithm(alg, algs)
	}
	return nil
}

// ensureSuccessor makes sure that the algorithm has one successor, and ties the active key's end to it.
func (d *Draft) ensureSuccessor(alg string) error {
	if d.find(alg, Pending) == nil {
		err := d.create(alg)
		if errors.Is(err, errNotMade) {
			return nil // the active key signs on until there is a successor
		}
		if err != nil {
			return err
		}
	}
	active, pending := d.find(alg, Active), d.find(alg, Pending)
	if active == nil && d.Keyring.interrupted(alg, d.Now) {
		d.activateNow(pending, d.Now) // published long enough or not: the alternative is to sign nothing
		return nil
	}
	d.schedule(active, pending)
	return nil
}

// create adds a pending key. It is needed because the last one has activated, so that is recorded too.
func (d *Draft) create(alg string) error {
	k, err := d.newKey(alg)
	if err != nil {
		return err
	}
	k.PublishAt = d.Keyring.nextPublication(alg, d.Now, d.Now.Add(d.notice))
	k.ActivateAt = k.PublishAt.Add(d.tt.Publish)
	if active := d.find(alg, Active); active != nil {
		k.ActivateAt = later(k.ActivateAt, active.ActivateAt.Add(d.tt.Active))
		if active.RetireAt.IsZero() {
			d.recordActivated(*active)
		}
	}
	d.add(k)
	return nil
}

// nextPublication returns when the next key of the algorithm can be published, from soon on, so that the key
// set has no more than maxPublished.
func (r Keyring) nextPublication(alg string, now, soon time.Time) time.Time {
	var ends []time.Time // when the published keys are removed; the active one stays
	staying := 0
	for _, k := range r.Keys {
		switch state := k.State(now); {
		case k.Alg != alg:
		case state == Retired:
			ends = append(ends, k.RemoveAt)
		case state == Active:
			staying++
		}
	}
	excess := staying + len(ends) - (maxPublished - 1)
	if excess <= 0 {
		return soon
	}
	slices.SortFunc(ends, time.Time.Compare)
	return later(soon, ends[excess-1])
}

// schedule stretches the plan to the timetable, and ends the active key when its successor begins.
func (d *Draft) schedule(active, pending *Key) {
	if earliest := pending.PublishAt.Add(d.tt.Publish); pending.ActivateAt.Before(earliest) {
		pending.ActivateAt = earliest
		d.record(StepScheduled, *pending, earliest)
	}
	if active == nil {
		return
	}
	removal := pending.ActivateAt.Add(active.retention(d.tt))
	switch {
	case !active.RetireAt.Equal(pending.ActivateAt):
		active.RetireAt, active.RemoveAt = pending.ActivateAt, removal
	case active.RemoveAt.Before(removal):
		active.RemoveAt = removal
		d.record(StepScheduled, *active, removal)
	}
}

// ActivateEarly has the algorithm's successor activate as soon as it has been published for Publish, never
// earlier, and returns when that is. ErrAlgorithm if the algorithm is not live.
func (d *Draft) ActivateEarly(alg string) (time.Time, error) {
	active, pending := d.find(alg, Active), d.find(alg, Pending)
	if active == nil || pending == nil {
		return time.Time{}, fmt.Errorf("%w %s", ErrAlgorithm, alg)
	}
	soonest := later(d.Now.Add(d.notice), pending.PublishAt.Add(d.tt.Publish))
	if soonest.Before(pending.ActivateAt) {
		pending.ActivateAt = soonest
		d.record(StepScheduled, *pending, soonest)
		d.schedule(active, pending)
		active.RemoveAt = active.removalAfter(d.tt, active.RetireAt)
	}
	return pending.ActivateAt, nil
}

// interrupted reports whether the algorithm's signing key was revoked and its successor did not take over
// in the same step, so that nothing signs. Revoke does not leave a keyring so.
func (r Keyring) interrupted(alg string, now time.Time) bool {
	return slices.ContainsFunc(r.Keys, func(k Key) bool {
		return k.Alg == alg && k.State(now) == Revoked && !k.ActivateAt.After(k.RevokedAt) && !reached(k.RetireAt, k.RevokedAt)
	})
}

package keys

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"signet/keys/mark"
	"signet/keys/rotation"
)

// Editor changes the keyring on behalf of an operator. A change is in force at this replica when its method
// returns, and at the others when they have read the keyring. After an error that is not documented
// it is not known whether the change was made; it may be asked for again.
type Editor struct{ m *Manager }

// Edit returns what changes the keyring on behalf of an operator.
func (m *Manager) Edit() Editor { return Editor{m} }

// primary returns the algorithm that an empty name stands for.
func (e Editor) primary(alg string) string {
	if alg == "" {
		return e.m.cfg.Algorithms[0]
	}
	return alg
}

// Rotate lets the algorithm's successor activate as soon as it has been published for Publish, never
// earlier, and returns when that is. Asked twice it answers the same. rotation.ErrAlgorithm if the algorithm is
// not live.
func (e Editor) Rotate(ctx context.Context, alg string) (activates time.Time, err error) {
	err = e.m.updater.update(ctx, func(d *draft) (err error) {
		activates, err = d.ActivateEarly(e.primary(alg))
		return err
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("rotating: %w", err)
	}
	return activates, nil
}

// RotateNow has the algorithm's successor sign at once: see rotation.Draft.RotateNow.
func (e Editor) RotateNow(ctx context.Context, alg string) (r rotation.Rotation, err error) {
	err = e.m.updater.update(ctx, func(d *draft) (err error) {
		r, err = d.RotateNow(e.primary(alg))
		return err
	})
	if err != nil {
		return rotation.Rotation{}, fmt.Errorf("rotating at once: %w", err)
	}
	r.Version = e.m.Version()
	return r, nil
}

// Revoke takes a key out of service: see rotation.Draft.Revoke. Asked again after an unknown result,
// rotation.ErrRevoked means that it was done.
func (e Editor) Revoke(ctx context.Context, kid string, o rotation.RevokeOptions) (r rotation.Revocation, err error) {
	err = e.m.updater.update(ctx, func(d *draft) (err error) {
		r, err = d.Revoke(kid, o)
		return err
	})
	if err != nil {
		return rotation.Revocation{}, fmt.Errorf("revoking key %q: %w", kid, err)
	}
	r.Version = e.m.Version()
	return r, nil
}

// Recover makes a keyring that comes out of a backup fit for use: see rotation.Draft.Recover.
//
// A replica that is running and whose signing key this keyring lacks writes its own back, whatever the
// version. Config.AtLeast is for the replicas that have stopped: their marks refuse a version below the
// one that they have held.
func (e Editor) Recover(ctx context.Context, revoked []string) (r rotation.Recovery, err error) {
	err = e.m.updater.update(ctx, func(d *draft) (err error) {
		r, err = d.Recover(revoked)
		return err
	})
	if err != nil {
		return rotation.Recovery{}, fmt.Errorf("recovering the keyring: %w", err)
	}
	r.Version = e.m.Version()
	return r, nil
}

// Rewrapping is the result of Rewrap.
type Rewrapping struct {
	At      time.Time
	Version uint64 // of the keyring that is sealed under the first master key
	Changed bool   // false: it was before
}

// Rewrap seals the keyring under the first master key. It is one compare-and-set, so an interruption
// leaves the keyring under one key or the other; asked again it finishes, or finds nothing to do.
// Before it every replica must have both keys: one that lacks the first cannot read the keyring any
// more. After it the second key opens only what else was sealed with it.
func (e Editor) Rewrap(ctx context.Context) (r Rewrapping, err error) {
	err = e.m.updater.update(ctx, func(d *draft) error {
		r = Rewrapping{At: d.Now, Changed: e.m.MasterKeyInUse() != 0}
		if r.Changed {
			d.rewrap = true
			d.Record(rotation.StepRewrapped)
		}
		return nil
	})
	if err != nil {
		return Rewrapping{}, fmt.Errorf("sealing the keyring under another master key: %w", err)
	}
	r.Version = e.m.Version()
	return r, nil
}

// SealRecords notes for all replicas and for good that every record has a seal.
func (e Editor) SealRecords(ctx context.Context) error {
	err := e.m.updater.update(ctx, func(d *draft) error {
		d.changed = d.changed || !d.records.Sealed
		d.records.Sealed = true
		return nil
	})
	if err != nil {
		return fmt.Errorf("noting that the records are sealed: %w", err)
	}
	return nil
}

// RaiseFloors raises the floors to those given, where they are lower. It writes only if that changes one.
func (e Editor) RaiseFloors(ctx context.Context, floors map[string]uint32) error {
	return e.changeFloors(ctx, func(now map[string]uint32) map[string]uint32 {
		for id, floor := range floors {
			if have, known := now[id]; !known || have < floor {
				now[id] = floor
			}
		}
		return now
	})
}

// ReplaceFloors replaces all floors by those given: for a store whose records were put back on purpose.
func (e Editor) ReplaceFloors(ctx context.Context, floors map[string]uint32) error {
	return e.changeFloors(ctx, func(map[string]uint32) map[string]uint32 { return maps.Clone(floors) })
}

func (e Editor) changeFloors(ctx context.Context, change func(now map[string]uint32) map[string]uint32) error {
	was := e.m.Records().Floors
	if maps.Equal(change(cloneFloors(was)), was) {
		return nil
	}
	err := e.m.updater.update(ctx, func(d *draft) error {
		next := change(cloneFloors(d.records.Floors))
		d.changed = d.changed || !maps.Equal(next, d.records.Floors)
		d.records.Floors = next
		return nil
	})
	if err != nil {
		return fmt.Errorf("raising the floors of clients: %w", err)
	}
	return nil
}

// ClockReset is the result of ResetClock.
type ClockReset struct {
	At      time.Time // the time of this machine's clock, which counts from now on
	SeenAt  time.Time // the latest time that had been seen
	Version uint64
	Changed bool // false: the clock was not behind, and nothing was done
}

// ResetClock makes the time of now the latest that was ever seen, for all replicas. It is needed after a
// clock that was far ahead has been set right: the time that it showed is remembered, and every right
// clock is behind it. No key moves backwards: a step that was taken by the wrong clock counts as taken
// now, and later steps keep their distance. clockcheck.ErrClock while this machine's clock is off by the
// others' clocks.
func (e Editor) ResetClock(ctx context.Context) (r ClockReset, err error) {
	u := e.m.updater
	u.mu.Lock()
	defer u.mu.Unlock()
	for range maxAttempts {
		if r, err = u.resetClock(ctx); !errors.Is(err, errAgain) {
			break
		}
	}
	if err != nil {
		return ClockReset{}, fmt.Errorf("resetting the clock: %w", err)
	}
	u.noteBehind()
	u.saveMark()
	return r, nil
}

func (u *updater) resetClock(ctx context.Context) (ClockReset, error) {
	err := u.read(ctx)
	u.noteRead(err)
	if err != nil {
		return ClockReset{}, err
	}
	if c := u.clock.Status(); c.Off {
		return ClockReset{}, u.clock.OffError(c.Offset)
	}
	cur, seen := u.held.load(), u.clock.Latest()
	wall := u.clock.Reading()
	now := wall.Round(0).UTC().Truncate(time.Millisecond)
	r := ClockReset{At: now, SeenAt: seen.UTC(), Version: cur.version}
	if seen.Sub(now) <= u.clock.Tolerance() {
		return r, nil
	}
	ring := cur.Ring.MoveBack(seen, now)
	ring.ClockResets = u.clock.Resets() + 1
	steps := []rotation.Transition{{Step: rotation.StepReset, At: now}}
	ctx = u.cfg.Writing(ctx, eventsOf(cur.version+1, steps))
	next, swapped, err := u.store.write(ctx, cur.version, cur.version+1, cur.Document.With(ring, nil), u.store.sealer.KeyOf(cur.sealed))
	if err != nil {
		return ClockReset{}, err
	}
	if !swapped {
		return ClockReset{}, errAgain
	}
	next.readAt = wall
	u.clock.Reset(wall, ring.ClockResets)
	if err := u.held.adopt(next, wall); err != nil {
		return ClockReset{}, err
	}
	u.announce(next.version, steps)
	r.Version, r.Changed = next.version, true
	return r, nil
}

// RestoreMark takes over a mark of this install: kids that were revoked, and the latest time seen. It is for
// a store that was just put back.
func (e Editor) RestoreMark(from mark.Mark) {
	e.m.clock.Merge(from.SeenAt, from.ClockResets)
	e.m.updater.marks.Remember(from.Revoked)
}

// ReplaceMark writes a mark of this keyring in the place of whatever is in storage. It is for commands that
// have just filled the store.
func (e Editor) ReplaceMark(storage mark.Storage) error {
	return e.m.updater.marks.Replace(storage, e.m.updater.currentMark())
}

func cloneFloors(floors map[string]uint32) map[string]uint32 {
	if floors == nil {
		return map[string]uint32{}
	}
	return maps.Clone(floors)
}

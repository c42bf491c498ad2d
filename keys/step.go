package keys

import (
	"context"
	"errors"
	"fmt"
	"time"

	"signet/keys/clockcheck"
)

const maxTries = 16 // rounds of one Step, where other replicas win or keys must be made

// proposal is what was sent to the store, and what to tell once it is known to be there.
type proposal struct {
	document []byte
	steps    []Transition
}

// errAgain says that a round did not settle: it is to be begun anew from a fresh read.
var errAgain = errors.New("the keyring changed meanwhile")

// Step reads the keyring and proposes what is due. When another replica was faster it reads again.
// While this replica's clock is off, or the storage's disputed, it only reads.
// On an error the Manager goes on with what it has.
func (m *Manager) Step(ctx context.Context) error {
	return m.settle(ctx, nil)
}

// Rotate lets the algorithm's successor activate as soon as it has been published for P, never
// earlier, and returns when that is. Asked twice it answers the same. ErrAlgorithm if the
// algorithm is not live; on another error nothing is known.
func (m *Manager) Rotate(ctx context.Context, alg string) (activates time.Time, err error) {
	if alg == "" {
		alg = m.cfg.Algorithms[0]
	}
	err = m.settle(ctx, func(p *planner) (err error) {
		activates, err = p.hasten(alg)
		return err
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("rotating: %w", err)
	}
	return activates, nil
}

// settle repeats rounds until one settles. Where a key could not be made it does all the rest: that an
// HSM is away must not keep a key from being revoked.
func (m *Manager) settle(ctx context.Context, edit func(*planner) error) error {
	m.stepping.Lock()
	defer m.stepping.Unlock()
	b := newBatch(m)
	err := errAgain
	for try := 0; try < maxTries && errors.Is(err, errAgain); try++ {
		err = m.round(ctx, b, edit)
		var need keyNeeded
		if errors.As(err, &need) {
			b.make(ctx, need.alg)
			err = errAgain
		}
	}
	m.saveMark()
	return b.settled(ctx, err, edit != nil)
}

// round is one read, plan and proposal. Nothing slow happens between reading the clock and the
// proposal; a key that is not made yet ends the round with keyNeeded.
func (m *Manager) round(ctx context.Context, b *batch, edit func(*planner) error) error {
	err := m.read(ctx)
	m.noteRead(err)
	if err != nil {
		m.noteBehind()
		return err
	}
	behind := m.noteBehind()
	switch c := m.clock.Status(); {
	case behind > 0 && edit != nil:
		return m.clock.BehindError(behind)
	case behind > 0:
		return nil
	case c.Off && edit != nil:
		return m.clock.OffError(c.Offset)
	case c.Off, c.Disputed && edit == nil:
		return nil // plans go by the time: they are left to those who know it
	}
	cur := m.state.Load()
	now := m.cfg.Now()
	p := newPlanner(cur.ring, m.cfg.Timetable, m.clock.Correct(now), b.forPlan())
	for kid, at := range m.late {
		p.seenLate(kid, at)
	}
	if err := p.advance(m.cfg.Algorithms); err != nil {
		return err
	}
	if edit != nil {
		if err := edit(p); err != nil {
			return err
		}
	}
	if len(p.steps) == 0 && !p.noted && !m.reassert {
		return nil
	}
	return m.propose(ctx, cur, now, p)
}

// propose writes what the planner made of cur, planned at now.
func (m *Manager) propose(ctx context.Context, cur *snapshot, now time.Time, p *planner) error {
	if clockcheck.Age(now, m.cfg.Now()) > m.cfg.Timetable.storageTimeout() {
		return errAgain // the machine slept: the plan's notice may be over
	}
	master := m.MasterKeyInUse()
	if p.rewrap {
		master = 0
	}
	next, swapped, err := m.write(ctx, cur.version, max(cur.version+1, m.cfg.AtLeast), p.ring, master)
	if err != nil {
		m.unsure = &proposal{next.document, p.steps}
		return err
	}
	if !swapped {
		return errAgain
	}
	next.readAt = now
	if err := m.adopt(next, now); err != nil {
		return err
	}
	clear(m.late)
	m.reassert = false
	m.announce(next.version, p.steps)
	return nil
}

// write seals the ring with that master key and swaps it in where the stored version is old. On an
// error it is not known whether the document that it returns was written.
func (m *Manager) write(ctx context.Context, old, next uint64, ring Ring, master int) (s *snapshot, swapped bool, err error) {
	plain, err := encodeRing(ring)
	if err != nil {
		return &snapshot{}, false, err
	}
	s = &snapshot{version: next, document: m.sealer.Seal(next, ring.format(), plain, master), ring: ring}
	ctx, cancel := context.WithTimeout(ctx, m.cfg.Timetable.storageTimeout())
	defer cancel()
	swapped, err = m.cfg.Storage.SwapKeyring(ctx, old, next, s.document)
	if err != nil {
		return s, false, fmt.Errorf("writing the keyring: %w", err)
	}
	return s, swapped, nil
}

// announce tells what was written.
func (m *Manager) announce(version uint64, steps []Transition) {
	for _, t := range steps {
		m.cfg.Log.Info("signing key "+string(t.Step), "kid", t.KID, "alg", t.Alg, "at", t.At, "version", version)
		m.cfg.OnEvent(Event{Transition: t, Version: version})
	}
}

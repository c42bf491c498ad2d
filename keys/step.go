package keys

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

const (
	storageTimeout = notice / 2 // for one call: a proposal is in the store within its notice, or given up
	maxTries       = 16         // rounds of one Step, where other replicas win or keys must be made
)

// proposal is what was sent to the store, and what to tell once it is known to be there.
type proposal struct {
	document []byte
	steps    []Transition
}

// errAgain says that a round did not settle: it is to be begun anew from a fresh read.
var errAgain = errors.New("the keyring changed meanwhile")

// keyNeeded asks for a key to be made outside the round.
type keyNeeded struct{ alg string }

func (e keyNeeded) Error() string { return "a key for " + e.alg + " has to be made first" }

// Step reads the keyring and proposes what is due. When another replica was faster it reads again.
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

// settle repeats rounds until one settles.
func (m *Manager) settle(ctx context.Context, edit func(*planner) error) error {
	m.stepping.Lock()
	defer m.stepping.Unlock()
	made := map[string]Key{} // keys for this call, so that a lost race does not waste them
	err := errAgain
	for try := 0; try < maxTries && errors.Is(err, errAgain); try++ {
		err = m.round(ctx, made, edit)
		var need keyNeeded
		if errors.As(err, &need) {
			if made[need.alg], err = newKey(need.alg); err == nil {
				err = errAgain
			}
		}
	}
	return err
}

// round is one read, plan and proposal. Nothing slow happens between reading the clock and the
// proposal; a key that is not made yet ends the round with keyNeeded.
func (m *Manager) round(ctx context.Context, made map[string]Key, edit func(*planner) error) error {
	err := m.read(ctx)
	m.noteRead(err)
	if err != nil {
		return err
	}
	cur := m.state.Load()
	now := m.cfg.Now()
	p := newPlanner(cur.ring, m.cfg.Timetable, now, func(alg string) (Key, error) {
		k, ok := made[alg]
		if !ok {
			return Key{}, keyNeeded{alg}
		}
		return k, nil
	})
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
	if len(p.steps) == 0 {
		return nil
	}
	return m.propose(ctx, cur, now, p)
}

// propose writes what the planner made of cur, planned at now.
func (m *Manager) propose(ctx context.Context, cur *snapshot, now time.Time, p *planner) error {
	if age(now, m.cfg.Now()) > storageTimeout {
		return errAgain // the machine slept: the plan's notice may be over
	}
	next, swapped, err := m.write(ctx, cur.version, cur.version+1, p.ring)
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
	m.announce(next.version, p.steps)
	return nil
}

// read loads the keyring and adopts it if it is newer. What is older than this replica's, gone, or
// another document of the same number is a store that was set back: it is overwritten.
func (m *Manager) read(ctx context.Context) error {
	now := m.cfg.Now()
	loadCtx, cancel := context.WithTimeout(ctx, storageTimeout)
	version, document, err := m.cfg.Storage.LoadKeyring(loadCtx)
	cancel()
	if err != nil {
		return fmt.Errorf("reading the keyring: %w", err)
	}
	cur := m.state.Load()
	if version == cur.version && bytes.Equal(document, cur.document) {
		return m.adopt(&snapshot{version, document, cur.ring, now, cur.view}, now)
	}
	if version <= cur.version {
		return m.restore(ctx, cur, version, now)
	}
	ring, err := m.open(version, document)
	if err != nil {
		return fmt.Errorf("opening the keyring: %w", err)
	}
	m.noteLate(cur, ring)
	if err := m.adopt(&snapshot{version: version, document: document, ring: ring, readAt: now}, now); err != nil {
		return err
	}
	if m.unsure != nil && bytes.Equal(document, m.unsure.document) {
		m.announce(version, m.unsure.steps)
	}
	m.unsure = nil
	return nil
}

// restore writes this replica's keyring back, above its own version and the one found.
func (m *Manager) restore(ctx context.Context, cur *snapshot, found uint64, now time.Time) error {
	next, swapped, err := m.write(ctx, found, cur.version+1, cur.ring)
	if err != nil {
		return fmt.Errorf("restoring the keyring over version %d: %w", found, err)
	}
	if !swapped {
		return errAgain
	}
	next.readAt = now
	if err := m.adopt(next, now); err != nil {
		return err
	}
	m.cfg.Log.Error("the store had lost the keyring: wrote it back",
		"found_version", found, "had_version", cur.version, "version", next.version)
	m.cfg.OnEvent(Event{Transition: Transition{Step: StepRestored, At: now}, Version: next.version})
	return nil
}

// noteLate remembers pending keys that should have been in the read before this one: their proposal
// reached the store late, or they were not in a backup that this replica started from. Until now
// this replica's key set was without them, so P counts from now.
func (m *Manager) noteLate(had *snapshot, ring Ring) {
	now := m.cfg.Now()
	for _, k := range ring.Keys {
		if !had.ring.has(k.KID) && k.State(now) == Pending && k.PublishAt.Before(had.readAt) {
			m.late[k.KID] = now
		}
	}
}

// write seals the ring and swaps it in where the stored version is old. On an error it is not
// known whether the document that it returns was written.
func (m *Manager) write(ctx context.Context, old, next uint64, ring Ring) (s *snapshot, swapped bool, err error) {
	plain, err := encodeRing(ring)
	if err != nil {
		return &snapshot{}, false, err
	}
	s = &snapshot{version: next, document: m.sealer.seal(next, plain), ring: ring}
	ctx, cancel := context.WithTimeout(ctx, storageTimeout)
	defer cancel()
	swapped, err = m.cfg.Storage.SwapKeyring(ctx, old, next, s.document)
	if err != nil {
		return s, false, fmt.Errorf("writing the keyring: %w", err)
	}
	return s, swapped, nil
}

func (m *Manager) open(version uint64, document []byte) (Ring, error) {
	plain, err := m.sealer.open(version, document)
	if err != nil {
		return Ring{}, err
	}
	return decodeRing(plain)
}

// adopt makes s the snapshot that requests see.
func (m *Manager) adopt(s *snapshot, now time.Time) (err error) {
	if s.view == nil || !s.view.lineup.holds(now) {
		if s.view, err = newView(s.ring, m.cfg.Algorithms, now); err != nil {
			return err
		}
	}
	m.state.Store(s)
	return nil
}

// noteRead tells when reading begins to fail and when it works again.
func (m *Manager) noteRead(err error) {
	if errors.Is(err, errAgain) || m.failing == (err != nil) {
		return
	}
	m.failing = err != nil
	step, level, text := StepReadable, slog.LevelInfo, "the keyring can be read again"
	if m.failing {
		step, level, text = StepUnreadable, slog.LevelError, "the keyring cannot be read"
	}
	m.cfg.Log.Log(context.Background(), level, text, "error", err)
	m.cfg.OnEvent(Event{Transition{Step: step, At: m.cfg.Now()}, m.Version(), err})
}

// announce tells what was written.
func (m *Manager) announce(version uint64, steps []Transition) {
	for _, t := range steps {
		m.cfg.Log.Info("signing key "+string(t.Step), "kid", t.KID, "alg", t.Alg, "at", t.At, "version", version)
		m.cfg.OnEvent(Event{Transition: t, Version: version})
	}
}

package keys

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// read loads the keyring and adopts it if it is newer. What is older than this replica's, gone, another
// document of the same number, or lacks the key that signs, is a store that was set back: it is
// overwritten. A key that is known to be revoked stays so, whatever a newer keyring has.
func (m *Manager) read(ctx context.Context) error {
	now := m.cfg.Now()
	loadCtx, cancel := context.WithTimeout(ctx, m.cfg.Timetable.storageTimeout())
	clock := m.clock.Status()
	version, document, err := m.load(loadCtx)
	cancel()
	if err != nil {
		return fmt.Errorf("reading the keyring: %w", err)
	}
	m.noteClock(clock, m.clock.Status())
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
	if ring.lacksSigner(cur.ring, m.clock.Correct(now)) && m.insisted < maxInsisted {
		m.insisted++
		return m.restore(ctx, cur, version, now)
	}
	if ring.revokeAgain(cur.ring.revoked(), m.clock.Correct(now)) {
		m.reassert = true
		m.cfg.Log.Error("the keyring had a key in use that was revoked: it stays revoked", "found_version", version)
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

// maxInsisted is how often a replica overwrites a newer keyring that lacks the key that signs. Two
// replicas whose keyrings have parted would otherwise go on for ever.
const maxInsisted = 3

// restore writes this replica's keyring back, above its own version and the one found.
func (m *Manager) restore(ctx context.Context, cur *snapshot, found uint64, now time.Time) error {
	next, swapped, err := m.write(ctx, found, max(cur.version, found)+1, cur.ring, m.MasterKeyInUse())
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
	now := m.clock.Correct(m.cfg.Now())
	for _, k := range ring.Keys {
		if !had.ring.has(k.KID) && k.State(now) == Pending && k.PublishAt.Before(had.readAt) {
			m.late[k.KID] = now
		}
	}
}

func (m *Manager) open(version uint64, document []byte) (Ring, error) {
	plain, _, err := m.sealer.Open(version, document)
	if err != nil {
		return Ring{}, err
	}
	return decodeRing(plain, m.remote)
}

// adopt makes s the snapshot that requests see.
func (m *Manager) adopt(s *snapshot, now time.Time) (err error) {
	m.clock.Merge(s.ring.SeenAt, s.ring.ClockResets)
	early := m.clock.BehindAt(now) > 0
	now = m.clock.Correct(now)
	if s.view == nil || !s.view.holds(now, early) {
		if s.view, err = newView(s.ring, m.cfg.Algorithms, now, early); err != nil {
			return err
		}
		m.clock.Raise(s.view.lineup.From)
	}
	old := m.state.Swap(s)
	if old != nil && old.version != s.version {
		select {
		case m.news <- struct{}{}:
		default:
		}
	}
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
	m.cfg.OnEvent(Event{Transition: Transition{Step: step, At: m.cfg.Now()}, Version: m.Version(), Err: err})
}

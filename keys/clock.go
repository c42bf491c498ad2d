package keys

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// Clocked is a Storage with a clock of its own, which stands on another machine than this replica's.
type Clocked interface {
	// LoadKeyringAt is LoadKeyring, and what the storage's clock showed at some moment of the call;
	// zero where it does not say.
	LoadKeyringAt(ctx context.Context) (version uint64, document []byte, at time.Time, err error)
}

// leastSkew is tolerated also where S is less: so much is a matter of course on a network.
const leastSkew = time.Second

// shownTo is how exactly an offset is told: a network does not let one know more.
const shownTo = 100 * time.Millisecond

// ClockState is what a replica knows about its own clock; see the package's documentation.
type ClockState struct {
	Offset   time.Duration // how far it is ahead of the storage's; of the other replicas' where the storage has none
	Known    bool          // there is a clock to compare it with
	Off      bool          // it is wrong by more than S: nothing is signed, verified or planned by it
	Disputed bool          // the storage's is wrong by more than S, as the other replicas say: nothing is planned
}

// verdict is a ClockState and when it was found, by this replica's clock.
type verdict struct {
	ClockState
	at time.Time
}

// Clock is what this replica found out about its clock when it last read the keyring.
func (m *Manager) Clock() ClockState { return m.clock.Load().ClockState }

// CompareClocks answers ErrClock where the clocks of this machine and of the storage differ by more
// than S. It writes nothing.
func CompareClocks(ctx context.Context, cfg Config) error {
	m, err := newManager(cfg)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, m.cfg.Timetable.storageTimeout())
	defer cancel()
	if _, _, err := m.load(ctx); err != nil {
		return fmt.Errorf("comparing the clocks: %w", err)
	}
	return m.CheckClock()
}

// CheckClock answers ErrClock while this replica's clock is off, or has jumped since it was last
// compared with another. It asks nobody.
func (m *Manager) CheckClock() error { return m.checkClock(m.cfg.Now()) }

func (m *Manager) checkClock(now time.Time) error {
	v := m.clock.Load()
	if v.Off {
		return m.clockOff(v.Offset)
	}
	if by := jump(v.at, now); v.Known && by.Abs() > m.skew() {
		m.Wake()
		return fmt.Errorf("%w: it has jumped by %v and was not compared since", ErrClock, by.Round(shownTo))
	}
	if behind := m.look(now); behind > 0 {
		return m.clockBehind(behind)
	}
	return nil
}

func (m *Manager) clockOff(offset time.Duration) error {
	way := "ahead of"
	if offset < 0 {
		way = "behind"
	}
	return fmt.Errorf("%w: it is %v %s the others, and %v is allowed", ErrClock, offset.Abs().Round(shownTo), way, m.skew())
}

func (m *Manager) skew() time.Duration { return max(m.cfg.Timetable.ClockSkew, leastSkew) }

// rightTime is the time that the others have, and never earlier than the latest time that was seen. A
// replica whose clock is off goes on serving the key set by it: by its own time it would drop a key too
// early, or publish one that has not come yet. Where the clock has jumped since it was last compared,
// the time is counted from that comparison.
func (m *Manager) rightTime(now time.Time) time.Time {
	v := m.clock.Load()
	switch {
	case v.Off:
		now = now.Add(-v.Offset)
	case v.Known && jump(v.at, now).Abs() > m.skew():
		now = v.at.Round(0).Add(now.Sub(v.at))
	}
	return later(now, m.seen.Load().high)
}

// load reads the document, and compares the clocks on the way.
func (m *Manager) load(ctx context.Context) (version uint64, document []byte, err error) {
	storage, ok := m.cfg.Storage.(Clocked)
	if !ok {
		version, document, err = m.cfg.Storage.LoadKeyring(ctx)
	} else {
		var at time.Time
		before := m.cfg.Now()
		if version, document, at, err = storage.LoadKeyringAt(ctx); err == nil && !at.IsZero() {
			m.witnesses.storageShowed(at, before, m.cfg.Now())
		}
	}
	if err == nil {
		now := m.cfg.Now()
		m.clock.Store(&verdict{m.witnesses.judge(now, m.skew()), now})
	}
	return version, document, err
}

// Heard takes down what the clocks of the other replicas showed in the newest heartbeat of each.
// asked is when the heartbeats began to be read, by this replica's clock.
func (m *Manager) Heard(asked time.Time, clocks map[string]time.Time) {
	now := m.cfg.Now()
	m.witnesses.peersShowed(clocks, asked, now)
	if was, is := m.Clock(), m.witnesses.judge(now, m.skew()); was.Off != is.Off || was.Disputed != is.Disputed {
		m.Wake() // the next read decides
	}
}

// noteClock tells when the clock becomes wrong, or disputed, and when that is over.
func (m *Manager) noteClock(was, is ClockState) {
	if was.Off != is.Off {
		if is.Off {
			m.tellClock(slog.LevelError, StepClockOff, "this machine's clock is off: it signs nothing until it is right again", is)
		} else {
			m.tellClock(slog.LevelInfo, StepClockRight, "this machine's clock is right again", is)
		}
	}
	if was.Disputed != is.Disputed {
		if is.Disputed {
			m.tellClock(slog.LevelError, StepClockDisputed, "the store's clock is off, as this machine and the other replicas have it: keys do not rotate until it is right again", is)
		} else {
			m.tellClock(slog.LevelInfo, StepClockAgreed, "the store's clock is no longer disputed", is)
		}
	}
}

// noteBehind looks at the clock, and tells when it falls behind the latest time that was seen, and when
// it has caught up. It returns by how much it is.
func (m *Manager) noteBehind() (by time.Duration) {
	now := m.cfg.Now()
	if m.Clock().Off {
		return 0 // that is told already, and what the clock shows counts for nothing
	}
	if by = m.look(now); m.behind == (by > 0) {
		return by
	}
	m.behind = by > 0
	if m.behind {
		m.tellClock(slog.LevelError, StepClockOff, "this machine's clock is behind the latest time that was seen, "+m.SeenAt().UTC().Format(time.RFC3339)+
			": it signs nothing until it is right again; if that time was the wrong one, `signet keys clock-reset` forgets it", ClockState{Offset: -by})
	} else {
		m.tellClock(slog.LevelInfo, StepClockRight, "this machine's clock has reached the latest time that was seen", ClockState{})
	}
	return by
}

func (m *Manager) tellClock(level slog.Level, step Step, text string, is ClockState) {
	m.cfg.Log.Log(context.Background(), level, text, "offset", is.Offset.Round(shownTo).String(), "allowed", m.skew().String())
	m.cfg.OnEvent(Event{Transition: Transition{Step: step, At: m.cfg.Now()}, Version: m.Version(), Offset: is.Offset})
}

// jump is how far the wall clock was set, or the machine slept, between two readings of the clock:
// the monotonic clock does not know of either.
func jump(since, now time.Time) time.Duration {
	return now.Round(0).Sub(since.Round(0)) - now.Sub(since)
}

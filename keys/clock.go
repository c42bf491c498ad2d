package keys

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"signet/keys/clockcheck"
)

// Clocked is a Storage with a clock of its own, which stands on another machine than this replica's.
type Clocked interface {
	// LoadKeyringAt is LoadKeyring, and what the storage's clock showed at some moment of the call;
	// zero where it does not say.
	LoadKeyringAt(ctx context.Context) (version uint64, document []byte, at time.Time, err error)
}

// Clock is this replica's clock, with its status and the latest time that was seen.
func (m *Manager) Clock() *clockcheck.Clock { return m.clock }

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
	return m.clock.Check()
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
			m.clock.ObserveStorage(at, before)
		}
	}
	if err == nil {
		m.clock.Compare()
	}
	return version, document, err
}

// noteClock tells when the clock becomes wrong, or disputed, and when that is over.
func (m *Manager) noteClock(was, is clockcheck.Status) {
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
	if m.clock.Status().Off {
		return 0 // that is told already, and what the clock shows counts for nothing
	}
	if by = m.clock.Look(now); m.behind == (by > 0) {
		return by
	}
	m.behind = by > 0
	if m.behind {
		m.tellClock(slog.LevelError, StepClockOff, "this machine's clock is behind the latest time that was seen, "+m.clock.Latest().UTC().Format(time.RFC3339)+
			": it signs nothing until it is right again; if that time was the wrong one, `signet keys clock-reset` forgets it", clockcheck.Status{Offset: -by})
	} else {
		m.tellClock(slog.LevelInfo, StepClockRight, "this machine's clock has reached the latest time that was seen", clockcheck.Status{})
	}
	return by
}

func (m *Manager) tellClock(level slog.Level, step Step, text string, is clockcheck.Status) {
	m.cfg.Log.Log(context.Background(), level, text, "offset", is.Offset.Round(clockcheck.Precision).String(), "allowed", m.clock.Tolerance().String())
	m.cfg.OnEvent(Event{Transition: Transition{Step: step, At: m.cfg.Now()}, Version: m.Version(), Offset: is.Offset})
}

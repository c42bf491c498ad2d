package keys

import (
	"sync/atomic"
	"time"

	"signet/keys/clockcheck"
	"signet/keys/document"
	"signet/keys/keyset"
)

// snapshot is everything that a request needs. It is never changed, only replaced.
type snapshot struct {
	document.Document
	version uint64
	sealed  []byte
	readAt  time.Time // when the read began that last found this to be the keyring
	keySet  *keyset.Set
}

// holder holds the snapshot that requests see.
type holder struct {
	clock   *clockcheck.Clock
	algs    []string
	state   atomic.Pointer[snapshot] // nil before the first adopt
	changed chan struct{}            // holds one
}

func (h *holder) load() *snapshot { return h.state.Load() }

// current returns the snapshot with a key set that holds at the correct time of now. It renders a new one
// when a time in the timetable has come since the last; no request waits for another.
func (h *holder) current(now time.Time) (*snapshot, error) {
	old := h.state.Load()
	early := h.clock.BehindAt(now) > 0
	now = h.clock.Correct(now)
	if old.keySet.HoldsFor(now, early) {
		return old, nil
	}
	fresh := *old
	if err := h.render(&fresh, now, early); err != nil {
		return nil, err
	}
	h.state.CompareAndSwap(old, &fresh) // if it loses, a newer keyring was read: for the next request
	return &fresh, nil
}

// render renders the key set. The time from which it holds counts as seen: the key set before it never comes back.
func (h *holder) render(s *snapshot, now time.Time, early bool) (err error) {
	if s.keySet, err = keyset.New(s.Ring, s.Private, h.algs, now, early); err != nil {
		return err
	}
	h.clock.Raise(s.keySet.From)
	return nil
}

// adopt makes s the snapshot that requests see.
func (h *holder) adopt(s *snapshot, now time.Time) error {
	h.clock.Merge(s.Ring.SeenAt, s.Ring.ClockResets)
	early := h.clock.BehindAt(now) > 0
	now = h.clock.Correct(now)
	if s.keySet == nil || !s.keySet.HoldsFor(now, early) {
		if err := h.render(s, now, early); err != nil {
			return err
		}
	}
	old := h.state.Swap(s)
	if old != nil && old.version != s.version {
		select {
		case h.changed <- struct{}{}:
		default:
		}
	}
	return nil
}

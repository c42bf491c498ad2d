package record

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"signet/store"
	"signet/store/redis/conn"
)

// Assertions has the client assertions that were used.
type Assertions struct {
	*Deps
	used usedAssertions
}

func newAssertions(d *Deps) *Assertions {
	return &Assertions{d, usedAssertions{ids: map[store.AssertionID]struct{}{}}}
}

// UseAssertion implements store.Assertions, in one round trip. The command is never sent
// a second time behind the caller's back (conn.Config.options), so its reply shows who was first. A repetition
// after a lost reply finds the key and is refused: a new assertion costs the client nothing.
func (s *Assertions) UseAssertion(ctx context.Context, id store.AssertionID, until time.Time) error {
	spend := s.UseCall(id, until)
	err := s.Conn.DoDurably(ctx, "spending an assertion", spend)
	word, won := spend.Text()
	switch {
	case spend.Done() && !won: // whether replicas have confirmed the winner does not matter to a loser
		return errUsed(id)
	case err != nil:
		return err
	case word != "OK":
		return conn.UnexpectedReply("spending an assertion", word)
	case !s.used.add(store.UsedAssertion{ID: id, Until: until}, time.Now()):
		return errUsed(id) // the server had lost it, and has it again now
	}
	return nil
}

func errUsed(id store.AssertionID) error {
	return fmt.Errorf("spending assertion %s: %w", id, store.ErrExists)
}

// UseCall writes the key where it is missing. It stays for AssertionMargin at least, so that one of
// many concurrent calls wins also when the assertion has run out by our clock.
func (s *Assertions) UseCall(id store.AssertionID, until time.Time) *conn.Call {
	key := s.Key.Assertion(id)
	return conn.Write("set", key, "", "nx", "px", markLife(until).Milliseconds())
}

// usedAssertions remembers the assertions that were used through this replica, for the reason that there is
// the revocation log for, and apart from it: there are so many that they would push revocations out. Other
// replicas are not notified, which would be a message to all of them for each use; the documentation of package
// redis has what that means. What was unknown or refused is not remembered: it let no client in.
type usedAssertions struct {
	mu    sync.Mutex
	ids   map[store.AssertionID]struct{}
	order []store.UsedAssertion // of ids, oldest first
}

const usedMost = 100_000 // about 10 MB; beyond it the oldest go early

// add reports whether a was not remembered before, and forgets older ones that are over.
func (m *usedAssertions) add(a store.UsedAssertion, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, again := m.ids[a.ID]; again {
		return false
	}
	for len(m.order) > 0 && (len(m.order) >= usedMost || over(m.order[0], now)) {
		delete(m.ids, m.order[0].ID)
		m.order = m.order[1:]
	}
	m.ids[a.ID] = struct{}{}
	m.order = append(m.order, a)
	return true
}

// over reports whether the assertion has run out by any clock.
func over(a store.UsedAssertion, now time.Time) bool {
	return !now.Before(a.Until.Add(store.AssertionMargin))
}

// left returns what has not run out.
func (m *usedAssertions) left(now time.Time) []store.UsedAssertion {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(m.order), func(a store.UsedAssertion) bool { return over(a, now) })
}

// ReapplyUsed marks what was used through this replica, where the server has lost it, and returns
// how many there were. It waits for no replica: with the next change of master it is done once more.
func (s *Assertions) ReapplyUsed(ctx context.Context) (n int, err error) {
	var calls []*conn.Call
	for _, a := range s.used.left(time.Now()) {
		calls = append(calls, s.UseCall(a.ID, a.Until))
	}
	for some := range slices.Chunk(calls, conn.Page) {
		if err := s.Conn.Do(ctx, "using assertions again", some...); err != nil {
			return len(calls), err
		}
	}
	return len(calls), nil
}

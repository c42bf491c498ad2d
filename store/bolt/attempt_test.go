package bolt

import (
	"bytes"
	"encoding/binary"
	"path/filepath"
	"testing"
	"time"

	"signet/store"
)

// FuzzUnpackTally asks that damage is an error, never a panic, and that there is one spelling of a record.
func FuzzUnpackTally(f *testing.F) {
	f.Add(encodeTally(store.Tally{Failures: 3, First: time.Now(), Same: []byte("x"), Reserved: []store.Reservation{{ID: store.AttemptID{1}, Until: time.Now()}}}))
	f.Add(binary.BigEndian.AppendUint64(make([]byte, 20), 7))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := decodeTally(raw)
		if err != nil || len(raw) < 29 || raw[28] != tallyFormat {
			return
		}
		if again := encodeTally(c); !bytes.Equal(again, raw) {
			t.Errorf("%x became %x", raw, again)
		}
	})
}

// A record of an earlier version keeps its failures, and an earlier version can read one of ours.
func TestTallyOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	now := store.Millis(time.Now()).UTC()
	head := encodeTally(store.Tally{Failures: 3, First: now, Last: now, Ends: now.Add(time.Minute)})[:28]
	got, err := decodeTally(append(head, "attempt:dGhlIHNhbWUgdGV4dA"...))
	if err != nil || got.Failures != 3 || !got.Ends.Equal(now.Add(time.Minute)) || len(got.Same)+len(got.Reserved) > 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}

// A server that was killed while passwords were being hashed does not make their owners wait when it is back.
func TestAttemptsOfAProcessThatIsGone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "signet.db")
	s := mustOpen(t, path)
	const free = 3
	attempt := func(id byte) store.Attempt {
		return store.Attempt{ID: store.AttemptID{id}, Scopes: []store.Scope{{Place: "account", Limits: []store.Limit{{Key: "ada", Free: free, Window: time.Hour}}}}}
	}
	now := time.Now()
	first, err := s.Allow(t.Context(), now, attempt(1))
	must(t, err)
	if _, err := s.Fail(t.Context(), now, first.Receipt); err != nil {
		t.Fatal(err)
	}
	for id := range byte(free) {
		a, err := s.Allow(t.Context(), now, attempt(10+id))
		must(t, err)
		if busy := id == free-1; a.Busy != busy {
			t.Fatalf("attempt %d: got %+v", id, a)
		}
	}
	must(t, s.Close())
	s = mustOpen(t, path)
	states, err := s.ListThrottle(t.Context(), now, func(_, _ string) bool { return true }, 10)
	if err != nil || len(states) != 1 || states[0].UnderWay != 0 || states[0].Failures != 1 {
		t.Errorf("opened again: got %+v, %v, want the failure alone", states, err)
	}
	if a, err := s.Allow(t.Context(), now, attempt(20)); err != nil || a.Busy || a.Wait > 0 {
		t.Errorf("the next attempt: got %+v, %v", a, err)
	}
	must(t, s.Close())
}

package layout

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"signet/store"
)

// FuzzUnpackTally asks that damage is an error, never a panic, and that there is one spelling of a record.
func FuzzUnpackTally(f *testing.F) {
	f.Add(EncodeTally(store.Tally{Failures: 3, First: time.Now(), Same: []byte("x"), Reserved: []store.Reservation{{ID: store.AttemptID{1}, Until: time.Now()}}}))
	f.Add(binary.BigEndian.AppendUint64(make([]byte, 20), 7))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := DecodeTally(raw)
		if err != nil || len(raw) < 29 || raw[28] != tallyFormat {
			return
		}
		if again := EncodeTally(c); !bytes.Equal(again, raw) {
			t.Errorf("%x became %x", raw, again)
		}
	})
}

// A record of an earlier version keeps its failures, and an earlier version can read one of ours.
func TestTallyOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	now := store.Millis(time.Now()).UTC()
	head := EncodeTally(store.Tally{Failures: 3, First: now, Last: now, Ends: now.Add(time.Minute)})[:28]
	got, err := DecodeTally(append(head, "attempt:dGhlIHNhbWUgdGV4dA"...))
	if err != nil || got.Failures != 3 || !got.Ends.Equal(now.Add(time.Minute)) || len(got.Same)+len(got.Reserved) > 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}

package codec

import (
	"bytes"
	"testing"
	"time"

	"signet/store"
)

func TestLogout(t *testing.T) {
	t.Parallel()
	due, ended := time.UnixMilli(1_900_000_000_001).UTC(), time.UnixMilli(1_900_000_000_000).UTC()
	want := store.Logout{UserID: store.UserID{1, 2}, SessionID: store.SessionID{3}, ClientID: "web", EndedAt: ended, Attempts: 7}
	raw := EncodeLogout(want, due)
	got, at, err := DecodeLogout(want.SessionID, raw)
	if err != nil || got != want || !at.Equal(due) {
		t.Errorf("got %+v, due at %s, %v; want %+v, due at %s", got, at, err, want, due)
	}
	for n := range raw[:36+1] { // the client has to have an id
		if _, _, err := DecodeLogout(want.SessionID, raw[:n]); err == nil {
			t.Errorf("%d bytes of it are a logout", n)
		}
	}
}

// FuzzDecodeLogout: what is decoded is encoded to the same bytes.
func FuzzDecodeLogout(f *testing.F) {
	f.Add(EncodeLogout(store.Logout{ClientID: "web", EndedAt: time.UnixMilli(5), Attempts: 1}, time.UnixMilli(6)))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, due, err := DecodeLogout(store.SessionID{1}, raw)
		if err == nil && !bytes.Equal(EncodeLogout(l, due), raw) {
			t.Errorf("%x is decoded to %+v, due at %s, and that is encoded to %x", raw, l, due, EncodeLogout(l, due))
		}
	})
}

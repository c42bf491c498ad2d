package codec

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signet/store"
)

func drawTime(t *rapid.T, label string) time.Time {
	return readTime(uint64(rapid.Int64Range(0, 1<<45).Draw(t, label)))
}

func TestUser(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := store.User{
			ID:           store.UserID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id")),
			Username:     rapid.String().Draw(t, "username"),
			PasswordHash: rapid.String().Draw(t, "hash"),
			Disabled:     rapid.Bool().Draw(t, "disabled"),
			Epoch:        rapid.Uint32Max(store.MaxEpoch).Draw(t, "epoch"),
			Revision:     rapid.Uint32().Draw(t, "revision"),
			NotBefore:    drawTime(t, "not before"),
			CreatedAt:    drawTime(t, "created"),
			UpdatedAt:    drawTime(t, "updated"),
			Imported:     store.Imported(rapid.String().Draw(t, "imported")),
			Move:         store.Move(rapid.IntRange(0, 3).Draw(t, "move")),
			Breached:     rapid.Bool().Draw(t, "breached"),
			Aliases:      rapid.SliceOfN(rapid.StringMatching(`[a-zé@"]+`), 0, 3).Draw(t, "aliases"),
		}
		if len(want.Aliases) == 0 {
			want.Aliases = nil
		}
		if want.Move == store.MoveDone {
			want.MovedAt = drawTime(t, "moved")
		}
		for name, n := range rapid.MapOf(rapid.String(), rapid.StringMatching(`"[a-z]*"`)).Draw(t, "claims") {
			if want.Claims == nil {
				want.Claims = map[string]json.RawMessage{}
			}
			want.Claims[name] = json.RawMessage(n)
		}
		for _, format := range []int{store.Format2, store.Format1} {
			if format == store.Format1 {
				want.Epoch, want.Revision = 0, 0
			}
			got, err := DecodeUser(EncodeUser(want, format))
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("format %d: got %+v, %v, want %+v", format, got, err, want)
			}
		}
	})
}

func TestSession(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := store.Session{
			ID:         store.SessionID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id")),
			UserID:     store.UserID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "user")),
			ClientID:   rapid.String().Draw(t, "client"),
			Generation: rapid.Uint32().Draw(t, "generation"),
			Replays:    rapid.Uint16().Draw(t, "replays"),
			StartedAt:  drawTime(t, "started"),
			RotatedAt:  drawTime(t, "rotated"),

			UserEpoch:   rapid.Uint32Max(store.MaxEpoch).Draw(t, "user epoch"),
			ClientEpoch: rapid.Uint32Max(store.MaxEpoch).Draw(t, "client epoch"),
			Skipped:     rapid.Uint16().Draw(t, "skipped"),
		}
		for _, format := range []int{store.Format2, store.Format1} {
			if format == store.Format1 {
				want.UserEpoch, want.ClientEpoch, want.Skipped = 0, 0, 0
			}
			got, err := DecodeSession(want.UserID, want.ID, EncodeSession(want, format), rapid.String().Draw(t, "expected"))
			if err != nil || got != want {
				t.Fatalf("format %d: got %+v, %v, want %+v", format, got, err, want)
			}
		}
	})
}

// TestSessionDevice: a device takes a byte of the record, and a session without one none.
func TestSessionDevice(t *testing.T) {
	device := store.NewDevice("Firefox", "Windows")
	for _, address := range []netip.Addr{{}, netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::")} {
		for _, parent := range []store.SessionID{{}, {7}} {
			s := store.Session{ClientID: "signet-browser", Address: address, Parent: parent}
			without := len(EncodeSession(s, store.Format2))
			s.Device = device
			raw := EncodeSession(s, store.Format2)
			got, err := DecodeSession(s.UserID, s.ID, raw, s.ClientID)
			if parent.IsZero() && (err != nil || got.Device != device || got.Address != address || len(raw) != without+1) {
				t.Errorf("got %+v, %v in %d bytes after %d", got, err, len(raw), without)
			}
			if err != nil || len(raw) > listpackValue+1 {
				t.Errorf("with a parent: got %+v, %v in %d bytes", got, err, len(raw))
			}
		}
	}
}

// TestSessionAddress: what of an address is kept, and when there is no room for it.
func TestSessionAddress(t *testing.T) {
	for _, c := range []struct {
		address  string
		clientID int // its length
		want     string
		size     int
	}{
		{"192.0.2.7", 3, "192.0.2.7", 35},
		{"::ffff:192.0.2.7", 3, "192.0.2.7", 35},
		{"2001:db8:1:2:3:4:5:6", 3, "2001:db8:1:2::", 39},
		{"fe80::1%eth0", 3, "fe80::", 39},
		{"192.0.2.7", 32, "192.0.2.7", 64},
		{"192.0.2.7", 33, "invalid IP", 61},
		{"2001:db8::1", 28, "2001:db8::", 64},
		{"2001:db8::1", 29, "invalid IP", 57},
		{"2001:db8::1", 36, "invalid IP", 64},
		{"2001:db8::1", 37, "2001:db8::", 73}, // too long for a listpack without it
	} {
		in := store.Session{ClientID: strings.Repeat("c", c.clientID), Address: netip.MustParseAddr(c.address)}
		raw := EncodeSession(in, store.Format2)
		got, err := DecodeSession(in.UserID, in.ID, raw, in.ClientID)
		if err != nil || got.Address.String() != c.want || len(raw) != c.size {
			t.Errorf("%s with a client id of %d bytes: got %s in %d bytes, %v; want %s in %d", c.address, c.clientID, got.Address, len(raw), err, c.want, c.size)
		}
	}
}

// The fuzz targets ask that damage is an error, never a panic, and that there is one spelling of a record.

func FuzzDecodeUser(f *testing.F) {
	for _, format := range []int{store.Format1, store.Format2} {
		f.Add(EncodeUser(store.User{ID: store.UserID{1}, Username: "ada", Epoch: 7, Claims: map[string]json.RawMessage{"a": []byte("1")}}, format))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		u, err := DecodeUser(raw)
		if err != nil {
			return
		}
		again, err := DecodeUser(EncodeUser(u, store.Format2))
		if err != nil || !reflect.DeepEqual(again, u) {
			t.Errorf("%x became %+v and then %+v, %v", raw, u, again, err)
		}
	})
}

func FuzzDecodeSession(f *testing.F) {
	for _, format := range []int{store.Format1, store.Format2} {
		f.Add(EncodeSession(store.Session{ClientID: "app", Generation: 7, Address: netip.MustParseAddr("192.0.2.7")}, format))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := DecodeSession(store.UserID{1}, store.SessionID{2}, raw, "app")
		if err != nil {
			return
		}
		again, err := DecodeSession(s.UserID, s.ID, EncodeSession(s, store.Format2), "app")
		if err != nil || again != s && again.Address.IsValid() { // there may be no room for the address
			t.Errorf("%x became %+v and then %+v, %v", raw, s, again, err)
		}
	})
}

package packed

import (
	"encoding/json"
	"reflect"
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
			NotBefore:    drawTime(t, "not before"),
			CreatedAt:    drawTime(t, "created"),
			UpdatedAt:    drawTime(t, "updated"),
		}
		for name, n := range rapid.MapOf(rapid.String(), rapid.StringMatching(`"[a-z]*"`)).Draw(t, "claims") {
			if want.Claims == nil {
				want.Claims = map[string]json.RawMessage{}
			}
			want.Claims[name] = json.RawMessage(n)
		}
		got, err := DecodeUser(EncodeUser(want))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, %v, want %+v", got, err, want)
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
		}
		got, err := DecodeSession(want.UserID, want.ID, EncodeSession(want), rapid.String().Draw(t, "expected"))
		if err != nil || got != want {
			t.Fatalf("got %+v, %v, want %+v", got, err, want)
		}
	})
}

// The fuzz targets ask that damage is an error, never a panic, and that there is one spelling of a record.

func FuzzDecodeUser(f *testing.F) {
	f.Add(EncodeUser(store.User{ID: store.UserID{1}, Username: "ada", Claims: map[string]json.RawMessage{"a": []byte("1")}}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		u, err := DecodeUser(raw)
		if err != nil {
			return
		}
		again, err := DecodeUser(EncodeUser(u))
		if err != nil || !reflect.DeepEqual(again, u) {
			t.Errorf("%x became %+v and then %+v, %v", raw, u, again, err)
		}
	})
}

func FuzzDecodeSession(f *testing.F) {
	f.Add(EncodeSession(store.Session{ClientID: "app", Generation: 7}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := DecodeSession(store.UserID{1}, store.SessionID{2}, raw, "app")
		if err == nil && string(EncodeSession(s)) != string(raw) {
			t.Errorf("%x became %x", raw, EncodeSession(s))
		}
	})
}

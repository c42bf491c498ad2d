package token

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"signet/store"
)

func testToken() Refresh {
	return Refresh{UserID: store.UserID{1, 2}, SessionID: store.SessionID{3, 4}, Generation: 7,
		AuthTime: time.UnixMilli(1795432303123).UTC(), Scope: "profile orders:read", Audience: []string{"https://api.example.com", "https://b.example.com"}}
}

func mustSealer(t testing.TB, secrets ...[32]byte) *Sealer {
	t.Helper()
	s, err := NewSealer(secrets, func() int { return 0 })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRefreshTokenRoundTrip(t *testing.T) {
	s := mustSealer(t, [32]byte{1})
	token := s.Seal(testToken(), "web")
	got, err := s.Open(token, "web")
	if err != nil || !reflect.DeepEqual(got, testToken()) {
		t.Errorf("got %+v, %v, want %+v", got, err, testToken())
	}
	if s.Seal(testToken(), "web") != token {
		t.Error("sealing the same token twice gave two strings; a retry would not get the same successor")
	}
	if !strings.HasPrefix(token, RefreshPrefix) {
		t.Errorf("got %q, want the prefix %s", token, RefreshPrefix)
	}
	if strings.Contains(token, "profile") {
		t.Error("the scope can be read in the token")
	}
}

// A token without AMR and ACR is what earlier versions wrote: such tokens are in apps, and replicas of both versions run during an
// update.
func TestRefreshTokenOfEarlierVersions(t *testing.T) {
	s := mustSealer(t, [32]byte{1})
	const earlier = "signet_rt_Af4JALBErmSichB2as4XS3PTyZMUZfVow6vhzA1DE1YGhX4eLZXlVH1Gb-kBEoDK5zPzW-xe1e-RkUYplfuUYxtyCYmqZ7uGxZbl_eOkno5beqQ4PVAkVQf9GtqqVXYrDgJ3AxhRJgHRXWWURiEokkiDRGFUxUAoGUuNv4lTHdJTWwae3CSK91NeJ8eANxWVeWC0DcOQ0w"
	if got := s.Seal(testToken(), "web"); got != earlier {
		t.Errorf("got %s, want %s", got, earlier)
	}
	signedIn := testToken()
	signedIn.AMR, signedIn.ACR = []string{"pwd", "otp"}, "2"
	for _, want := range []Refresh{signedIn, {AuthTime: testToken().AuthTime, ACR: "1"}, {AuthTime: testToken().AuthTime, AMR: []string{"pwd"}},
		{AuthTime: testToken().AuthTime, Chosen: true}, {AuthTime: testToken().AuthTime, ACR: "1", Chosen: true}} {
		if got, err := s.Open(s.Seal(want, "web"), "web"); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
}

func TestRefreshTokenOpensOnlyWhereItShould(t *testing.T) {
	s, other := mustSealer(t, [32]byte{1}), mustSealer(t, [32]byte{2})
	token := s.Seal(testToken(), "web")
	for name, open := range map[string]func() error{
		"another client's": func() error { _, err := s.Open(token, "we"); return err },
		"another key":      func() error { _, err := other.Open(token, "web"); return err },
		"no client":        func() error { _, err := s.Open(token, ""); return err },
	} {
		if open() == nil {
			t.Errorf("%s: the token opened", name)
		}
	}
	for i := range token {
		for _, c := range []byte{'A', 'b', '-', '\n'} {
			if changed := token[:i] + string(c) + token[i+1:]; changed != token {
				if _, err := s.Open(changed, "web"); err == nil {
					t.Fatalf("with %q at %d the token still opens", c, i)
				}
			}
		}
		if _, err := s.Open(token[:i], "web"); err == nil {
			t.Fatalf("cut at %d the token still opens", i)
		}
	}
}

// While the master key is rotated, tokens sealed with the old one open and new ones use the new.
func TestRefreshTokenKeyRotation(t *testing.T) {
	before, after := mustSealer(t, [32]byte{1}), mustSealer(t, [32]byte{2}, [32]byte{1})
	if _, err := after.Open(before.Seal(testToken(), "web"), "web"); err != nil {
		t.Errorf("a token of the old key: %v", err)
	}
	if _, err := before.Open(after.Seal(testToken(), "web"), "web"); err == nil {
		t.Error("a new token was sealed with the old key")
	}
}

func FuzzOpenRefreshToken(f *testing.F) {
	s := mustSealer(f, [32]byte{1})
	good := s.Seal(testToken(), "web")
	f.Add(good, "web")
	f.Add(good[:50], "web")
	f.Add(RefreshPrefix, "")
	f.Fuzz(func(t *testing.T, token, client string) {
		got, err := s.Open(token, client)
		if err == nil && (token != s.Seal(got, client)) {
			t.Errorf("%q opens for %q and does not seal back to itself", token, client)
		}
	})
}

// The decoder itself must hold too: the MAC in front of it is no reason to trust lengths.
func FuzzDecodeRefreshToken(f *testing.F) {
	f.Add(testToken().appendTo(nil))
	f.Add(Refresh{AMR: []string{"pwd"}, ACR: "1"}.appendTo(nil))
	f.Add(Refresh{Chosen: true}.appendTo(nil))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := decodeRefresh(b)
		if err != nil {
			return
		}
		again, err := decodeRefresh(got.appendTo(nil))
		if err != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("%x: decoded %+v, again %+v, %v", b, got, again, err)
		}
	})
}

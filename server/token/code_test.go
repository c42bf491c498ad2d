package token

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"signet/store"
)

func testCode() Code {
	return Code{SessionID: store.SessionID{1}, UserID: store.UserID{2}, UserEpoch: 3, ClientID: "spa", ClientEpoch: 4, Browser: store.SessionID{5},
		RedirectURI: "https://app.example/cb?x=%20", Challenge: strings.Repeat("a", 43), Scope: "openid read", Audience: []string{"a", "b"}, Nonce: "n-0S6_WzA2Mj",
		AMR: []string{"pwd"}, ACR: "1", AuthTime: time.UnixMilli(1795432303123).UTC(), Expires: time.UnixMilli(1795432363123).UTC()}
}

func TestCodeRoundTrip(t *testing.T) {
	t.Parallel()
	s := mustSealer(t, [32]byte{1})
	code := s.SealCode(testCode())
	chosen := testCode()
	chosen.Chosen = true
	for _, want := range []Code{testCode(), chosen} {
		if got, err := s.OpenCode(s.SealCode(want), "spa"); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	for _, part := range []string{"openid", "app.example", testCode().Challenge, "n-0S6"} {
		if strings.Contains(code, part) {
			t.Errorf("%s can be read in the code", part)
		}
	}
	if !strings.HasPrefix(code, CodePrefix) || strings.Trim(code[len(CodePrefix):], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
		t.Errorf("got %q: it must stand in a URL as it is", code)
	}
}

// A code is worth a user's tokens, so it opens for its client alone, and is no token of another kind.
func TestCodeOpensOnlyWhereItShould(t *testing.T) {
	t.Parallel()
	s, other := mustSealer(t, [32]byte{1}), mustSealer(t, [32]byte{2})
	code := s.SealCode(testCode())
	refresh := s.Seal(testToken(), "spa")
	for name, open := range map[string]func() error{
		"another client's":         func() error { _, err := s.OpenCode(code, "spb"); return err },
		"no client":                func() error { _, err := s.OpenCode(code, ""); return err },
		"another key":              func() error { _, err := other.OpenCode(code, "spa"); return err },
		"a refresh token":          func() error { _, err := s.OpenCode(refresh, "spa"); return err },
		"a refresh token, renamed": func() error { _, err := s.OpenCode(CodePrefix+refresh[len(RefreshPrefix):], "spa"); return err },
		"a code as refresh token":  func() error { _, err := s.Open(RefreshPrefix+code[len(CodePrefix):], "spa"); return err },
		"two of them":              func() error { _, err := s.OpenCode(code+code, "spa"); return err },
		"none":                     func() error { _, err := s.OpenCode("", "spa"); return err },
		"a very long one":          func() error { _, err := s.OpenCode(CodePrefix+strings.Repeat("A", 1<<20), "spa"); return err },
	} {
		if open() == nil {
			t.Errorf("%s: it opened", name)
		}
	}
	for i := range code {
		for _, c := range []byte{'A', 'b', '-', '\n'} {
			if changed := code[:i] + string(c) + code[i+1:]; changed != code {
				if _, err := s.OpenCode(changed, "spa"); err == nil {
					t.Fatalf("with %q at %d the code still opens", c, i)
				}
			}
		}
		if _, err := s.OpenCode(code[:i], "spa"); err == nil {
			t.Fatalf("cut at %d the code still opens", i)
		}
	}
}

// The decoder holds by itself: the seal in front of it is no reason to trust lengths.
func FuzzDecodeCode(f *testing.F) {
	f.Add(testCode().appendTo(nil))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := decodeCode(b)
		if err != nil {
			return
		}
		again, err := decodeCode(got.appendTo(nil))
		if err != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("%x: decoded %+v, again %+v, %v", b, got, again, err)
		}
	})
}

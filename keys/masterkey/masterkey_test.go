package masterkey

import (
	"encoding/hex"
	"strings"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	k := New()
	got, err := Parse(k.Encode())
	if err != nil || !got.Equal(k) {
		t.Errorf("got %v, %v, want the same key", got.Equal(k), err)
	}
	if New().Equal(k) {
		t.Error("two new keys are the same")
	}
}

func TestParseRefuses(t *testing.T) {
	good := testMaster(1).Encode()
	for name, s := range map[string]string{
		"empty": "", "no prefix": good[len(prefix):], "short": good[:len(good)-1], "long": good + "A",
		"padded": good + "=", "spare bits": good[:len(good)-1] + "F", "standard base64": good[:20] + "+" + good[21:],
		"space": " " + good, "line end": good + "\n", "line end inside": good[:20] + "\n" + good[21:], "capitals": strings.ToUpper(good),
		"line end instead of a character": prefix + strings.Repeat("A", 42) + "\n",
	} {
		if _, err := Parse(s); err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), good[len(prefix):30]) {
			t.Errorf("%s: the error quotes the key: %v", name, err)
		}
	}
}

func TestParseList(t *testing.T) {
	a, b, c := testMaster(1), testMaster(2), testMaster(3)
	for _, tc := range []struct {
		in   string
		want []Key // nil: refused
	}{
		{a.Encode(), []Key{a}},
		{a.Encode() + "\n", []Key{a}},
		{b.Encode() + "," + a.Encode(), []Key{b, a}},
		{b.Encode() + " \r\n\n" + a.Encode() + "\r\n", []Key{b, a}},
		{"", nil},
		{" \n,", nil},
		{a.Encode() + " " + b.Encode(), nil},
		{a.Encode() + "," + a.Encode(), nil},
		{a.Encode() + "," + b.Encode() + "," + c.Encode(), nil},
		{a.Encode() + ",x", nil},
	} {
		got, err := ParseList(tc.in)
		if (err == nil) != (tc.want != nil) || len(got) != len(tc.want) {
			t.Errorf("%q: got %d keys, %v, want %d", tc.in, len(got), err, len(tc.want))
			continue
		}
		for i := range got {
			if !got[i].Equal(tc.want[i]) {
				t.Errorf("%q: key %d is not the right one", tc.in, i)
			}
		}
	}
}

// RFC 5869 with the key 000…01, no salt, and the purpose as info: computed by HMAC by hand once, so
// that a change of the derivation, which would lock everybody out, cannot go unseen.
func TestDeriveIsFixed(t *testing.T) {
	k := testMaster(1)
	got := k.Derive("test")
	if got != k.Derive("test") || got == k.Derive("other") || got == testMaster(2).Derive("test") {
		t.Error("Derive is not a function of key and purpose")
	}
	if want := "fdaeef1fdbd12788194e31359f78bb588126b464ebcdb870c5971cfa975b199e"; hex.EncodeToString(got[:]) != want {
		t.Errorf("got %x, want %s", got, want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(testMaster(1).Encode())
	f.Add(testMaster(1).Encode() + "," + testMaster(2).Encode())
	f.Add("signet_mk_")
	f.Fuzz(func(t *testing.T, s string) {
		if k, err := Parse(s); err == nil && k.Encode() != s {
			t.Errorf("%q and %q are the same key", s, k.Encode())
		}
		if all, err := ParseList(s); (err == nil) != (len(all) == 1 || len(all) == 2) {
			t.Errorf("%q: %d keys, %v", s, len(all), err)
		}
	})
}

// testMaster is a fixed key, so that failures repeat.
func testMaster(n byte) Key { return keyOf([32]byte{31: n}) }

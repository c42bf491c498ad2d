package keys

import (
	"encoding/hex"
	"strings"
	"testing"
)

func TestMasterKeyRoundTrip(t *testing.T) {
	k := NewMasterKey()
	got, err := ParseMasterKey(k.Encode())
	if err != nil || !got.Equal(k) {
		t.Errorf("got %v, %v, want the same key", got.Equal(k), err)
	}
	if NewMasterKey().Equal(k) {
		t.Error("two new keys are the same")
	}
}

func TestParseMasterKeyRefuses(t *testing.T) {
	good := testMaster(1).Encode()
	for name, s := range map[string]string{
		"empty": "", "no prefix": good[len(masterKeyPrefix):], "short": good[:len(good)-1], "long": good + "A",
		"padded": good + "=", "spare bits": good[:len(good)-1] + "F", "standard base64": good[:20] + "+" + good[21:],
		"space": " " + good, "line end": good + "\n", "line end inside": good[:20] + "\n" + good[21:], "capitals": strings.ToUpper(good),
		"line end instead of a character": masterKeyPrefix + strings.Repeat("A", 42) + "\n",
	} {
		if _, err := ParseMasterKey(s); err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), good[len(masterKeyPrefix):30]) {
			t.Errorf("%s: the error quotes the key: %v", name, err)
		}
	}
}

func TestParseMasterKeys(t *testing.T) {
	a, b, c := testMaster(1), testMaster(2), testMaster(3)
	for _, tc := range []struct {
		in   string
		want []MasterKey // nil: refused
	}{
		{a.Encode(), []MasterKey{a}},
		{a.Encode() + "\n", []MasterKey{a}},
		{b.Encode() + "," + a.Encode(), []MasterKey{b, a}},
		{b.Encode() + " \r\n\n" + a.Encode() + "\r\n", []MasterKey{b, a}},
		{"", nil},
		{" \n,", nil},
		{a.Encode() + " " + b.Encode(), nil},
		{a.Encode() + "," + a.Encode(), nil},
		{a.Encode() + "," + b.Encode() + "," + c.Encode(), nil},
		{a.Encode() + ",x", nil},
	} {
		got, err := ParseMasterKeys(tc.in)
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

func FuzzParseMasterKey(f *testing.F) {
	f.Add(testMaster(1).Encode())
	f.Add(testMaster(1).Encode() + "," + testMaster(2).Encode())
	f.Add("signet_mk_")
	f.Fuzz(func(t *testing.T, s string) {
		if k, err := ParseMasterKey(s); err == nil && k.Encode() != s {
			t.Errorf("%q and %q are the same key", s, k.Encode())
		}
		if all, err := ParseMasterKeys(s); (err == nil) != (len(all) == 1 || len(all) == 2) {
			t.Errorf("%q: %d keys, %v", s, len(all), err)
		}
	})
}

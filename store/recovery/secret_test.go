package recovery

import (
	"slices"
	"testing"
	"time"

	"signet/store"
)

// Events that name the secret that was dropped take that one away, whichever it was.
func TestSecretsLeftByName(t *testing.T) {
	a, b := store.Secret{Hash: []byte("aaaaaaaa")}, store.Secret{Hash: []byte("bbbbbbbb")} // a is the newer
	at := func(n int64) time.Time { return time.UnixMilli(n) }
	for name, c := range map[string]struct {
		rotations []secretRotation
		want      string
	}{
		"the older revoked":                        {[]secretRotation{{at(1), true, false, b.Fingerprint()}}, "a"},
		"the newer revoked":                        {[]secretRotation{{at(1), true, false, a.Fingerprint()}}, "b"},
		"revoked without a name":                   {[]secretRotation{{at(1), true, false, ""}}, "a"},
		"rotated":                                  {[]secretRotation{{at(1), false, true, ""}}, "a"},
		"rotated, the unused newest was replaced":  {[]secretRotation{{at(1), false, true, a.Fingerprint()}}, "b"},
		"rotated twice, the first was never used":  {[]secretRotation{{at(1), false, true, ""}, {at(2), false, true, "00000000"}}, "a"},
		"rotated with revoke_old":                  {[]secretRotation{{at(1), true, true, ""}}, ""},
		"rotated, then the one before was revoked": {[]secretRotation{{at(1), false, true, ""}, {at(2), true, false, a.Fingerprint()}}, ""},
	} {
		got := ""
		for _, s := range secretsLeft([]store.Secret{a, b}, slices.Clone(c.rotations), 0) {
			got += string(s.Hash[:1])
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

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
		"the older revoked":                        {[]secretRotation{{at: at(1), revoke: true, dropped: b.Fingerprint()}}, "a"},
		"the newer revoked":                        {[]secretRotation{{at: at(1), revoke: true, dropped: a.Fingerprint()}}, "b"},
		"revoked without a name":                   {[]secretRotation{{at: at(1), revoke: true}}, "a"},
		"rotated":                                  {[]secretRotation{{at: at(1), adds: true}}, "a"},
		"rotated, the unused newest was replaced":  {[]secretRotation{{at: at(1), adds: true, dropped: a.Fingerprint()}}, "b"},
		"rotated twice, the first was never used":  {[]secretRotation{{at: at(1), adds: true}, {at: at(2), adds: true, dropped: "00000000"}}, "a"},
		"rotated with revoke_old":                  {[]secretRotation{{at: at(1), revoke: true, adds: true}}, ""},
		"rotated, then the one before was revoked": {[]secretRotation{{at: at(1), adds: true}, {at: at(2), revoke: true, dropped: a.Fingerprint()}}, ""},
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

package keys

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

func TestUnpublished(t *testing.T) {
	c := newClock()
	m := mustOpen(t, testConfig(&memory{}, c))
	token, kid := mustSign(t, m, "")
	header := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) + ".e30.c2ln" }
	for name, tc := range map[string]struct {
		token string
		want  State
	}{
		"ours":                  {token, ""},
		"another's":             {header(`{"alg":"RS256","kid":"2024-01"}`), Unknown},
		"no kid":                {header(`{"alg":"HS256"}`), ""},
		"an empty kid":          {header(`{"kid":""}`), ""},
		"a kid that is no text": {header(`{"kid":7}`), ""},
		"no JSON":               {header(`kid`), ""},
		"a refresh token":       {"signet_rt_AAAA", ""},
		"two parts":             {strings.TrimSuffix(header(`{"kid":"x"}`), ".c2ln"), ""},
		"a long header":         {header(`{"kid":"x","x5c":["` + strings.Repeat("A", maxForeignHeader) + `"]}`), ""},
		"nothing":               {"", ""},
	} {
		if got := m.Unpublished(tc.token); got != tc.want {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}

	c.advance(DefaultTimetable().Active)
	mustStep(t, m) // the first key retires, and a third is planned
	if got, third := m.unpublished(m.Keys()[2].KID), m.Keys()[2]; got != Pending || !third.PublishAt.After(c.now()) {
		t.Errorf("a key before its publication: got %q, want pending", got)
	}
	c.advance(DefaultTimetable().Retain)
	if got := m.Unpublished(token); got != Removed {
		t.Errorf("a removed key that is still on record: got %q, want removed", got)
	}
	mustStep(t, m)
	if got := m.Unpublished(token); got != Removed {
		t.Errorf("a removed key: got %q, want removed", got)
	}
	ring := m.state.Load().ring.clone()
	ring.Tombstones = []Tombstone{{kid, c.now(), true}}
	ring.Keys[1].RevokedAt = c.now().Add(-time.Second)
	m.state.Store(&snapshot{ring: ring})
	if got := m.Unpublished(token); got != Revoked {
		t.Errorf("a revoked key: got %q, want revoked", got)
	}
	if got := m.unpublished(ring.Keys[1].KID); got != Revoked {
		t.Errorf("a revoked key that is still on record: got %q, want revoked", got)
	}
}

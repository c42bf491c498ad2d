package keys

import (
	"testing"
	"time"

	"signet/keys/keystest"
	"signet/keys/rotation"
	"signet/keys/timetable"
)

func TestWhyUnpublished(t *testing.T) {
	c := newClock()
	m := mustOpen(t, testConfig(&keystest.Storage{}, c))
	_, kid := mustSign(t, m, "")
	why := func(kid string) rotation.State { return m.Keyring().WhyUnpublished(kid, c.now()) }
	if got := why(kid); got != "" {
		t.Errorf("a published key: got %q, want nothing", got)
	}
	if got := why("2024-01"); got != rotation.Unknown {
		t.Errorf("another's: got %q, want unknown", got)
	}
	c.advance(timetable.Default().Active)
	mustStep(t, m) // the first key retires, and a third is planned
	if got, third := why(m.Keys()[2].KID), m.Keys()[2]; got != rotation.Pending || !third.PublishAt.After(c.now()) {
		t.Errorf("a key before its publication: got %q, want pending", got)
	}
	c.advance(timetable.Default().Retain)
	if got := why(kid); got != rotation.Removed {
		t.Errorf("a removed key that is still on record: got %q, want removed", got)
	}
	mustStep(t, m)
	if got := why(kid); got != rotation.Removed {
		t.Errorf("a removed key: got %q, want removed", got)
	}
	ring := m.held.load().Ring.Clone()
	ring.Tombstones = []rotation.Tombstone{{KID: kid, RemovedAt: c.now(), Revoked: true}}
	ring.Keys[1].RevokedAt = c.now().Add(-time.Second)
	why = func(kid string) rotation.State { return ring.WhyUnpublished(kid, c.now()) }
	if got := why(kid); got != rotation.Revoked {
		t.Errorf("a revoked key: got %q, want revoked", got)
	}
	if got := why(ring.Keys[1].KID); got != rotation.Revoked {
		t.Errorf("a revoked key that is still on record: got %q, want revoked", got)
	}
}

package replica

import (
	"slices"
	"testing"
	"time"

	"signet/store"
)

// A difference is one that breaks a promise: another issuer, or another value of a setting that both have.
func TestDifferences(t *testing.T) {
	for name, c := range map[string]struct {
		other store.Heartbeat
		want  []string
	}{
		"the same":                    {store.Heartbeat{Issuer: "https://a", Timetable: "P=1h S=30s"}, nil},
		"the same in another order":   {store.Heartbeat{Issuer: "https://a", Timetable: "S=30s P=1h"}, nil},
		"an older version":            {store.Heartbeat{}, nil},
		"another issuer":              {store.Heartbeat{Issuer: "https://b"}, []string{"issuer=https://b"}},
		"another timetable":           {store.Heartbeat{Issuer: "https://a", Timetable: "P=2h S=30s"}, []string{"P=2h"}},
		"both":                        {store.Heartbeat{Issuer: "https://b", Timetable: "P=2h S=1m"}, []string{"issuer=https://b", "P=2h", "S=1m"}},
		"a version with fewer values": {store.Heartbeat{Issuer: "https://a", Timetable: "P=1h"}, nil},
	} {
		if got := Differences("https://a", "P=1h S=30s", c.other); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// A replica that has just started writes many heartbeats, so that it soon has other clocks than the store's.
func TestUntilBeat(t *testing.T) {
	if untilBeat(0) != firstBeatEvery || untilBeat(firstBeats-time.Second) != firstBeatEvery || untilBeat(firstBeats) != beatEvery {
		t.Errorf("got %s, %s and %s", untilBeat(0), untilBeat(firstBeats-time.Second), untilBeat(firstBeats))
	}
}

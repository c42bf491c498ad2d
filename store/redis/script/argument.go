package script

import (
	"math"
	"strconv"
	"time"

	"signet/store"
)

// NoEvent is the last argument of a script that begins with outbox.lua, where there is no event.
const NoEvent = ""

// RotateOutcomes are the outcomes of rotate.lua. Only what it names itself ends a session: a word that is not
// here is an error.
var RotateOutcomes = map[string]store.Outcome{
	"rotated": store.Rotated, "replayed": store.Replayed, "healed": store.Healed, "late": store.Late, "stale": store.Stale, "ahead": store.Ahead,
	"reuse": store.Reused, "revoked": store.Revoked, "gone": store.Gone,
}

// Clock decides whose time counts in a script that calls session_time.
type Clock struct {
	Callers bool // the caller's instead of the server's, in tests
}

// Argument is what the caller's clock shows.
func (c Clock) Argument(now time.Time) string {
	ms := strconv.FormatInt(Millis(now), 10)
	if c.Callers {
		return "=" + ms
	}
	return ms
}

// Millis is a time as the scripts have it; the zero time is 0.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// CeilMillis keeps "at least d" true in whole milliseconds.
func CeilMillis(d time.Duration) int64 {
	return int64(math.Ceil(float64(d) / float64(time.Millisecond)))
}

// OneIf is 1 for true.
func OneIf(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

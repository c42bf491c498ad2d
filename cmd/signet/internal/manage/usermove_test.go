package manage

import (
	"testing"
	"time"

	"signet/server/admin/api"
)

func TestCanGo(t *testing.T) {
	const quiet = 24 * time.Hour
	now := time.Now()
	at := func(ago time.Duration) *time.Time { then := now.Add(-ago); return &then }
	for name, tc := range map[string]struct {
		moved api.Moved
		want  bool
	}{
		"nobody came":                 {api.Moved{Users: 3}, false},
		"quiet":                       {api.Moved{Users: 3, Moved: 3, LastMovedAt: at(quiet)}, true},
		"not quiet yet":               {api.Moved{Users: 3, Moved: 3, LastMovedAt: at(quiet - time.Second)}, false},
		"in the future":               {api.Moved{Users: 3, Moved: 3, LastMovedAt: at(-time.Hour)}, false},
		"some are left":               {api.Moved{Users: 3, Moved: 2, NotMoved: 1, LastMovedAt: at(2 * quiet)}, false},
		"a directory":                 {api.Moved{Users: 3, Moved: 2, Stay: 1, LastMovedAt: at(2 * quiet)}, false},
		"only disabled ones are left": {api.Moved{Users: 3, Moved: 2, Disabled: 1, LastMovedAt: at(2 * quiet)}, true},
	} {
		if got, reason := canGo(tc.moved, quiet, now); got != tc.want || reason == "" {
			t.Errorf("%s: got %v, %q", name, got, reason)
		}
	}
}

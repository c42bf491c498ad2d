package duration

import (
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	good := map[string]time.Duration{"0": 0, "0s": 0, "30d": 30 * Day, "1d12h": 36 * time.Hour, "0d": 0, "90m": 90 * time.Minute, "250ms": 250 * time.Millisecond}
	for s, want := range good {
		if got, err := Parse(s); err != nil || got != want {
			t.Errorf("%q: got %v, %v; want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "d", "1", "-1h", "1.5d", "-2d", "1d-1h", "1d+1h", "12h1d", "1d1d", "106752d", "106751d24h", "99999999999d", "1 d"} {
		if got, err := Parse(s); err == nil {
			t.Errorf("%q: got %v, want an error", s, got)
		}
	}
}

func FuzzDuration(f *testing.F) {
	f.Add("1d12h")
	f.Add("720h0m0s")
	f.Fuzz(func(t *testing.T, s string) {
		d, err := Parse(s)
		if err != nil {
			return
		}
		if again, err := Parse(Format(d)); err != nil || again != d || d < 0 {
			t.Errorf("%q is %d, written %q, read %d, %v", s, d, Format(d), again, err)
		}
	})
}

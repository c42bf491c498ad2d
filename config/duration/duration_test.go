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

func TestErrors(t *testing.T) {
	for s, want := range map[string]string{
		"5":           `"5" has no unit; write it like 30s, 5m, 12h or 30d`,
		"1.5":         `"1.5" has no unit; write it like 30s, 5m, 12h or 30d`,
		"-5s":         `"-5s" is negative; write it like 30s, 5m, 12h or 30d`,
		"999999d":     `"999999d" is too long; a duration is at most 106751d`,
		"five":        `"five" is not a duration; write it like 30s, 5m, 12h or 30d`,
		"5 min":       `"5 min" is not a duration; write it like 30s, 5m, 12h or 30d`,
		"99999999999": `"99999999999" has no unit; write it like 30s, 5m, 12h or 30d`,
	} {
		if _, err := Parse(s); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", s, err, want)
		}
	}
}

func TestValue(t *testing.T) {
	var v Value
	if v.String() != "" || v.Set("90s") != nil || v.String() != "1m30s" || time.Duration(v) != 90*time.Second {
		t.Errorf("got %s", &v)
	}
	if v.Set("90") == nil || time.Duration(v) != 90*time.Second {
		t.Errorf("a duration without a unit: got %s", &v)
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

package outage

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestRetryAfter: it grows with the outage and is spread, and a refresh comes once more within the grace window.
func TestRetryAfter(t *testing.T) {
	for _, c := range []struct {
		kind   string
		age    time.Duration
		random float64
		want   time.Duration
	}{
		{Store, 0, 0, 500 * time.Millisecond},
		{Store, 0, 1, 1500 * time.Millisecond},
		{Store, -time.Hour, 0.5, time.Second},
		{Store, 30 * time.Second, 0.5, 11 * time.Second},
		{Store, time.Hour, 0, 10 * time.Second},
		{Store, time.Hour, 1, 30 * time.Second},
		{Hashing, time.Hour, 1, 3 * time.Second},
	} {
		if got := RetryAfter(c.kind, c.age, c.random); got != c.want {
			t.Errorf("%s after %s with %v: got %s, want %s", c.kind, c.age, c.random, got, c.want)
		}
	}
	for _, c := range []struct{ wait, grace, took, want time.Duration }{
		{30 * time.Second, 10 * time.Second, 0, 9 * time.Second},
		{30 * time.Second, 10 * time.Second, 2500 * time.Millisecond, 6 * time.Second},
		{30 * time.Second, 10 * time.Second, 10 * time.Second, time.Second},
		{30 * time.Second, 0, 0, time.Second},
		{time.Second, time.Minute, 0, time.Second},
	} {
		if got := EarlyRetry(c.wait, c.grace-c.took); got != c.want {
			t.Errorf("%+v: got %s", c, got)
		}
	}
}

// TestOutageInTheLog: 20,000 requests of an outage of half a minute are some ten lines, whose counts add up.
func TestOutageInTheLog(t *testing.T) {
	var out bytes.Buffer
	o := Log{log: slog.New(slog.NewTextHandler(&out, nil))}
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	firsts, oldest := 0, time.Duration(0)
	for i := range 20_000 {
		age, first := o.Observe(now, Store, fmt.Sprint("cause ", i))
		if first {
			firsts++
		}
		oldest = max(oldest, age)
		now = now.Add(1500 * time.Microsecond)
	}
	if firsts != 1 || oldest < 29*time.Second {
		t.Errorf("got %d beginnings and an age of %s", firsts, oldest)
	}
	o.Summarise(now.Add(quietFor + time.Second))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) < 5 || len(lines) > 10 || !strings.Contains(lines[len(lines)-1], "no more requests") || !strings.Contains(lines[len(lines)-1], "requests=20000") {
		t.Errorf("got %d lines:\n%s", len(lines), out.String())
	}
	if len(o.open) != 0 {
		t.Error("the outage is not over")
	}
	if _, first := o.Observe(now.Add(time.Minute), Store, ""); !first {
		t.Error("the next outage has no beginning")
	}
}

// TestEarlyRetryOnce: a session is asked once to come early; the memory for that is bounded.
func TestEarlyRetryOnce(t *testing.T) {
	o := Log{log: slog.New(slog.DiscardHandler)}
	o.Observe(time.Now(), Store, "")
	if !o.FirstTry(Store, "one") || o.FirstTry(Store, "one") {
		t.Error("not once")
	}
	for i := range 3 * maxEarly {
		o.FirstTry(Store, fmt.Sprint(i))
	}
	if n := len(o.open[Store].early); n != maxEarly {
		t.Errorf("%d sessions are known", n)
	}
}

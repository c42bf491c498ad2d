package conn

import (
	"context"
	"testing"
	"time"

	"signet/store/redis/redistest"
)

// TestServerClockIsSet: when the server's clock jumps, the next command is late, learns the new time, and goes
// through with the same call.
func TestServerClockIsSet(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	cn, err := New(Config{Mode: Standalone, Addrs: []string{server.Addr()}, Timeout: 10 * time.Second, Connected: func() {},
		Observe: func(context.Context, string, time.Duration, error) {}})
	if err != nil {
		t.Fatal(err)
	}
	defer cn.Close()
	if _, err := cn.Masters(t.Context()); err != nil {
		t.Fatal(err)
	}
	clock := cn.servers.clockOf(cn.servers.single)
	clock.mu.Lock()
	clock.shown = clock.shown.Add(-time.Hour) // as if the server's had gone an hour ahead since
	clock.mu.Unlock()
	if err := cn.Do(t.Context(), "writing", Write("set", "key", "value")); err != nil {
		t.Errorf("got %v", err)
	}
	if got := server.Do("get", "key"); got != "value" {
		t.Errorf("got %v, want value", got)
	}
	if late := cn.Stats().LateCommands; late != 1 {
		t.Errorf("got %d late commands, want 1", late)
	}
	latest, _ := clock.latest(time.Now())
	if off := time.Until(latest).Abs(); off > time.Minute {
		t.Errorf("the estimate is off by %v", off)
	}
}

// TestServerClockEstimate: the estimate is never behind what the server shows, and ahead by one trip at most.
func TestServerClockEstimate(t *testing.T) {
	start := time.Now()
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	shows := func(ms, ahead int) time.Time { return at(ms + ahead) }
	var c serverClock
	if _, ok := c.latest(at(0)); ok {
		t.Error("a clock that was not asked is known")
	}
	for _, s := range []struct {
		name                   string
		asked, answered, shown int // ms; shown is when the server looked, by its clock ahead
		ahead, want            int // of the estimate beyond the time here
	}{
		{"first, slow", 0, 40, 10, 5000, 5010},
		{"quick", 100, 101, 100, 5000, 5000},
		{"slow, and says the same", 200, 260, 250, 5000, 5000},
		{"the server was set back", 300, 301, 300, -5000, -5000},
		{"and ahead, slowly", 400, 450, 440, 9000, 9040},
	} {
		c.learn(at(s.asked), at(s.answered), shows(s.shown, s.ahead))
		latest, ok := c.latest(at(s.answered))
		if got := int(latest.Sub(at(s.answered)) / time.Millisecond); !ok || got != s.want {
			t.Errorf("%s: got %d ms ahead, want %d", s.name, got, s.want)
		}
	}
}

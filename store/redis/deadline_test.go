package redis

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"signet/store"
	"signet/store/redis/redistest"
)

// TestLateCommands gives every command a deadline that is over. None changes anything, each is
// ErrUnavailable, and what only reads goes on.
func TestLateCommands(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	s := mustOpen(t, rest(Config{Addrs: []string{server.Addr()}, Prefix: newPrefix(), Timeout: 10 * time.Second}))
	x := newSubject()
	x.populate(t, s)
	s.servers.single.AddHook(deadlineHook(1))
	before := server.Info("persistence")["rdb_changes_since_last_save"]
	reads := map[string]bool{"Install": true, "LoadKeyring": true, "Beats": true, "Client": true, "ListClients": true, "ClientsVersion": true,
		"User": true, "UserByName": true, "ListUsers": true, "ListSessions": true, "TokenState": true, "Events": true, "Events newest": true, "Foundation": true,
		"ListThrottle": true}
	for _, m := range methods {
		late := s.Stats().LateCommands
		_, err := m.call(t.Context(), s, x)
		s.servers.forget()
		switch isLate := s.Stats().LateCommands > late; {
		case reads[m.name] && (isLate || errors.Is(err, store.ErrUnavailable)):
			t.Errorf("%s only reads: got %v", m.name, err)
		case !reads[m.name] && (!isLate || !errors.Is(err, store.ErrUnavailable)):
			t.Errorf("%s: got %v and late %t, want ErrUnavailable because it was late", m.name, err, isLate)
		}
	}
	if after := server.Info("persistence")["rdb_changes_since_last_save"]; after != before {
		t.Errorf("changes: got %s before and %s after", before, after)
	}
}

// deadlineHook puts another time in the place of the deadline.
type deadlineHook int

func (deadlineHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h deadlineHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		h.replace(cmd)
		return next(ctx, cmd)
	}
}

func (h deadlineHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		for _, cmd := range cmds {
			h.replace(cmd)
		}
		return next(ctx, cmds)
	}
}

func (h deadlineHook) replace(cmd redis.Cmder) {
	args := cmd.Args()
	if _, ok := args[len(args)-1].(deadline); ok {
		args[len(args)-1] = int(h)
	}
}

// TestServerClockIsSet: when the server's clock jumps, the next command is late, learns the new time, and goes
// through with the same call.
func TestServerClockIsSet(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	s := mustOpen(t, rest(Config{Addrs: []string{server.Addr()}, Prefix: newPrefix(), Timeout: 10 * time.Second}))
	session := seedSession(t, s, seedUser(t, s).ID)
	clock := s.servers.clockOf(s.servers.single)
	clock.mu.Lock()
	clock.shown = clock.shown.Add(-time.Hour) // as if the server's had gone an hour ahead since
	clock.mu.Unlock()
	if _, o := mustPresent(t, s, tokenOf(session)); o != store.Rotated {
		t.Errorf("got %v, want rotated", o)
	}
	if late := s.Stats().LateCommands; late != 1 {
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
		t.Error("a clock that nobody has asked is known")
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

// TestDeadlineWithoutTime: where TIME is not permitted commands go through without a deadline.
func TestDeadlineWithoutTime(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{Conf: []string{recommendedUser(t, "signet", canary)}})
	server.Do("acl", "setuser", "signet", "-time")
	cfg := rest(Config{Addrs: []string{server.Addr()}, Username: "signet", Password: secret, Prefix: newPrefix(), Timeout: 10 * time.Second})
	s := mustOpen(t, cfg)
	session := seedSession(t, s, seedUser(t, s).ID)
	if _, o := mustPresent(t, s, tokenOf(session)); o != store.Rotated {
		t.Errorf("got %v, want rotated", o)
	}
}

package redis

import (
	"context"
	"encoding"
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
	s.node().AddHook(deadlineHook(1))
	before := server.Info("persistence")["rdb_changes_since_last_save"]
	reads := map[string]bool{"Install": true, "LoadKeyring": true, "Beats": true, "Client": true, "ListClients": true, "ClientsVersion": true,
		"User": true, "UserByName": true, "ListUsers": true, "ListSessions": true, "TokenState": true, "Events": true, "Events newest": true, "Manifest": true,
		"ListThrottle": true, "LogoutQueue": true}
	for _, m := range methods {
		late := s.Stats().LateCommands
		_, err := m.call(t.Context(), s, x)
		s.deps.Conn.ForgetFailures()
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
	if _, ok := args[len(args)-1].(encoding.BinaryMarshaler); ok {
		args[len(args)-1] = int(h)
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

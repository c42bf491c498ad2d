package redis

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"signet/store"
	"signet/store/redis/redistest"
)

// atOnce is how soon every error must be there, on a machine that may be busy.
const atOnce = 2 * time.Second

func waiting(addr string) Config {
	return Config{Addrs: []string{addr}, WaitReplicas: 1, Timeout: 600 * time.Millisecond, ReplicaPoll: time.Hour}
}

// TestFrozenReplica: what must not be lost with the master is not acknowledged while the one replica
// does not have it, and everything else goes on.
func TestFrozenReplica(t *testing.T) {
	r := redistest.StartReplicated(t, redistest.Config{}, 1)
	replica := r.Replicas[0]
	s, other := mustOpen(t, waiting(r.Master.Addr())), mustOpen(t, waiting(r.Master.Addr()))
	u, u2 := seedUser(t, s), seedUser(t, s)
	session, going := seedSession(t, s, u.ID), tokenOf(seedSession(t, s, u2.ID))
	if _, err := s.SwapKeyring(t.Context(), 0, 1, []byte("sealed")); err != nil {
		t.Fatal(err)
	}
	redistest.WaitInSync(t, r.Master, replica)
	field := string(session.ID[:])
	key := s.deps.Key.Sessions(u.ID)
	if got := replica.Do("hexists", key, field); got != int64(1) {
		t.Fatalf("the replica has the session: got %v, want 1", got)
	}

	replica.Freeze()
	refused := func(name string, do func() error) {
		t.Helper()
		asked := time.Now()
		err := do()
		if took := time.Since(asked); !errors.Is(err, store.ErrUnavailable) || took > atOnce {
			t.Errorf("%s: got %v after %v, want %v within %v", name, err, took, store.ErrUnavailable, atOnce)
		}
	}
	revoke := func(s *Store) func() error {
		return func() error { _, err := s.RevokeSession(t.Context(), u.ID, session.ID); return err }
	}
	refused("RevokeSession", revoke(s))
	if got := r.Master.Do("hexists", key, field); got != int64(0) {
		t.Errorf("the master has the session: got %v, want 0", got)
	}
	// There is nothing left to delete, and this connection has never written anything: to WAIT alone
	// all replicas would be up to date, where it goes by writes, as it does since version 7.2.
	sets := r.Master.Info("commandstats")["cmdstat_set"]
	refused("RevokeSession again, on another connection", revoke(other))
	if got := r.Master.Info("commandstats")["cmdstat_set"]; got == sets {
		t.Errorf("nothing was written for WAIT to wait for: SET %q before and after", got)
	}
	refused("RevokeSessions", func() error { _, err := s.RevokeSessions(t.Context(), u.ID); return err })
	refused("RevokeToken", func() error { return s.RevokeToken(t.Context(), "jti", time.Now().Add(time.Hour)) })
	refused("UseAssertion", func() error { return s.UseAssertion(t.Context(), randomID(), time.Now().Add(time.Hour)) })
	refused("UpdateUser", func() error {
		_, err := s.UpdateUser(t.Context(), u.ID, func(u *store.User) error { u.Disabled = true; return nil })
		return err
	})
	refused("SwapKeyring", func() error { _, err := s.SwapKeyring(t.Context(), 1, 2, []byte("sealed again")); return err })
	if _, o := mustPresent(t, s, going); o != store.Rotated {
		t.Errorf("Rotate: got %v, want %v", o, store.Rotated)
	}

	written := r.Master.Info("replication")["master_repl_offset"]
	replica.Thaw()
	redistest.Wait(t, "the revocation to be confirmed", revoke(other))
	if got := replica.Do("hexists", key, field); got != int64(0) {
		t.Errorf("the replica has the session when its end is confirmed: got %v, want 0", got)
	}
	if got := replica.Info("replication")["slave_repl_offset"]; len(got) < len(written) || len(got) == len(written) && got < written {
		t.Errorf("the replica is at %s when the revocation is confirmed, want at least %s", got, written)
	}
}

// TestConfirmationOfUnknownScript freezes the replica when the master has said that it does not know
// the script: what the replica confirms after that must be the script's second sending.
func TestConfirmationOfUnknownScript(t *testing.T) {
	r := redistest.StartReplicated(t, redistest.Config{}, 1)
	s := mustOpen(t, waiting(r.Master.Addr()))
	u := seedUser(t, s)
	seedSession(t, s, u.ID)
	redistest.WaitInSync(t, r.Master, r.Replicas[0])

	r.Master.Do("script", "flush")
	var met sync.Once
	frozen := false
	s.node().AddHook(afterHook(func(cmds []redis.Cmder) {
		if err := cmds[0].Err(); err != nil && strings.HasPrefix(err.Error(), "NOSCRIPT") {
			met.Do(func() { r.Replicas[0].Freeze(); frozen = true })
		}
	}))
	_, err := s.RevokeSessions(t.Context(), u.ID)
	if !frozen {
		t.Fatal("the master knew the script")
	}
	if got := r.Master.Do("hlen", s.deps.Key.Sessions(u.ID)); got != int64(0) {
		t.Errorf("sessions on the master: got %v, want 0", got)
	}
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("RevokeSessions that no replica has: got %v, want %v", err, store.ErrUnavailable)
	}
}

// afterHook is called with what a server has answered.
type afterHook func(cmds []redis.Cmder)

func (afterHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h afterHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		defer h([]redis.Cmder{cmd})
		return next(ctx, cmd)
	}
}

func (h afterHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		defer h(cmds)
		return next(ctx, cmds)
	}
}

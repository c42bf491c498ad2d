package redis

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"signet/store"
	"signet/store/redis/redistest"
	"signet/store/storetest"
)

// stopHook fails all writes after a number of them, before or after that one is carried out: a process that dies there.
type stopHook struct {
	faultHook
	left atomic.Int32
}

func (h *stopHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		return h.step([]redis.Cmder{cmd}, func() error { return next(ctx, cmd) })
	}
}

func (h *stopHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		return h.step(cmds, func() error { return next(ctx, cmds) })
	}
}

func (h *stopHook) step(cmds []redis.Cmder, next func() error) error {
	for _, cmd := range cmds {
		if strings.HasPrefix(cmd.Name(), "eval") && h.left.Add(-1) < 0 {
			return h.fail(cmds, next)
		}
	}
	return next()
}

// TestRenameBreaksOff stops a change of names after each of its writes. The user can log in by a name that counts, nobody else by it,
// the user is listed once, and the same call again completes the change.
func TestRenameBreaksOff(t *testing.T) {
	changes := map[string]func(*store.User){
		"rename":           func(u *store.User) { u.Username = "zoe" },
		"rename to alias":  func(u *store.User) { u.Username, u.Aliases = "al", nil },
		"rename, keep old": func(u *store.User) { u.Username, u.Aliases = "zoe", []string{"al", "ada"} },
		"add alias":        func(u *store.User) { u.Aliases = []string{"al", "zoe"} },
		"remove alias":     func(u *store.User) { u.Aliases = nil },
	}
	server := redistest.Start(t, redistest.Config{Persist: true})
	for what, change := range changes {
		for _, at := range []storetest.Fault{storetest.BeforeCommit, storetest.AfterCommit} {
			t.Run(what, func(t *testing.T) { breakOff(t, server.Addr(), at, change) })
		}
	}
}

func breakOff(t *testing.T, addr string, at storetest.Fault, change func(*store.User)) {
	ctx := t.Context()
	rename := func(s *Store, id store.UserID) (store.User, error) {
		return s.RenameUser(ctx, id, func(u *store.User) error { change(u); return nil })
	}
	for n := range int32(40) {
		s := mustOpen(t, Config{Addrs: []string{addr}, Prefix: newPrefix()})
		was := store.User{ID: store.UserID{1}, Username: "ada", Aliases: []string{"al"}, PasswordHash: "hash"}
		must(t, s.CreateUser(ctx, was))
		hook := &stopHook{faultHook: faultHook{at: at}}
		hook.left.Store(n)
		hook.on.Store(true)
		_ = s.deps.Conn.EachMaster(ctx, func(_ context.Context, node *redis.Client) error { node.AddHook(hook); return nil })
		_, err := rename(s, was.ID)
		hook.on.Store(false)
		if err == nil && n > 0 {
			if n < 2 {
				t.Errorf("it took %d writes: the test shows nothing", n)
			}
			return
		}
		now, err := s.User(ctx, was.ID)
		must(t, err)
		if u, err := s.UserByName(ctx, now.Username); err != nil || u.ID != was.ID {
			t.Errorf("after %d writes: UserByName(%q): %v", n, now.Username, err)
		}
		_, c, err := s.BeginLogin(ctx, begun, store.Attempt{}, now.Username)
		if err != nil || c.PasswordHash != "hash" {
			t.Errorf("after %d writes: BeginLogin(%q): got %+v, %v", n, now.Username, c, err)
		}
		if list, err := s.ListUsers(ctx, "", 10); err != nil || len(list) != 1 {
			t.Errorf("after %d writes: ListUsers: got %d users, %v", n, len(list), err)
		}
		for _, name := range []string{"ada", "al", "zoe"} {
			if u, err := s.UserByName(ctx, name); err == nil && !u.HasName(name) {
				t.Errorf("after %d writes: %q leads to a user who does not have it", n, name)
			}
		}
		done, err := rename(s, was.ID)
		must(t, err)
		want := was
		change(&want)
		if strings.Join(done.Names(), " ") != strings.Join(want.Names(), " ") {
			t.Errorf("after %d writes, and again: got %q, want %q", n, done.Names(), want.Names())
		}
		for _, name := range []string{"ada", "al", "zoe"} {
			u, err := s.UserByName(ctx, name)
			if has := err == nil && u.ID == was.ID; has != want.HasName(name) {
				t.Errorf("after %d writes, and again: %q leads to the user: %v", n, name, has)
			}
			if !want.HasName(name) {
				must(t, s.CreateUser(ctx, store.User{ID: store.UserID{2, byte(len(name)), name[0], name[1]}, Username: name}))
			}
		}
	}
}

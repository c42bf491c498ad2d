package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// do sends the calls in one round trip and waits for all answers. Those for one server go in one
// pipeline; those for several servers go side by side. Nothing is said about the order between
// calls of different slots. The first error that is not redis.Nil comes back as store.ErrUnavailable;
// each call has its own answer in cmd.
func (s *Store) do(ctx context.Context, doing string, calls ...*call) error {
	if s.foreign.Load() {
		return s.unavailable(doing, errForeign)
	}
	return s.send(ctx, doing, calls...)
}

// send is do without a look at whose data they are.
func (s *Store) send(ctx context.Context, doing string, calls ...*call) error {
	if s.closed.Load() {
		return s.unavailable(doing, errClosed)
	}
	if err := ctx.Err(); err != nil {
		return s.unavailable(doing, err)
	}
	begun := time.Now()
	err := s.route(ctx, calls)
	s.cfg.Observe(doing, time.Since(begun), err)
	if err != nil {
		return s.unavailable(doing, err)
	}
	return nil
}

// route splits the calls by the server that has their slot.
func (s *Store) route(ctx context.Context, calls []*call) error {
	if s.servers.single != nil || oneSlot(calls) {
		return s.follow(ctx, calls)
	}
	byNode := map[*redis.Client][]*call{}
	for _, c := range calls {
		node, err := s.servers.nodeFor(ctx, c.key)
		if err != nil {
			return err
		}
		byNode[node] = append(byNode[node], c)
	}
	errs := make(chan error, len(byNode))
	for _, group := range byNode {
		go func() { errs <- s.followEach(ctx, group) }()
	}
	var first error
	for range byNode {
		if err := <-errs; first == nil {
			first = err
		}
	}
	return first
}

func oneSlot(calls []*call) bool {
	for _, c := range calls[1:] {
		if c.key != calls[0].key {
			return false
		}
	}
	return true
}

// followEach tries the calls together, and those that were sent elsewhere once more on their own:
// in a cluster that is being resharded they may belong to different servers by now.
func (s *Store) followEach(ctx context.Context, calls []*call) error {
	node, err := s.servers.nodeFor(ctx, calls[0].key)
	if err != nil {
		return err
	}
	_ = s.attempt(ctx, node, false, calls) // each call has its own error
	var first error
	var again sync.WaitGroup
	var mu sync.Mutex
	for _, c := range calls {
		again.Go(func() {
			err := answer(c)
			if moved(err) {
				err = s.follow(ctx, []*call{c})
			}
			mu.Lock()
			defer mu.Unlock()
			if first == nil {
				first = err
			}
		})
	}
	again.Wait()
	return first
}

const (
	maxRedirects  = 5
	tryAgainAfter = 10 * time.Millisecond
)

// follow sends the calls, all of one slot, to the server that has it, and goes where it is sent. What
// a server sends on it has not carried out, so that is no blind repetition. In a slot that is on its
// way to another server some calls may be sent on and others not: those are done, and stay so.
func (s *Store) follow(ctx context.Context, calls []*call) error {
	node, err := s.servers.nodeFor(ctx, calls[0].key)
	if err != nil {
		return err
	}
	asking, left := false, calls
	for redirects := 0; ; redirects++ {
		err := s.attempt(ctx, node, asking, left)
		if err != nil {
			s.servers.stale(ctx)
		}
		if !moved(err) || redirects == maxRedirects || s.servers.cluster == nil {
			return err
		}
		left = again(left, moved)
		for _, c := range left {
			if tryAgain(c.cmd.Err()) {
				c.forgetEvents()
			}
		}
		if left[0].confirm {
			return fmt.Errorf("it is done, and cannot be confirmed while its slot moves: %w", err)
		}
		addr, ask := redis.IsAskError(err)
		if !ask {
			addr, _ = redis.IsMovedError(err)
		}
		if addr != "" {
			node, asking = s.servers.nodeAt(addr), ask
		} else if err := pause(ctx, tryAgainAfter<<redirects); err != nil { // half-way between two servers
			return err
		}
	}
}

// again picks the calls that were answered like this, and those that are about them.
func again(calls []*call, like func(error) bool) (list []*call) {
	for _, c := range calls {
		if like(c.cmd.Err()) || c.confirm && len(list) > 0 {
			list = append(list, c)
		}
	}
	return list
}

func moved(err error) bool { return hasPrefix(err, "MOVED", "ASK", "TRYAGAIN") }

func tryAgain(err error) bool { return hasPrefix(err, "TRYAGAIN") }

func noScript(err error) bool { return hasPrefix(err, "NOSCRIPT") }

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// attempt sends the calls to one server. A script that it does not know goes once more, whole, to
// the same server: it was not run. So does one that has come too late by an estimate of the server's
// clock that was wrong. With it goes what confirms it; nothing else in the round trip depends on it.
func (s *Store) attempt(ctx context.Context, node *redis.Client, asking bool, calls []*call) error {
	done, err := s.servers.breakerOf(node).Allow()
	if err != nil {
		for _, c := range calls {
			c.cmd = redis.NewCmd(ctx)
			c.cmd.SetErr(err)
		}
		return err
	}
	clock := s.servers.clockOf(node)
	by := deadline{clock: clock, caller: ctx, within: s.cfg.Timeout}
	begun := time.Now()
	err = exchange(ctx, node, asking, calls, by)
	if unknown := again(calls, noScript); len(unknown) > 0 {
		for _, c := range unknown {
			c.whole()
		}
		_ = exchange(ctx, node, asking, unknown, by)
		err = firstError(calls)
	}
	if late := again(calls, tooLate); len(late) > 0 {
		s.late.Add(uint64(len(late)))
		clock.learnFromLate(begun, late[0].cmd.Err())
		_ = exchange(ctx, node, asking, late, by)
		err = firstError(calls)
	}
	done(err)
	return err
}

// exchange is one round trip on one connection, which goes back to the pool before anything else is asked.
func exchange(ctx context.Context, node *redis.Client, asking bool, calls []*call, by deadline) error {
	for _, c := range calls {
		c.cmd = redis.NewCmd(ctx, c.sent(by)...)
	}
	if len(calls) == 1 && !asking {
		_ = node.Process(ctx, calls[0].cmd)
		return checked(calls)
	}
	pipe := node.Pipeline()
	for _, c := range calls {
		if asking {
			_ = pipe.Process(ctx, redis.NewCmd(ctx, "asking"))
		}
		_ = pipe.Process(ctx, c.cmd)
	}
	if _, err := pipe.Exec(ctx); err != nil && !slices.ContainsFunc(calls, wentWrong) && !errors.Is(err, redis.Nil) {
		return fmt.Errorf("asking: %w", err)
	}
	return checked(calls)
}

// checked is the first error among the replies. One of the wrong shape becomes an error here, before
// anybody reads it.
func checked(calls []*call) error {
	for _, c := range calls {
		if answer(c) != nil {
			continue
		}
		if err := c.check(); err != nil {
			c.cmd.SetErr(err)
		}
	}
	return firstError(calls)
}

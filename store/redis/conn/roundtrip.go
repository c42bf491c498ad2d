package conn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Do sends the calls in one round trip and waits for all replies. Those for one server go in one
// pipeline; those for several servers go side by side. The order between calls of different slots is
// not defined. The first error that is not redis.Nil comes back as store.ErrUnavailable; each call has
// its own reply.
func (cn *Conn) Do(ctx context.Context, doing string, calls ...*Call) error {
	if why := cn.refusing.Load(); why != nil {
		return Unavailable(doing, *why)
	}
	return cn.DoAnyway(ctx, doing, calls...)
}

// DoAnyway is Do also while Refuse is in force.
func (cn *Conn) DoAnyway(ctx context.Context, doing string, calls ...*Call) error {
	if err := cn.ready(ctx); err != nil {
		return Unavailable(doing, err)
	}
	begun := time.Now()
	err := cn.route(ctx, calls)
	cn.cfg.Observe(ctx, doing, time.Since(begun), err)
	if err != nil {
		return Unavailable(doing, err)
	}
	return nil
}

// Ready returns what a call would that has nothing to ask.
func (cn *Conn) Ready(ctx context.Context) error {
	if err := cn.ready(ctx); err != nil {
		return Unavailable("using", err)
	}
	return nil
}

// ready returns why no call could be sent now.
func (cn *Conn) ready(ctx context.Context) error {
	if cn.closed.Load() {
		return errClosed
	}
	return ctx.Err()
}

// route splits the calls by the server that has their slot.
func (cn *Conn) route(ctx context.Context, calls []*Call) error {
	if cn.servers.single != nil || oneSlot(calls) {
		return cn.follow(ctx, calls)
	}
	byNode := map[*redis.Client][]*Call{}
	for _, c := range calls {
		node, err := cn.servers.nodeFor(ctx, c.key)
		if err != nil {
			return err
		}
		byNode[node] = append(byNode[node], c)
	}
	errs := make(chan error, len(byNode))
	for _, group := range byNode {
		go func() { errs <- cn.followEach(ctx, group) }()
	}
	var first error
	for range byNode {
		if err := <-errs; first == nil {
			first = err
		}
	}
	return first
}

func oneSlot(calls []*Call) bool {
	for _, c := range calls[1:] {
		if c.key != calls[0].key {
			return false
		}
	}
	return true
}

// followEach tries the calls together, and those that were sent elsewhere once more on their own:
// in a cluster that is being resharded they may belong to different servers by now.
func (cn *Conn) followEach(ctx context.Context, calls []*Call) error {
	node, err := cn.servers.nodeFor(ctx, calls[0].key)
	if err != nil {
		return err
	}
	_ = cn.attempt(ctx, node, false, calls) // each call has its own error
	var first error
	var again sync.WaitGroup
	var mu sync.Mutex
	for _, c := range calls {
		again.Go(func() {
			err := answer(c)
			if moved(err) {
				err = cn.follow(ctx, []*Call{c})
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

// MaxRedirects is how often a call is sent on to another server.
const MaxRedirects = 5

const tryAgainAfter = 10 * time.Millisecond

// follow sends the calls, all of one slot, to the server that has it, and goes where it is sent. What
// a server sends on it has not carried out, so that is no blind repetition. In a slot that is on its
// way to another server some calls may be sent on and others not: those are done, and stay so.
func (cn *Conn) follow(ctx context.Context, calls []*Call) error {
	node, err := cn.servers.nodeFor(ctx, calls[0].key)
	if err != nil {
		return err
	}
	asking, left := false, calls
	for redirects := 0; ; redirects++ {
		err := cn.attempt(ctx, node, asking, left)
		if err != nil {
			cn.servers.stale(ctx)
		}
		if !moved(err) || redirects == MaxRedirects || cn.servers.cluster == nil {
			return err
		}
		left = withReply(left, moved)
		for _, c := range left {
			if tryAgain(c.cmd.Err()) {
				c.dropLastKey()
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
			node, asking = cn.servers.nodeAt(addr), ask
		} else if err := pause(ctx, tryAgainAfter<<redirects); err != nil { // half-way between two servers
			return err
		}
	}
}

// withReply picks the calls that have such an error, and those that are about them.
func withReply(calls []*Call, like func(error) bool) (list []*Call) {
	for _, c := range calls {
		if like(c.cmd.Err()) || c.confirm && len(list) > 0 {
			list = append(list, c)
		}
	}
	return list
}

func moved(err error) bool { return HasCode(err, "MOVED", "ASK", "TRYAGAIN") }

func tryAgain(err error) bool { return HasCode(err, "TRYAGAIN") }

func noScript(err error) bool { return HasCode(err, "NOSCRIPT") }

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

// attempt sends the calls to one server. A script that the server does not have goes once more, whole, to
// the same server: it was not run. So does one that has come too late by an estimate of the server's
// clock that was wrong. With it goes what confirms it; nothing else in the round trip depends on it.
func (cn *Conn) attempt(ctx context.Context, node *redis.Client, asking bool, calls []*Call) error {
	done, err := cn.servers.breakerOf(node).Allow()
	if err != nil {
		for _, c := range calls {
			c.cmd = redis.NewCmd(ctx)
			c.cmd.SetErr(err)
		}
		return err
	}
	clock := cn.servers.clockOf(node)
	by := deadline{clock: clock, caller: ctx, within: cn.cfg.Timeout}
	begun := time.Now()
	err = exchange(ctx, node, asking, calls, by)
	if unknown := withReply(calls, noScript); len(unknown) > 0 {
		for _, c := range unknown {
			c.whole()
		}
		_ = exchange(ctx, node, asking, unknown, by)
		err = firstError(calls)
	}
	if late := withReply(calls, tooLate); len(late) > 0 {
		cn.late.Add(uint64(len(late)))
		clock.learnFromLate(begun, late[0].cmd.Err())
		_ = exchange(ctx, node, asking, late, by)
		err = firstError(calls)
	}
	done(err)
	return err
}

// exchange is one round trip on one connection, which goes back to the pool before anything else is asked.
func exchange(ctx context.Context, node *redis.Client, asking bool, calls []*Call, by deadline) error {
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
// it is read.
func checked(calls []*Call) error {
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

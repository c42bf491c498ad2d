package redis

import (
	"context"
	"fmt"
)

// doDurably is do for what must not be lost when a master is: a revocation, a change of a user or a
// client, a keyring. Where there are replicas it returns only when WaitReplicas of them have it,
// and says store.ErrUnavailable on a shortfall: then the change is on the master, and the caller asks
// again. All calls are of one slot.
//
// WAIT counts from the last write of its own connection. The barrier is such a write even when the
// calls, being repeated, find nothing left to change; so the repetition waits for the first time's write.
func (s *Store) doDurably(ctx context.Context, doing string, calls ...*call) error {
	need := s.cfg.WaitReplicas
	if need <= 0 || !s.replicated.Load() {
		return s.do(ctx, doing, calls...)
	}
	key := calls[0].key
	for _, c := range calls {
		c.key = key
	}
	barrier := command(key, "set", s.key.barrier(key), "", "px", 1000)
	wait := command(key, "wait", need, s.cfg.waitTimeout().Milliseconds())
	barrier.confirm, wait.confirm = true, true
	all := append(calls[:len(calls):len(calls)], barrier, wait)
	if err := s.do(ctx, doing, all...); err != nil {
		return err
	}
	if have := wait.number(); have < int64(need) {
		return s.unavailable(doing, fmt.Errorf("it is on the master, but only %d of %d replicas have confirmed it", have, need))
	}
	return nil
}

// doAndTell is doDurably and then tells the other replicas. They are told in a round trip of its own:
// in one pipeline they could hear of what has not happened yet, because a script that the server does
// not know, or whose slot has moved, is sent again. What is told may be lost; the polls and this
// replica's journal are there for that.
func (s *Store) doAndTell(ctx context.Context, doing string, m message, calls ...*call) error {
	err := s.doDurably(ctx, doing, calls...)
	if calls[0].done() {
		s.tell(ctx, calls[0], m)
	}
	return err
}

// tell tells the other replicas of what was done.
func (s *Store) tell(ctx context.Context, done *call, m message) {
	_ = s.do(context.WithoutCancel(ctx), "telling the other replicas", s.publish(done.key, m))
}

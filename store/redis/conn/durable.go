package conn

import (
	"context"
	"fmt"
	"slices"
)

// DoDurably is Do for what must not be lost when a master is: a revocation, a change of a user or a
// client, a keyring. Where there are replicas it returns only when Config.WaitReplicas of them have it,
// and store.ErrUnavailable where fewer have: then the change is on the master, and the caller asks
// again. All calls are of one slot.
//
// WAIT counts from the last write of its own connection. The barrier is such a write even when the
// calls, being repeated, find nothing left to change; so the repetition waits for the first time's write.
func (cn *Conn) DoDurably(ctx context.Context, doing string, calls ...*Call) error {
	need := cn.cfg.WaitReplicas
	if need <= 0 || !cn.replicated.Load() {
		return cn.Do(ctx, doing, calls...)
	}
	key := calls[0].key
	for _, c := range calls {
		c.key = key
	}
	barrier := Command(key, "set", cn.cfg.Barrier(key), "", "px", 1000)
	wait := Command(key, "wait", need, cn.cfg.waitTimeout().Milliseconds())
	barrier.confirm, wait.confirm = true, true
	all := append(slices.Clip(calls), barrier, wait)
	if err := cn.Do(ctx, doing, all...); err != nil {
		return err
	}
	if have := wait.Number(); have < int64(need) {
		return Unavailable(doing, fmt.Errorf("it is on the master, but only %d of %d replicas have confirmed it", have, need))
	}
	return nil
}

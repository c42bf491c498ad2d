package keys

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// keyNeeded asks for a key to be made outside the round.
type keyNeeded struct{ alg string }

func (e keyNeeded) Error() string { return "a key for " + e.alg + " has to be made first" }

// errNotMade says to a planner that it has to do without a new key this time.
var errNotMade = errors.New("the key could not be made")

// batch is the new keys of one call: each is made once, so that a lost race does not waste it.
type batch struct {
	m      *Manager
	made   map[string][]Key
	failed map[string]error
	remote []Key // made elsewhere, where what is not used takes room
}

func newBatch(m *Manager) *batch {
	return &batch{m: m, made: map[string][]Key{}, failed: map[string]error{}}
}

// forPlan hands one plan the new keys of each algorithm, one after the other, or says what the plan
// should do instead.
func (b *batch) forPlan() func(alg string) (Key, error) {
	used := map[string]int{} // how many of the made keys have a place in this plan
	return func(alg string) (Key, error) {
		switch {
		case used[alg] < len(b.made[alg]):
			used[alg]++
			return b.made[alg][used[alg]-1], nil
		case b.failed[alg] != nil:
			return Key{}, errNotMade
		default:
			return Key{}, keyNeeded{alg}
		}
	}
}

// make makes what a plan asked for.
func (b *batch) make(ctx context.Context, alg string) {
	k, err := b.another(ctx, alg)
	if err != nil {
		b.failed[alg] = fmt.Errorf("making a signing key for %s: %w", alg, err)
		return
	}
	b.made[alg] = append(b.made[alg], k)
}

// another makes one more key, where new keys are made.
func (b *batch) another(ctx context.Context, alg string) (Key, error) {
	if b.m.remote == nil || b.m.cfg.Remote.MakeLocal {
		return newKey(alg)
	}
	k, err := b.m.remote.newKey(ctx, alg)
	if err == nil {
		b.remote = append(b.remote, k)
	}
	return k, err
}

// settled is how a call ends whose rounds ended with err: it destroys the keys that another replica's
// made unnecessary (after an error one may be in the store) and tells which could not be made. Where
// an edit was asked for and is done, that is no failure of the edit: the next Step tries again.
func (b *batch) settled(ctx context.Context, err error, edited bool) error {
	if err == nil {
		b.discard(ctx, b.m.state.Load().ring)
	}
	if len(b.failed) == 0 {
		return err
	}
	missing := errors.Join(slices.Collect(maps.Values(b.failed))...)
	switch {
	case err == nil && edited:
		b.m.cfg.Log.Warn("there is no new signing key yet", "error", missing)
		return nil
	case err == nil, errors.Is(err, ErrAlgorithm): // for want of the key
		return missing
	}
	return errors.Join(missing, err)
}

// discard destroys the remote keys that are not in the ring. What fails is only room.
func (b *batch) discard(ctx context.Context, used Ring) {
	for _, k := range b.remote {
		if used.has(k.KID) {
			continue
		}
		if err := b.m.remote.discard(ctx, k.private.Reveal().reference); err != nil {
			b.m.cfg.Log.Warn("a key that nothing uses stays where it was made", "error", err)
		}
	}
}

package transfer

import (
	"context"
	"crypto/rand"
	"fmt"
	"iter"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
)

// recordKinds are the keys that hold what a server does not put back by itself: everything but the
// install, its keyring, heartbeats, counts, revoked tokens, used assertions and the audit trail.
var recordKinds = []string{"clients", "u", "s", "n", "names"}

// Refill puts the records of a backup into a store that was wiped while servers were running on it:
// they have put its install and keyring back, which stay as they are. It answers store.ErrNotFound
// where no install is, and store.ErrExists where there are clients, users or sessions. One that broke
// off may be begun again.
func (t *Transfer) Refill(ctx context.Context, records iter.Seq2[store.Record, error]) error {
	if _, err := t.queries.Install(ctx); err != nil {
		return err
	}
	if err := t.makeRoomForRecords(ctx); err != nil {
		return err
	}
	if err := t.Fill(ctx, records); err != nil {
		return err
	}
	return t.conn.DoDurably(ctx, "ending the refill", conn.Write("del", t.key.Of(layout.Importing)))
}

// makeRoomForRecords refuses a store with records, unless they are what an import or refill has left.
func (t *Transfer) makeRoomForRecords(ctx context.Context) error {
	unfinished := conn.Command(t.key.Of(layout.Install), "exists", t.key.Of(layout.Importing))
	if err := t.conn.Do(ctx, "looking whether the store is empty", unfinished); err != nil {
		return err
	}
	for _, kind := range recordKinds {
		err := t.conn.EachKey(ctx, t.key.Pattern(kind), func(keys []string) error {
			if unfinished.Number() == 0 {
				return fmt.Errorf("the store holds clients, users or sessions, such as %q: %w", keys[0], store.ErrExists)
			}
			return t.unlink(ctx, keys)
		})
		if err != nil {
			return err
		}
	}
	return t.conn.DoDurably(ctx, "beginning the refill", conn.Write("set", t.key.Of(layout.Importing), rand.Text()))
}

func (t *Transfer) unlink(ctx context.Context, keys []string) error {
	calls := make([]*conn.Call, 0, len(keys))
	for _, key := range keys {
		calls = append(calls, conn.Write("unlink", key))
	}
	if len(calls) == 0 {
		return nil
	}
	return t.conn.Do(ctx, "deleting what an import has left", calls...)
}

package redis

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
func (s *Store) Refill(ctx context.Context, records iter.Seq2[store.Record, error]) error {
	if _, err := s.Install(ctx); err != nil {
		return err
	}
	if err := s.makeRoomForRecords(ctx); err != nil {
		return err
	}
	if err := s.fill(ctx, records); err != nil {
		return err
	}
	return s.conn.DoDurably(ctx, "ending the refill", conn.Write("del", s.key.Of(layout.Importing)))
}

// makeRoomForRecords refuses a store with records, unless they are what an import or refill has left.
func (s *Store) makeRoomForRecords(ctx context.Context) error {
	unfinished := conn.Command(s.key.Of(layout.Install), "exists", s.key.Of(layout.Importing))
	if err := s.conn.Do(ctx, "looking whether the store is empty", unfinished); err != nil {
		return err
	}
	for _, kind := range recordKinds {
		err := s.conn.EachKey(ctx, s.key.Pattern(kind), func(keys []string) error {
			if unfinished.Number() == 0 {
				return fmt.Errorf("the store holds clients, users or sessions, such as %q: %w", keys[0], store.ErrExists)
			}
			return s.unlink(ctx, keys)
		})
		if err != nil {
			return err
		}
	}
	return s.conn.DoDurably(ctx, "beginning the refill", conn.Write("set", s.key.Of(layout.Importing), rand.Text()))
}

func (s *common) unlink(ctx context.Context, keys []string) error {
	calls := make([]*conn.Call, 0, len(keys))
	for _, key := range keys {
		calls = append(calls, conn.Write("unlink", key))
	}
	if len(calls) == 0 {
		return nil
	}
	return s.conn.Do(ctx, "deleting what an import has left", calls...)
}

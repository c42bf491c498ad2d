package bolt

import (
	"context"
	"fmt"
	"time"

	"signet/store"
	"signet/store/codec"
)

// UseAssertion implements store.Assertions.
func (s *Store) UseAssertion(ctx context.Context, id store.AssertionID, until time.Time) error {
	err := s.update(ctx, func(t *txn) error {
		if t.get(bucketAssertions, id[:]) != nil {
			return store.ErrExists
		}
		return t.put(bucketAssertions, id[:], codec.AppendTime(nil, until))
	})
	if err != nil {
		return fmt.Errorf("spending assertion %s: %w", id, err)
	}
	return nil
}

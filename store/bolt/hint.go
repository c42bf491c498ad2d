package bolt

import (
	"context"

	"signet/store"
)

// Watch implements store.Hints. There is no other replica that could have changed anything.
func (s *Store) Watch(ctx context.Context, _ func(store.Hint)) { <-ctx.Done() }

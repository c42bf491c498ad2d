package bolt

import (
	"context"

	"signet/store"
)

// Subscribe implements store.ChangeEvents. There is no other replica that could have changed anything.
func (s *Store) Subscribe(ctx context.Context, _ func(store.ChangeEvent)) { <-ctx.Done() }

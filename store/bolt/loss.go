package bolt

import (
	"context"
	"fmt"

	"signet/store"
	"signet/store/codec"
)

// keyLoss is where meta has the last loss. A bolt file loses nothing by itself: a restore writes it.
var keyLoss = []byte("loss")

// Loss implements store.Losses.
func (s *Store) Loss(ctx context.Context) (l store.Loss, err error) {
	err = s.viewContext(ctx, func(tx snapshot) error {
		l, err = readLoss(tx)
		return err
	})
	return l, err
}

func readLoss(tx reader) (store.Loss, error) {
	raw, err := tx.record(bucketMeta, keyLoss)
	if err != nil {
		return store.Loss{}, fmt.Errorf("%w: reading the last loss: %w", store.ErrUnavailable, err)
	}
	if raw == nil {
		return store.Loss{}, nil
	}
	r := codec.NewReader(raw)
	l := store.Loss{At: r.Time()}
	if err := r.End(); err != nil {
		return store.Loss{}, fmt.Errorf("%w: reading the last loss: %w", store.ErrUnavailable, err)
	}
	return l, nil
}

// putLoss keeps the later of two.
func putLoss(t *txn, l store.Loss) error {
	before, err := readLoss(t)
	if err != nil || !l.At.After(before.At) {
		return err
	}
	return t.put(bucketMeta, keyLoss, codec.AppendTime(nil, l.At))
}

func (e *export) loss() error {
	l, err := readLoss(e.tx)
	if err != nil || l.At.IsZero() {
		return err
	}
	return e.visit(store.Record{Loss: &l})
}

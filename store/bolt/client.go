package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"go.etcd.io/bbolt"

	"signet/store"
	"signet/store/codec"
)

// CreateClient implements store.Clients.
func (s *Store) CreateClient(ctx context.Context, c store.Client) error {
	if err := validClient(c); err != nil {
		return err
	}
	if s.Format() < store.Format2 {
		c.NotBefore = later(c.NotBefore, store.Millis(s.now()))
	}
	return s.updateClients(ctx, func(t *txn) error {
		if t.get(bucketClients, []byte(c.ID)) != nil {
			return fmt.Errorf("client %q: %w", c.ID, store.ErrExists)
		}
		c := c
		least, err := leastClientEpoch(t)
		if err != nil {
			return err
		}
		c.Epoch = max(c.Epoch, least)
		raw, err := codec.EncodeClient(c, s.Format())
		if err != nil {
			return err
		}
		return t.put(bucketClients, []byte(c.ID), raw)
	})
}

// leastClientEpoch is the epoch at which new clients begin.
func leastClientEpoch(t *txn) (uint32, error) {
	raw, err := t.record(bucketMeta, keyEpoch)
	if err != nil {
		return 0, fmt.Errorf("%w: reading the least epoch of clients: %w", store.ErrUnavailable, err)
	}
	if len(raw) != 4 {
		return 0, nil
	}
	return binary.BigEndian.Uint32(raw), nil
}

// raiseClientEpoch sees to it that new clients begin at that epoch or later.
func raiseClientEpoch(t *txn, epoch uint32) error {
	least, err := leastClientEpoch(t)
	if err != nil || epoch <= least {
		return err
	}
	return t.put(bucketMeta, keyEpoch, binary.BigEndian.AppendUint32(nil, epoch))
}

func validClient(c store.Client) error {
	if c.ID == "" || len(c.ID) > bbolt.MaxKeySize {
		return fmt.Errorf("the client id has %d bytes", len(c.ID))
	}
	return nil
}

// Client implements store.Clients.
func (s *Store) Client(ctx context.Context, id string) (store.Client, error) {
	c, _, err := s.clientAndRecord(ctx, id)
	return c, err
}

// clientAndRecord returns the record with the bytes that it was read from.
func (s *Store) clientAndRecord(ctx context.Context, id string) (c store.Client, raw []byte, err error) {
	err = s.viewContext(ctx, func(tx snapshot) error {
		raw = bytes.Clone(tx.Bucket(bucketClients).Get([]byte(id)))
		if raw == nil {
			return fmt.Errorf("client %q: %w", id, store.ErrNotFound)
		}
		c, err = readClient(tx, []byte(id), raw)
		return err
	})
	return c, raw, err
}

func readClient(tx reader, id, raw []byte) (store.Client, error) {
	raw, err := tx.opened(bucketClients, id, raw)
	if err != nil {
		return store.Client{}, fmt.Errorf("%w: reading client %q: %w", store.ErrUnavailable, id, err)
	}
	c, err := codec.DecodeClient(raw)
	if err == nil && c.ID != string(id) {
		err = fmt.Errorf("%w: client %q is filed as %q: %w", store.ErrUnavailable, c.ID, id, codec.ErrMalformed)
	}
	return c, err
}

// UpdateClient implements store.Clients; see UpdateUser for why it works as it does.
func (s *Store) UpdateClient(ctx context.Context, id string, change func(*store.Client) error) (store.Client, error) {
	for {
		c, before, err := s.clientAndRecord(ctx, id)
		if err != nil {
			return store.Client{}, err
		}
		after, err := s.changeClient(c, id, change)
		if err != nil {
			return store.Client{}, err
		}
		err = s.updateClients(ctx, func(t *txn) error { return replaceClient(t, id, before, after) })
		if errors.Is(err, errRaced) {
			continue
		}
		if err != nil {
			return store.Client{}, err
		}
		return codec.DecodeClient(after)
	}
}

func (s *Store) changeClient(c store.Client, id string, change func(*store.Client) error) ([]byte, error) {
	epoch, revision := c.Epoch, c.Revision
	if err := change(&c); err != nil {
		return nil, err
	}
	c.ID, c.Revision = id, revision+1
	if c.Epoch != epoch && s.Format() < store.Format2 {
		c.NotBefore = store.ClientNotBefore(c, s.now())
	}
	return codec.EncodeClient(c, s.Format())
}

func replaceClient(t *txn, id string, before, after []byte) error {
	now := t.get(bucketClients, []byte(id))
	if now == nil {
		return fmt.Errorf("client %q: %w", id, store.ErrNotFound)
	}
	if !bytes.Equal(now, before) {
		return errRaced
	}
	return t.put(bucketClients, []byte(id), after)
}

// DeleteClient implements store.Clients.
func (s *Store) DeleteClient(ctx context.Context, id string) error {
	return s.updateClients(ctx, func(t *txn) error {
		raw := t.get(bucketClients, []byte(id))
		if raw == nil {
			return fmt.Errorf("client %q: %w", id, store.ErrNotFound)
		}
		c, err := readClient(t, []byte(id), raw)
		if err != nil {
			return err
		}
		if s.Format() >= store.Format2 {
			if err := raiseClientEpoch(t, store.NextEpoch(c.Epoch)); err != nil {
				return err
			}
		}
		return t.del(bucketClients, []byte(id))
	})
}

// updateClients is update for what changes a client. The version changes after the commit, also where
// the caller has gone by then: whoever read the version first and a client then has never read an
// older client than the version says.
func (s *Store) updateClients(ctx context.Context, apply func(*txn) error) error {
	changed := func() { s.clientChanges.Add(1) }
	defer changed() // a commit that failed may have happened all the same
	return s.update(ctx, func(t *txn) error {
		t.OnCommit(changed)
		return apply(t)
	})
}

// ClientsVersion implements store.Clients. There is one process, and it counts.
func (s *Store) ClientsVersion(ctx context.Context) (string, error) {
	if err := s.open(ctx); err != nil {
		return "", err
	}
	return strconv.FormatUint(s.clientChanges.Load(), 10), nil
}

// ListClients implements store.Clients.
func (s *Store) ListClients(ctx context.Context, after string, limit int) (list []store.Client, err error) {
	err = s.viewContext(ctx, func(tx snapshot) error {
		return walkAfter(tx.Bucket(bucketClients), after, limit, func(id, raw []byte) error {
			c, err := readClient(tx, id, raw)
			list = append(list, c)
			return err
		})
	})
	return list, err
}

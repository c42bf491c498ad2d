package bolt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"signet/store"
)

// CreateClient implements store.Clients.
func (s *Store) CreateClient(ctx context.Context, c store.Client) error {
	if c.ID == "" || len(c.ID) > bbolt.MaxKeySize {
		return fmt.Errorf("the client id has %d bytes", len(c.ID))
	}
	packed, err := packClient(c)
	if err != nil {
		return err
	}
	return s.update(ctx, func(t *txn) error {
		if t.get(bucketClients, []byte(c.ID)) != nil {
			return fmt.Errorf("client %q: %w", c.ID, store.ErrExists)
		}
		return t.put(bucketClients, []byte(c.ID), packed)
	})
}

// packClient writes the record as JSON: it is read seldom (the server caches clients) and its
// fields will grow.
func packClient(c store.Client) ([]byte, error) {
	c.NotBefore, c.CreatedAt, c.UpdatedAt = store.Millis(c.NotBefore), store.Millis(c.CreatedAt), store.Millis(c.UpdatedAt)
	c.Secrets = slices.Clone(c.Secrets)
	for i := range c.Secrets {
		c.Secrets[i].CreatedAt = store.Millis(c.Secrets[i].CreatedAt)
	}
	packed, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("packing client %q: %w", c.ID, err)
	}
	return packed, nil
}

func unpackClient(raw []byte) (store.Client, error) {
	var c store.Client
	if err := json.Unmarshal(raw, &c); err != nil {
		return store.Client{}, fmt.Errorf("%w: reading a client: %w", store.ErrUnavailable, err)
	}
	return c, nil
}

// Client implements store.Clients.
func (s *Store) Client(ctx context.Context, id string) (store.Client, error) {
	raw, err := s.rawClient(ctx, id)
	if err != nil {
		return store.Client{}, err
	}
	return unpackClient(raw)
}

func (s *Store) rawClient(ctx context.Context, id string) (raw []byte, err error) {
	err = s.viewContext(ctx, func(tx *bbolt.Tx) error {
		raw = bytes.Clone(tx.Bucket(bucketClients).Get([]byte(id)))
		return nil
	})
	if err == nil && raw == nil {
		err = fmt.Errorf("client %q: %w", id, store.ErrNotFound)
	}
	return raw, err
}

// UpdateClient implements store.Clients; see UpdateUser for why it works as it does.
func (s *Store) UpdateClient(ctx context.Context, id string, change func(*store.Client) error) (store.Client, error) {
	for {
		before, err := s.rawClient(ctx, id)
		if err != nil {
			return store.Client{}, err
		}
		after, err := changeClient(before, id, change)
		if err != nil {
			return store.Client{}, err
		}
		err = s.update(ctx, func(t *txn) error { return replaceClient(t, id, before, after) })
		if errors.Is(err, errRaced) {
			continue
		}
		if err != nil {
			return store.Client{}, err
		}
		return unpackClient(after)
	}
}

func changeClient(before []byte, id string, change func(*store.Client) error) ([]byte, error) {
	c, err := unpackClient(before)
	if err != nil {
		return nil, err
	}
	if err := change(&c); err != nil {
		return nil, err
	}
	c.ID = id
	return packClient(c)
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
	return s.update(ctx, func(t *txn) error {
		if t.get(bucketClients, []byte(id)) == nil {
			return fmt.Errorf("client %q: %w", id, store.ErrNotFound)
		}
		return t.del(bucketClients, []byte(id))
	})
}

// ListClients implements store.Clients.
func (s *Store) ListClients(ctx context.Context, after string, limit int) (list []store.Client, err error) {
	err = s.viewContext(ctx, func(tx *bbolt.Tx) error {
		return walkAfter(tx.Bucket(bucketClients), after, limit, func(_, raw []byte) error {
			c, err := unpackClient(raw)
			list = append(list, c)
			return err
		})
	})
	return list, err
}

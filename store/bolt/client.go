package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"

	"signet/store"
	"signet/store/bolt/commit"
	"signet/store/bolt/layout"
	"signet/store/codec"
)

// clients has the clients.
type clients struct {
	db      *commit.DB
	changes atomic.Uint64
}

// CreateClient implements store.Clients.
func (s *clients) CreateClient(ctx context.Context, c store.Client) error {
	if err := layout.ValidClient(c); err != nil {
		return err
	}
	if s.db.Format() < store.Format2 {
		c.NotBefore = store.Later(c.NotBefore, store.Millis(s.db.Now()))
	}
	return s.updateClients(ctx, func(t *layout.Tx) error {
		if t.Raw(layout.Clients, []byte(c.ID)) != nil {
			return fmt.Errorf("client %q: %w", c.ID, store.ErrExists)
		}
		c := c
		least, err := layout.LeastClientEpoch(t)
		if err != nil {
			return err
		}
		c.Epoch = max(c.Epoch, least)
		raw, err := codec.EncodeClient(c, s.db.Format())
		if err != nil {
			return err
		}
		return t.Put(layout.Clients, []byte(c.ID), raw)
	})
}

// Client implements store.Clients.
func (s *clients) Client(ctx context.Context, id string) (store.Client, error) {
	c, _, err := s.clientAndRecord(ctx, id)
	return c, err
}

// clientAndRecord returns the record with the bytes that it was read from.
func (s *clients) clientAndRecord(ctx context.Context, id string) (c store.Client, raw []byte, err error) {
	err = s.db.View(ctx, func(tx *layout.Tx) error {
		raw = bytes.Clone(tx.Raw(layout.Clients, []byte(id)))
		if raw == nil {
			return fmt.Errorf("client %q: %w", id, store.ErrNotFound)
		}
		c, err = layout.ReadClient(tx, []byte(id), raw)
		return err
	})
	return c, raw, err
}

// UpdateClient implements store.Clients; see UpdateUser for why it works as it does.
func (s *clients) UpdateClient(ctx context.Context, id string, change func(*store.Client) error) (store.Client, error) {
	for {
		was, before, err := s.clientAndRecord(ctx, id)
		if err != nil {
			return store.Client{}, err
		}
		c, err := store.ChangedClient(was, change, s.db.Format(), s.db.Now())
		if err != nil {
			return store.Client{}, err
		}
		after, err := codec.EncodeClient(c, s.db.Format())
		if err != nil {
			return store.Client{}, err
		}
		err = s.updateClients(ctx, func(t *layout.Tx) error { return replace(t, layout.Clients, []byte(id), before, after) })
		if errors.Is(err, errRaced) {
			continue
		}
		if err != nil {
			return store.Client{}, fmt.Errorf("client %q: %w", id, err)
		}
		return codec.DecodeClient(after)
	}
}

// DeleteClient implements store.Clients.
func (s *clients) DeleteClient(ctx context.Context, id string, check func(store.Client) error) error {
	for {
		c, before, err := s.clientAndRecord(ctx, id)
		if err == nil && check != nil {
			err = check(c)
		}
		if err != nil {
			return err
		}
		err = s.updateClients(ctx, func(t *layout.Tx) error { return s.remove(t, c, before) })
		if !errors.Is(err, errRaced) {
			return err
		}
	}
}

// remove deletes the record that was read, and no other.
func (s *clients) remove(t *layout.Tx, c store.Client, before []byte) error {
	switch now := t.Raw(layout.Clients, []byte(c.ID)); {
	case now == nil:
		return fmt.Errorf("client %q: %w", c.ID, store.ErrNotFound)
	case !bytes.Equal(now, before):
		return errRaced
	}
	if s.db.Format() >= store.Format2 {
		if err := layout.RaiseClientEpoch(t, store.NextEpoch(c.Epoch)); err != nil {
			return err
		}
	}
	return t.Delete(layout.Clients, []byte(c.ID))
}

// updateClients is Update for what changes a client. The version changes after the commit, also where the caller has gone by
// then: a reader of the version and then of a client never gets a client that is older than the version.
func (s *clients) updateClients(ctx context.Context, apply func(*layout.Tx) error) error {
	changed := func() { s.changes.Add(1) }
	defer changed() // a commit that failed may have happened all the same
	return s.db.Update(ctx, func(t *layout.Tx) error {
		t.Tx.OnCommit(changed)
		return apply(t)
	})
}

// ClientsVersion implements store.Clients. There is one process, and it counts.
func (s *clients) ClientsVersion(ctx context.Context) (string, error) {
	if err := s.db.Usable(ctx); err != nil {
		return "", err
	}
	return strconv.FormatUint(s.changes.Load(), 10), nil
}

// ListClients implements store.Clients.
func (s *clients) ListClients(ctx context.Context, after string, limit int) (list []store.Client, err error) {
	err = s.db.View(ctx, func(tx *layout.Tx) error {
		_, err := tx.Span(layout.Clients, layout.After(after), limit, func(id, raw []byte) error {
			c, err := layout.ReadClient(tx, id, raw)
			list = append(list, c)
			return err
		})
		return err
	})
	return list, err
}

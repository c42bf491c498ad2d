package redis

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"signet/store"
	"signet/store/packed"
)

// All clients are one hash: there are few, replicas keep those they use, and one string beside them
// tells whether any has changed.

// CreateClient implements store.Clients.
func (s *Store) CreateClient(ctx context.Context, c store.Client) error {
	if c.ID == "" || len(c.ID) > maxName {
		return fmt.Errorf("the client id has %d bytes", len(c.ID))
	}
	raw, err := packed.EncodeClient(c)
	if err != nil {
		return err
	}
	create := createClientScript.call(s.key.clients(), c.ID, raw, rand.Text())
	if err := s.doAndTell(ctx, "creating a client", ofClient(c.ID), create); err != nil {
		return err
	}
	if create.number() == 0 {
		return fmt.Errorf("client %q: %w", c.ID, store.ErrExists)
	}
	return nil
}

// Client implements store.Clients.
func (s *Store) Client(ctx context.Context, id string) (store.Client, error) {
	raw, err := s.rawClient(ctx, id)
	if err != nil {
		return store.Client{}, err
	}
	return packed.DecodeClient([]byte(raw))
}

func (s *Store) rawClient(ctx context.Context, id string) (string, error) {
	key := s.key.clients()[0]
	get := command(key, "hget", key, id)
	if err := s.do(ctx, "reading a client", get); err != nil {
		return "", err
	}
	raw, found := get.text()
	if !found {
		return "", fmt.Errorf("client %q: %w", id, store.ErrNotFound)
	}
	return raw, nil
}

// UpdateClient implements store.Clients; see UpdateUser.
func (s *Store) UpdateClient(ctx context.Context, id string, change func(*store.Client) error) (store.Client, error) {
	for {
		before, err := s.rawClient(ctx, id)
		if err != nil {
			return store.Client{}, err
		}
		c, err := packed.DecodeClient([]byte(before))
		if err != nil {
			return store.Client{}, err
		}
		if err := change(&c); err != nil {
			return store.Client{}, err
		}
		c.ID = id
		after, err := packed.EncodeClient(c)
		if err != nil {
			return store.Client{}, err
		}
		update := updateClientScript.call(s.key.clients(), id, before, after, rand.Text())
		err = s.doAndTell(ctx, "updating a client", ofClient(id), update)
		outcome, _ := update.text()
		if outcome == "ok" {
			s.journal.clientChanged(c)
		}
		switch {
		case err != nil:
			return store.Client{}, err
		case outcome == "raced":
			continue
		case outcome == "not found":
			return store.Client{}, fmt.Errorf("client %q: %w", id, store.ErrNotFound)
		case outcome != "ok":
			return store.Client{}, s.strange("updating a client", outcome)
		}
		return packed.DecodeClient(after)
	}
}

// DeleteClient implements store.Clients.
func (s *Store) DeleteClient(ctx context.Context, id string) error {
	del := deleteClientScript.call(s.key.clients(), id, rand.Text())
	if err := s.doAndTell(ctx, "deleting a client", ofClient(id), del); err != nil {
		return err
	}
	raw, found := del.text()
	if !found {
		return fmt.Errorf("client %q: %w", id, store.ErrNotFound)
	}
	c, err := packed.DecodeClient([]byte(raw))
	if err != nil {
		return s.malformed(fmt.Sprintf("client %q", id), err)
	}
	s.journal.clientDeleted(c)
	return nil
}

// ClientsVersion implements store.Clients. A store that was wiped, or set back, has another one too.
func (s *Store) ClientsVersion(ctx context.Context) (string, error) {
	key := s.key.clients()[1]
	get := command(key, "get", key)
	err := s.do(ctx, "asking whether clients have changed", get)
	version, _ := get.text()
	return version, err
}

// ListClients implements store.Clients.
func (s *Store) ListClients(ctx context.Context, after string, limit int) ([]store.Client, error) {
	all, err := s.allClients(ctx)
	if err != nil {
		return nil, err
	}
	from, found := slices.BinarySearchFunc(all, after, func(c store.Client, id string) int { return cmp.Compare(c.ID, id) })
	if found {
		from++
	}
	if after == "" {
		from = 0
	}
	all = all[from:]
	if list := all[:min(max(limit, 0), len(all))]; len(list) > 0 {
		return list, nil
	}
	return nil, nil
}

// allClients returns every client, in order.
func (s *Store) allClients(ctx context.Context) ([]store.Client, error) {
	key := s.key.clients()[0]
	get := command(key, "hvals", key)
	if err := s.do(ctx, "listing clients", get); err != nil {
		return nil, err
	}
	var all []store.Client
	for _, raw := range get.list() {
		c, err := packed.DecodeClient([]byte(raw))
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b store.Client) int { return cmp.Compare(a.ID, b.ID) })
	return all, nil
}

// deleteClientAgain deletes a client that was deleted and that the store still has. One that was
// created since is another client with the same id.
func (s *Store) deleteClientAgain(ctx context.Context, deleted store.Client) error {
	c, err := s.Client(ctx, deleted.ID)
	if err != nil || !c.CreatedAt.Equal(deleted.CreatedAt) {
		return known(err)
	}
	return known(s.DeleteClient(ctx, deleted.ID))
}

// restoreClient puts back a change that was acknowledged and that the store has lost.
func (s *Store) restoreClient(ctx context.Context, lost store.Client) error {
	newer := errors.New("there is a newer one")
	_, err := s.UpdateClient(ctx, lost.ID, func(c *store.Client) error {
		if !c.UpdatedAt.Before(store.Millis(lost.UpdatedAt)) {
			return newer
		}
		*c = lost
		return nil
	})
	if errors.Is(err, newer) || errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

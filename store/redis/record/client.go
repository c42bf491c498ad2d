package record

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"signet/store"
	"signet/store/codec"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
	"signet/store/redis/replica"
	"signet/store/redis/script"
)

// All clients are one hash: there are few, replicas keep those they use, and one string beside them
// changes with any of them.

// Clients has the clients.
type Clients struct {
	*Deps
}

// CreateClient implements store.Clients.
func (s *Clients) CreateClient(ctx context.Context, c store.Client) error {
	if s.Codec.Format() < store.Format2 {
		c.NotBefore = store.Later(c.NotBefore, store.Millis(time.Now()))
	}
	return s.AddClient(ctx, c)
}

// AddClient keeps a client as it is, with a higher epoch where that is too low.
func (s *Clients) AddClient(ctx context.Context, c store.Client) error {
	if c.ID == "" || len(c.ID) > maxName {
		return fmt.Errorf("the client id has %d bytes", len(c.ID))
	}
	for range 3 { // each time the least epoch has risen
		raw, err := s.Codec.EncodeClient(c)
		if err != nil {
			return err
		}
		create, err := s.Trail.Call(ctx, script.CreateClient, s.Key.All(layout.Clients, layout.ClientsVersion, layout.ClientsEpoch), c.ID, rand.Text(), c.Epoch, raw)
		if err != nil {
			return err
		}
		if err := s.Channel.DoAndNotify(ctx, "creating a client", replica.ClientChanged(c.ID), create.Call); err != nil {
			return err
		}
		switch outcome, _ := create.Text(); outcome {
		case "ok":
			create.Kept(true)
			return nil
		case "exists":
			return fmt.Errorf("client %q: %w", c.ID, store.ErrExists)
		default:
			least, err := strconv.ParseUint(outcome, 10, 24)
			if err != nil {
				return conn.UnexpectedReply("creating a client", outcome)
			}
			c.Epoch = uint32(least)
		}
	}
	return conn.Unavailable("creating a client", errors.New("clients are deleted faster than one can be created"))
}

// Client implements store.Clients.
func (s *Clients) Client(ctx context.Context, id string) (store.Client, error) {
	_, c, err := s.clientAndRecord(ctx, id)
	return c, err
}

// clientAndRecord returns the record with the bytes that it was read from.
func (s *Clients) clientAndRecord(ctx context.Context, id string) (raw string, c store.Client, err error) {
	key := s.Key.Of(layout.Clients)
	get := conn.Command(key, "hget", key, id)
	if err := s.Conn.Do(ctx, "reading a client", get); err != nil {
		return "", c, err
	}
	raw, found := get.Text()
	if !found {
		return "", c, fmt.Errorf("client %q: %w", id, store.ErrNotFound)
	}
	c, err = s.decodeClient(id, raw)
	return raw, c, err
}

func (s *Clients) decodeClient(id, raw string) (store.Client, error) {
	c, err := s.Codec.DecodeClient(id, raw)
	if err != nil {
		err = conn.Malformed(fmt.Sprintf("client %q", id), err)
	}
	return c, err
}

// UpdateClient implements store.Clients; see UpdateUser.
func (s *Clients) UpdateClient(ctx context.Context, id string, change func(*store.Client) error) (store.Client, error) {
	for {
		before, c, err := s.clientAndRecord(ctx, id)
		if err != nil {
			return store.Client{}, err
		}
		epoch, revision := c.Epoch, c.Revision
		if err := change(&c); err != nil {
			return store.Client{}, err
		}
		c.ID, c.Revision = id, revision+1
		if c.Epoch != epoch && s.Codec.Format() < store.Format2 {
			c.Epoch, c.NotBefore = epoch, store.ClientNotBefore(c, time.Now())
		}
		outcome, err := s.replaceClient(ctx, before, c)
		switch {
		case err != nil:
			return store.Client{}, err
		case outcome == "raced":
			continue
		case outcome == "not found":
			return store.Client{}, fmt.Errorf("client %q: %w", id, store.ErrNotFound)
		case outcome != "ok":
			return store.Client{}, conn.UnexpectedReply("updating a client", outcome)
		}
		after, err := codec.EncodeClient(c, s.Codec.Format())
		if err != nil {
			return store.Client{}, err
		}
		return codec.DecodeClient(after)
	}
}

// replaceClient writes c in the place of what was read.
func (s *Clients) replaceClient(ctx context.Context, before string, c store.Client) (outcome string, err error) {
	after, err := s.Codec.EncodeClient(c)
	if err != nil {
		return "", err
	}
	update, err := s.Trail.Call(ctx, script.UpdateClient, s.Key.All(layout.Clients, layout.ClientsVersion), c.ID, before, after, rand.Text())
	if err != nil {
		return "", err
	}
	err = s.Channel.DoAndNotify(ctx, "updating a client", replica.ClientChanged(c.ID), update.Call)
	outcome, _ = update.Text()
	if outcome == "ok" {
		s.Revocations.ClientChanged(c, before)
	}
	update.Kept(outcome == "ok" && err == nil)
	return outcome, err
}

// DeleteClient implements store.Clients. It deletes the record that it has read and no other, so that a
// command that comes late finds nothing to delete.
func (s *Clients) DeleteClient(ctx context.Context, id string) error {
	for {
		before, c, err := s.clientAndRecord(ctx, id)
		if err != nil {
			return err
		}
		outcome, err := s.removeClient(ctx, c, before)
		if outcome == "ok" {
			s.Revocations.ClientDeleted(c)
		}
		switch {
		case err != nil:
			return err
		case outcome == "raced":
			continue
		case outcome == "not found":
			return fmt.Errorf("client %q: %w", id, store.ErrNotFound)
		case outcome != "ok":
			return conn.UnexpectedReply("deleting a client", outcome)
		}
		return nil
	}
}

// removeClient deletes the record that was read.
func (s *Clients) removeClient(ctx context.Context, c store.Client, before string) (outcome string, err error) {
	least := c.Epoch
	if s.Codec.Format() >= store.Format2 {
		least = store.NextEpoch(c.Epoch)
	}
	del, err := s.Trail.Call(ctx, script.DeleteClient, s.Key.All(layout.Clients, layout.ClientsVersion, layout.ClientsEpoch), c.ID, before, rand.Text(), least)
	if err != nil {
		return "", err
	}
	err = s.Channel.DoAndNotify(ctx, "deleting a client", replica.ClientChanged(c.ID), del.Call)
	outcome, _ = del.Text()
	del.Kept(outcome == "ok" && err == nil)
	return outcome, err
}

// ClientsVersion implements store.Clients. A store that was wiped, or set back, has another one too.
func (s *Clients) ClientsVersion(ctx context.Context) (string, error) {
	key := s.Key.Of(layout.ClientsVersion)
	get := conn.Command(key, "get", key)
	err := s.Conn.Do(ctx, "asking whether clients have changed", get)
	version, _ := get.Text()
	return version, err
}

// ListClients implements store.Clients.
func (s *Clients) ListClients(ctx context.Context, after string, limit int) ([]store.Client, error) {
	key := s.Key.Of(layout.Clients)
	get := conn.Command(key, "hgetall", key)
	if err := s.Conn.Do(ctx, "listing clients", get); err != nil {
		return nil, err
	}
	var list []store.Client
	for pair := range slices.Chunk(get.List(), 2) {
		if len(pair) != 2 {
			return nil, conn.Malformed("the clients", conn.ErrReply)
		}
		c, err := s.decodeClient(pair[0], pair[1])
		if err != nil {
			return nil, err
		}
		if c.ID > after {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b store.Client) int { return cmp.Compare(a.ID, b.ID) })
	return list[:min(max(limit, 0), len(list))], nil
}

package record

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"signet/store"
	"signet/store/codec"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
	"signet/store/redis/replica"
	"signet/store/redis/revocation"
	"signet/store/redis/script"
	"signet/store/redis/trail"
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
		create := s.Trail.Call(ctx, script.CreateClient, s.Key.All(layout.Clients, layout.ClientsVersion, layout.ClientsEpoch), c.ID, rand.Text(), c.Epoch, raw)
		if err := s.Channel.DoAndNotify(ctx, "creating a client", replica.ClientChanged(c.ID), create.Call); err != nil {
			return err
		}
		switch outcome, _ := create.Text(); outcome {
		case "ok":
			s.Logouts.NoteClient(c.ID, c.BackchannelLogoutURI != "")
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
		before, was, err := s.clientAndRecord(ctx, id)
		if err != nil {
			return store.Client{}, err
		}
		c, err := store.ChangedClient(was, change, s.Codec.Format(), time.Now())
		if err != nil {
			return store.Client{}, err
		}
		if err := s.replaceClient(ctx, before, c); errors.Is(err, errRaced) {
			continue
		} else if err != nil {
			return store.Client{}, err
		}
		after, err := codec.EncodeClient(c, s.Codec.Format())
		if err != nil {
			return store.Client{}, err
		}
		return codec.DecodeClient(after)
	}
}

// replaceClient writes c in the place of what was read.
func (s *Clients) replaceClient(ctx context.Context, before string, c store.Client) error {
	after, err := s.Codec.EncodeClient(c)
	if err != nil {
		return err
	}
	update := s.Trail.Call(ctx, script.UpdateClient, s.Key.All(layout.Clients, layout.ClientsVersion), c.ID, before, after, rand.Text())
	return s.change(ctx, "updating a client", c.ID, update, func() {
		s.Logouts.NoteClient(c.ID, c.BackchannelLogoutURI != "")
		s.Revocations.ClientChanged(c, before)
	})
}

// DeleteClient implements store.Clients. It deletes the record that it has read and no other, so that a
// command that comes late finds nothing to delete.
func (s *Clients) DeleteClient(ctx context.Context, id string, check func(store.Client) error) error {
	for {
		before, c, err := s.clientAndRecord(ctx, id)
		if err == nil && check != nil {
			err = check(c)
		}
		if err != nil {
			return err
		}
		err = s.removeClient(ctx, c, before, func() { s.Revocations.ClientDeleted(c) })
		if !errors.Is(err, errRaced) {
			return err
		}
	}
}

// removeClient deletes the record that was read.
func (s *Clients) removeClient(ctx context.Context, c store.Client, before string, done func()) error {
	least := c.Epoch
	if s.Codec.Format() >= store.Format2 {
		least = store.NextEpoch(c.Epoch)
	}
	del := s.Trail.Call(ctx, script.DeleteClient, s.Key.All(layout.Clients, layout.ClientsVersion, layout.ClientsEpoch), c.ID, before, rand.Text(), least)
	return s.change(ctx, "deleting a client", c.ID, del, func() {
		s.Logouts.NoteClient(c.ID, false)
		done()
	})
}

// change makes the call and notifies the other replicas. done is called when the change is made, also where replicas of the
// server have not confirmed it.
func (s *Clients) change(ctx context.Context, doing, id string, call trail.Call, done func()) error {
	err := s.Channel.DoAndNotify(ctx, doing, replica.ClientChanged(id), call.Call)
	outcome, _ := call.Text()
	if outcome == "ok" {
		done()
	}
	if err == nil {
		err = outcomeError(doing, fmt.Sprintf("client %q", id), outcome)
	}
	call.Kept(err == nil)
	return err
}

// ClientsVersion implements store.Clients. A store that was wiped, or set back, has another one too.
func (s *Clients) ClientsVersion(ctx context.Context) (string, error) {
	key := s.Key.Of(layout.ClientsVersion)
	get := conn.Command(key, "get", key)
	err := s.Conn.Do(ctx, "asking whether clients have changed", get)
	version, _ := get.Text()
	return version, err
}

// LoadInformed has the queue of logouts read the clients again where one has changed.
func (s *Clients) LoadInformed(ctx context.Context) error {
	version, err := s.ClientsVersion(ctx)
	if err != nil {
		return err
	}
	return s.Logouts.LoadClients(version, func() ([]store.Client, error) { return s.ListClients(ctx, "", math.MaxInt) })
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

// ReapplyClient takes from the client what the lost record has taken.
func (s *Clients) ReapplyClient(ctx context.Context, lost store.Client, replaced revocation.Replaced) error {
	for {
		before, now, err := s.clientAndRecord(ctx, lost.ID)
		if err != nil {
			return absentIsDone(err)
		}
		next := revocation.MergeClient(now, lost, replaced.Has(before))
		if revocation.SameClient(next, now) {
			return nil
		}
		if err := s.replaceClient(ctx, before, next); !errors.Is(err, errRaced) {
			return absentIsDone(err)
		}
	}
}

// ReapplyClientDeletion deletes a client that was deleted and that the store still has. One that was
// created since is another client with the same id.
func (s *Clients) ReapplyClientDeletion(ctx context.Context, deleted store.Client) error {
	before, c, err := s.clientAndRecord(ctx, deleted.ID)
	if err != nil || !c.CreatedAt.Equal(deleted.CreatedAt) || c.Epoch > deleted.Epoch {
		return absentIsDone(err)
	}
	return absentIsDone(s.removeClient(ctx, c, before, func() {}))
}

package redis

import (
	"bytes"
	"context"
	"crypto/sha256"
	"slices"

	"signet/store"
	"signet/store/codec"
)

// How a change of a user or client is done again on a server that may have lost it. It may also have
// lost nothing, or other changes may have come in between, of which this replica does not know. So
// what is done again only takes away: it disables, ends sessions, removes secrets, and never the reverse.
//
// A record that is, byte for byte, one that our change has replaced is the state from before it, and
// gets the acknowledged record whole, except that a disabled one stays disabled. From any other record
// only an order of revisions and epochs says whether it has seen our change; on a tie the more
// restrictive of both counts. Wall clocks are not asked.

// digest names a record.
type digest [sha256.Size]byte

// mostReplaced bounds the records that are known to be older than a change.
const mostReplaced = 16

// replaced returns what an entry knows as replaced when its next change replaces before.
func (j *revocationLog) replaced(key, before string) []digest {
	all := append(slices.Clone(j.entries[key].replaced), sha256.Sum256([]byte(before)))
	return all[max(0, len(all)-mostReplaced):]
}

// remember keeps it with the entry.
func (j *revocationLog) remember(key string, replaced []digest) {
	e := j.entries[key]
	e.replaced = replaced
	j.entries[key] = e
}

// reapplyUser takes from the user what the lost record has taken.
func (s *users) reapplyUser(ctx context.Context, lost store.User, replaced []digest) error {
	return s.reapplyUserChange(ctx, lost.ID, func(before string, now store.User) store.User {
		return mergeUser(now, lost, slices.Contains(replaced, sha256.Sum256([]byte(before))))
	})
}

// reapplyEnd ends the sessions that another replica has ended. The revision stays: the other replica has the
// whole change, and must find the record older than that.
func (s *users) reapplyEnd(ctx context.Context, e ended) error {
	return s.reapplyUserChange(ctx, e.User, func(_ string, now store.User) store.User {
		next := now
		next.Epoch, next.NotBefore = max(now.Epoch, e.Epoch), later(now.NotBefore, store.Millis(e.NotBefore))
		return next
	})
}

// mergeUser is the record that takes the place of now; before says that now is from before lost.
func mergeUser(now, lost store.User, before bool) store.User {
	next := now
	switch {
	case before:
		next = lost
	case lost.Epoch > now.Epoch || lost.NotBefore.After(now.NotBefore): // the lost change has ended sessions
		next.Epoch, next.NotBefore = max(now.Epoch, lost.Epoch), later(now.NotBefore, store.Millis(lost.NotBefore))
		next.Disabled = now.Disabled || lost.Disabled
		if lost.Revision >= now.Revision {
			next.PasswordHash, next.Imported, next.Move, next.MovedAt = lost.PasswordHash, lost.Imported, lost.Move, lost.MovedAt
		}
		next.Revision = max(now.Revision, lost.Revision) + 1
	case lost.Revision > now.Revision:
		next.PasswordHash, next.Imported, next.Claims, next.Revision = lost.PasswordHash, lost.Imported, lost.Claims, lost.Revision
		next.Move, next.MovedAt = lost.Move, lost.MovedAt
		next.Disabled = now.Disabled || lost.Disabled
	case lost.Revision == now.Revision && lost.Disabled && !now.Disabled:
		next.Disabled = true
		next.Revision++
	}
	if before && now.Disabled && !lost.Disabled {
		next.Disabled = true
		next.Revision++
	}
	return next
}

func (s *users) reapplyUserChange(ctx context.Context, id store.UserID, merge func(before string, now store.User) store.User) error {
	for {
		before, now, err := s.readUser(ctx, id)
		if err != nil {
			return known(err)
		}
		next := merge(before, now)
		if !s.records.SameUser(next, now) {
			outcome, _, err := s.replaceUser(ctx, before, now, next, next.Epoch != now.Epoch)
			switch {
			case err != nil:
				return err
			case outcome == "raced":
				continue
			}
		}
		// The name lies in another slot, and may have lost its part alone.
		if err := s.announceCredential(ctx, next); err != nil {
			return err
		}
		return s.copyCredential(ctx, next)
	}
}

// reapplyClient takes from the client what the lost record has taken.
func (s *clients) reapplyClient(ctx context.Context, lost store.Client, replaced []digest) error {
	for {
		before, now, err := s.clientAndRecord(ctx, lost.ID)
		if err != nil {
			return known(err)
		}
		next := mergeClient(now, lost, slices.Contains(replaced, sha256.Sum256([]byte(before))))
		if sameClient(next, now) {
			return nil
		}
		outcome, err := s.replaceClient(ctx, before, next)
		if err != nil || outcome != "raced" {
			return err
		}
	}
}

// mergeClient is mergeUser for clients. Of secrets only those that both records have stay.
func mergeClient(now, lost store.Client, before bool) store.Client {
	next := now
	switch {
	case !now.CreatedAt.Equal(lost.CreatedAt): // made anew since
		return now
	case before:
		next = lost
	case lost.Epoch > now.Epoch || lost.NotBefore.After(now.NotBefore):
		next.Epoch, next.NotBefore = max(now.Epoch, lost.Epoch), later(now.NotBefore, store.Millis(lost.NotBefore))
		next.Disabled = now.Disabled || lost.Disabled
		next.Revision = max(now.Revision, lost.Revision) + 1
	}
	if !before && lost.Revision > 0 && lost.Revision >= now.Revision && !sameClient(now, lost) {
		next.Secrets = inBoth(now.Secrets, lost.Secrets)
		next.Disabled = next.Disabled || lost.Disabled
		next.Revision = lost.Revision + 1
	}
	if before && now.Disabled && !lost.Disabled {
		next.Disabled = true
		next.Revision++
	}
	return next
}

func inBoth(a, b []store.Secret) []store.Secret {
	return slices.DeleteFunc(slices.Clone(a), func(one store.Secret) bool {
		return !slices.ContainsFunc(b, func(other store.Secret) bool { return bytes.Equal(one.Hash, other.Hash) })
	})
}

func sameClient(a, b store.Client) bool {
	x, errX := codec.EncodeClient(a, store.Format2)
	y, errY := codec.EncodeClient(b, store.Format2)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// reapplyDeletion deletes a client that was deleted and that the store still has. One that was
// created since is another client with the same id.
func (s *clients) reapplyDeletion(ctx context.Context, deleted store.Client) error {
	before, c, err := s.clientAndRecord(ctx, deleted.ID)
	if err != nil || !c.CreatedAt.Equal(deleted.CreatedAt) || c.Epoch > deleted.Epoch {
		return known(err)
	}
	_, err = s.removeClient(ctx, c, before)
	return err
}

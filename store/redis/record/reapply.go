package record

import (
	"context"
	"errors"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/revocation"
)

// absentIsDone is nil where there is nothing left to take away.
func absentIsDone(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// ReapplySession ends a session.
func (s *Sessions) ReapplySession(ctx context.Context, user store.UserID, id store.SessionID) error {
	return s.Conn.DoDurably(ctx, "revoking a session again", conn.Write("hdel", s.Key.Sessions(user), id[:]))
}

// ReapplyUserDeletion deletes a user.
func (s *Users) ReapplyUserDeletion(ctx context.Context, id store.UserID) error {
	return absentIsDone(s.DeleteUser(ctx, id))
}

// ReapplyUser takes from the user what the lost record has taken.
func (s *Users) ReapplyUser(ctx context.Context, lost store.User, replaced revocation.Replaced) error {
	return s.reapplyUserChange(ctx, lost.ID, func(before string, now store.User) store.User {
		return revocation.MergeUser(now, lost, replaced.Has(before))
	})
}

// ReapplyEnd ends the sessions that another replica has ended. The revision stays: the other replica has the
// whole change, and must find the record older than that.
func (s *Users) ReapplyEnd(ctx context.Context, e revocation.Ended) error {
	return s.reapplyUserChange(ctx, e.User, func(_ string, now store.User) store.User {
		next := now
		next.Epoch, next.NotBefore = max(now.Epoch, e.Epoch), store.Later(now.NotBefore, store.Millis(e.NotBefore))
		return next
	})
}

func (s *Users) reapplyUserChange(ctx context.Context, id store.UserID, merge func(before string, now store.User) store.User) error {
	for {
		before, now, err := s.readUser(ctx, id)
		if err != nil {
			return absentIsDone(err)
		}
		next := merge(before, now)
		if !s.Codec.SameUser(next, now) {
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
		outcome, err := s.replaceClient(ctx, before, next)
		if err != nil || outcome != "raced" {
			return err
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
	_, err = s.removeClient(ctx, c, before)
	return err
}

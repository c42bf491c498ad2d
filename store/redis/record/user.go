package record

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/replica"
	"signet/store/redis/revocation"
	"signet/store/redis/script"
)

// Users has the users, and the names that lead to them.
type Users struct{ *names }

// CreateUser implements store.Users. The record is there before the name leads to it: a creation
// that breaks off between the two leaves a record that cannot be found, and the name free.
func (s *Users) CreateUser(ctx context.Context, u store.User) error {
	switch {
	case u.ID.IsZero():
		return errors.New("the user has no id")
	}
	if err := validNames(u); err != nil {
		return err
	}
	key := s.Key.User(u.ID)
	set := conn.Write("set", key, s.Codec.EncodeUser(u), "nx")
	if err := s.Conn.DoDurably(ctx, "creating a user", set); err != nil {
		return err
	}
	if _, ok := set.Text(); !ok {
		return fmt.Errorf("user %s: %w", u.ID, store.ErrExists)
	}
	err := s.takeNames(ctx, u)
	if errors.Is(err, store.ErrExists) {
		if undo := s.Conn.DoDurably(ctx, "undoing the creation of a user", conn.Write("del", key)); undo != nil {
			return undo
		}
		if undo := s.freeNames(ctx, u, 0, u.Names()); undo != nil {
			return undo
		}
	}
	return err
}

func validNames(u store.User) error {
	for _, name := range u.Names() {
		if name == "" || len(name) > maxName {
			return fmt.Errorf("user %s: a name has %d bytes", u.ID, len(name))
		}
	}
	return nil
}

// takeNames makes the names of a new user lead there, the username after the aliases: it completes the user. Until then
// another creation takes an alias for one that was left behind. So the aliases are looked at before, and confirmed after: what
// was read of an incomplete user cannot be replaced any more then. Of two who want one alias the one who loses it ends.
func (s *Users) takeNames(ctx context.Context, u store.User) error {
	quiet := store.WithoutEvents(ctx)
	for _, alias := range u.Aliases {
		if err := s.takeAlias(quiet, u, alias, false); err != nil {
			return err
		}
	}
	for _, alias := range u.Aliases { // an event of a creation that is undone would be wrong
		if n, err := s.readName(ctx, alias); errors.Is(err, store.ErrNotFound) || err == nil && n.UserID != u.ID {
			return fmt.Errorf("user %s: the name %q: %w", u.ID, alias, store.ErrExists)
		} else if err != nil {
			return err
		}
	}
	if err := s.takeName(ctx, u); err != nil {
		return err
	}
	for _, alias := range u.Aliases {
		if err := s.confirmAlias(quiet, u, alias); err != nil {
			return err
		}
	}
	return nil
}

// User implements store.Users.
func (s *Users) User(ctx context.Context, id store.UserID) (store.User, error) {
	_, u, err := s.readUser(ctx, id)
	return u, err
}

func (s *Users) readUser(ctx context.Context, id store.UserID) (raw string, u store.User, err error) {
	get := conn.Command(s.Key.User(id), "get", s.Key.User(id))
	if err := s.Conn.Do(ctx, "reading a user", get); err != nil {
		return "", u, err
	}
	raw, found := get.Text()
	if !found {
		return "", u, fmt.Errorf("user %s: %w", id, store.ErrNotFound)
	}
	if u, err = s.Codec.DecodeUser(id, raw); err != nil {
		return "", u, conn.Malformed("user "+id.String(), err)
	}
	return raw, u, nil
}

// UserByName implements store.Users.
func (s *Users) UserByName(ctx context.Context, username string) (store.User, error) {
	n, err := s.readName(ctx, username)
	if err != nil {
		return store.User{}, err
	}
	u, err := s.User(ctx, n.UserID)
	if err == nil && !u.HasName(username) {
		err = fmt.Errorf("user by name: %w", store.ErrNotFound)
	}
	return u, err
}

// UpdateUser implements store.Users.
func (s *Users) UpdateUser(ctx context.Context, id store.UserID, change func(*store.User) error) (store.User, error) {
	u, _, err := s.changeUser(ctx, id, change)
	return u, err
}

// RenameUser implements store.Users. Names and user are in different slots, so it takes steps: the record gets the new names beside
// the old ones, they are taken, the record loses what the user does not have any more, and that is freed. The
// third step is the change. Whatever leads to the user without being in the record leads nowhere. So the user can log in by a name
// that counts at any moment, and the same call again completes one that broke off.
func (s *Users) RenameUser(ctx context.Context, id store.UserID, change func(*store.User) error) (store.User, error) {
	was, err := s.User(ctx, id)
	if err != nil {
		return store.User{}, err
	}
	next, err := store.RenamedUser(was, change)
	if err == nil {
		err = validNames(next)
	}
	if err != nil {
		return store.User{}, err
	}
	if err := s.addNames(ctx, was, next); err != nil {
		return store.User{}, err
	}
	u, before, err := s.rename(ctx, id, change)
	if err != nil {
		return store.User{}, err
	}
	for _, name := range u.Names() {
		// It was the username, or another change has removed it meanwhile.
		if name == u.Username && before.HasName(name) || name != before.Username && before.HasName(name) {
			continue
		}
		if err := s.takeAlias(store.WithoutEvents(ctx), u, name, name == u.Username); err != nil {
			return store.User{}, err
		}
	}
	if u.Username != before.Username {
		if err := s.copyCredential(ctx, u); err != nil {
			return store.User{}, err
		}
	}
	freed := slices.DeleteFunc(before.Names(), u.HasName)
	return u, s.freeNames(ctx, u, u.Revision, freed)
}

// addNames is the first half of RenameUser. The names that are in the record already are taken again: they may not have been.
func (s *Users) addNames(ctx context.Context, was, next store.User) error {
	ctx = store.WithoutEvents(ctx)
	added := slices.DeleteFunc(next.Names(), was.HasName)
	both := was
	if len(added) > 0 {
		var err error
		if both, _, err = s.rename(ctx, was.ID, func(u *store.User) error {
			u.Aliases = append(u.Aliases, added...)
			return nil
		}); err != nil {
			return err
		}
	}
	for _, name := range next.Names() {
		if name == was.Username {
			continue
		}
		err := s.takeAlias(ctx, both, name, name == next.Username)
		if !errors.Is(err, store.ErrExists) {
			if err != nil {
				return err
			}
			continue
		}
		without := func(u *store.User) error {
			u.Aliases = slices.DeleteFunc(u.Aliases, func(a string) bool { return a == name || slices.Contains(added, a) })
			return nil
		}
		undone, _, undo := s.rename(ctx, was.ID, without)
		if undo == nil {
			undo = s.freeNames(ctx, was, undone.Revision, append(added, name))
		}
		return cmp.Or(undo, err)
	}
	return nil
}

// rename changes the names in the record, and also returns the record from before.
func (s *Users) rename(ctx context.Context, id store.UserID, change func(*store.User) error) (u, was store.User, err error) {
	for {
		raw, was, err := s.readUser(ctx, id)
		if err != nil {
			return store.User{}, was, err
		}
		u, err := store.RenamedUser(was, change)
		if err != nil {
			return store.User{}, was, err
		}
		if u.Username != was.Username {
			// From here on the copy beside the old name does not count: who logs in by it is looked for in the record.
			raised := was
			raised.Revision = u.Revision
			if err := s.announceCredential(ctx, raised); err != nil {
				return store.User{}, was, err
			}
		}
		_, err = s.replaceUser(ctx, raw, was, u, false)
		if errors.Is(err, errRaced) {
			continue
		}
		if err != nil {
			return store.User{}, was, err
		}
		u, err = s.Codec.UserAsStored(u)
		return u, was, err
	}
}

// changeUser also returns how many sessions the change has ended. The function runs here, and the
// write goes through only if the record is still the one it saw.
func (s *Users) changeUser(ctx context.Context, id store.UserID, change func(*store.User) error) (u store.User, ended int, err error) {
	for {
		before, was, err := s.readUser(ctx, id)
		if err != nil {
			return store.User{}, 0, err
		}
		u, endAll, err := store.ChangedUser(was, change, s.Codec.Format(), time.Now())
		if err != nil {
			return store.User{}, 0, err
		}
		ended, err := s.replaceUser(ctx, before, was, u, endAll)
		if errors.Is(err, errRaced) {
			continue
		}
		if err != nil {
			return store.User{}, 0, err
		}
		u, err = s.Codec.UserAsStored(u)
		return u, ended, err
	}
}

// replaceUser writes u in the place of what was read, with the steps around it that layout.Name describes.
func (s *Users) replaceUser(ctx context.Context, before string, was, u store.User, endAll bool) (ended int, err error) {
	if u.PasswordHash != was.PasswordHash || u.Disabled != was.Disabled || u.Move != was.Move {
		if err := s.announceCredential(ctx, u); err != nil {
			return 0, err
		}
	}
	update := s.Trail.CallEnding(ctx, script.UpdateUser, s.Key.UserAndSessions(u.ID), before, s.Codec.EncodeUser(u), script.OneIf(endAll))
	err = s.Conn.DoDurably(ctx, "updating a user", update.Call)
	outcome, about := update.Outcome()
	if outcome == "ok" {
		var malformed error
		if ended, malformed = endedOf(about); malformed != nil {
			return 0, malformed
		}
		s.Channel.Notify(ctx, update.Call, replica.Ended(revocation.EndedBy(u)))
		if malformed = s.Trail.Queue(ctx, u.ID, about[1:]); malformed != nil {
			return 0, malformed
		}
		s.Revocations.UserChanged(u, before)
		if u.Credential() != was.Credential() {
			// It is done. Without the copy a login asks once more, or checks its password twice.
			_ = s.copyCredential(context.WithoutCancel(ctx), u)
		}
	}
	if err == nil {
		err = outcomeError("updating a user", "user "+u.ID.String(), outcome)
	}
	update.Kept(err == nil)
	return ended, err
}

// DeleteUser implements store.Users. Without its record the user is gone, whatever still has the name.
func (s *Users) DeleteUser(ctx context.Context, id store.UserID) error {
	del := s.Trail.CallEnding(ctx, script.DeleteUser, s.Key.UserAndSessions(id))
	err := s.Channel.DoAndNotify(ctx, "deleting a user", replica.Ended(revocation.Ended{User: id, NotBefore: revocation.ForEver}), del.Call)
	if del.Done() {
		s.Revocations.UserDeleted(id)
	}
	outcome, about := del.Outcome()
	if outcome == "ok" && len(about) > 0 {
		err = cmp.Or(err, s.Trail.Queue(ctx, id, about[1:]))
	}
	if err == nil {
		err = outcomeError("deleting a user", "user "+id.String(), outcome)
	}
	if err == nil && len(about) == 0 {
		err = conn.Malformed("the answer to a deletion", conn.ErrReply)
	}
	if err != nil {
		return err
	}
	del.Kept(true)
	u, err := s.Codec.DecodeUser(id, about[0])
	if err != nil {
		return conn.Malformed("user "+id.String(), err)
	}
	return s.freeNames(ctx, u, 0, u.Names())
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
			if _, err := s.replaceUser(ctx, before, now, next, next.Epoch != now.Epoch); errors.Is(err, errRaced) {
				continue
			} else if err != nil {
				return absentIsDone(err)
			}
		}
		// The names are in other slots, and may have lost their part alone.
		if err := s.restoreNames(ctx, next); err != nil {
			return err
		}
		if err := s.announceCredential(ctx, next); err != nil {
			return err
		}
		return s.copyCredential(ctx, next)
	}
}

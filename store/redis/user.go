package redis

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"signet/store"
	"signet/store/packed"
)

// maxName is the longest username kept; longer ones are a mistake.
const maxName = 4096

// userRecord is a user as it lies in Redis: a revision, which rises with each UpdateUser, in front of
// the packed record.
type userRecord struct {
	revision uint32
	store.User
}

func (u userRecord) pack() string {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 68+len(u.Username)+len(u.PasswordHash)), u.revision)
	return string(packed.AppendUser(b, u.User))
}

func unpackUser(raw string) (u userRecord, err error) {
	if len(raw) < 4 {
		return u, packed.ErrMalformed
	}
	u.revision = binary.BigEndian.Uint32([]byte(raw[:4]))
	u.User, err = packed.DecodeUser([]byte(raw[4:]))
	return u, err
}

// CreateUser implements store.Users. The record is there before the name leads to it: a creation
// that breaks off between the two leaves a record that nobody can find, and the name free.
func (s *Store) CreateUser(ctx context.Context, u store.User) error {
	switch {
	case u.ID.IsZero():
		return errors.New("the user has no id")
	case u.Username == "" || len(u.Username) > maxName:
		return fmt.Errorf("user %s: the username has %d bytes", u.ID, len(u.Username))
	}
	record := userRecord{1, u}
	key := s.key.user(u.ID)
	set := command(key, "set", key, record.pack(), "nx")
	if err := s.doDurably(ctx, "creating a user", set); err != nil {
		return err
	}
	if _, ok := set.text(); !ok {
		return fmt.Errorf("user %s: %w", u.ID, store.ErrExists)
	}
	err := s.takeName(ctx, record)
	if errors.Is(err, store.ErrExists) {
		if undo := s.doDurably(ctx, "undoing the creation of a user", command(key, "del", key)); undo != nil {
			return undo
		}
	}
	return err
}

// User implements store.Users.
func (s *Store) User(ctx context.Context, id store.UserID) (store.User, error) {
	_, u, err := s.readUser(ctx, id)
	return u.User, err
}

func (s *Store) readUser(ctx context.Context, id store.UserID) (raw string, u userRecord, err error) {
	get := command(s.key.user(id), "get", s.key.user(id))
	if err := s.do(ctx, "reading a user", get); err != nil {
		return "", u, err
	}
	raw, found := get.text()
	if !found {
		return "", u, fmt.Errorf("user %s: %w", id, store.ErrNotFound)
	}
	if u, err = unpackUser(raw); err != nil {
		return "", u, s.malformed("user "+id.String(), err)
	}
	return raw, u, nil
}

// UserByName implements store.Users.
func (s *Store) UserByName(ctx context.Context, username string) (store.User, error) {
	n, err := s.readName(ctx, username)
	if err != nil {
		return store.User{}, err
	}
	return s.User(ctx, n.UserID)
}

// UpdateUser implements store.Users. The function runs here, and the write goes through only if the
// record is still the one it saw.
func (s *Store) UpdateUser(ctx context.Context, id store.UserID, change func(*store.User) error) (store.User, error) {
	for {
		before, u, err := s.readUser(ctx, id)
		if err != nil {
			return store.User{}, err
		}
		old, username := u.Credential(), u.Username
		if err := change(&u.User); err != nil {
			return store.User{}, err
		}
		u.ID, u.Username = id, username
		u.revision++
		moved := u.Credential() != old
		if moved {
			if err := s.announceCredential(ctx, u); err != nil {
				return store.User{}, err
			}
		}
		outcome, err := s.replaceUser(ctx, before, u)
		switch {
		case err != nil:
			return store.User{}, err
		case outcome == "raced":
			continue
		case outcome == "not found":
			return store.User{}, fmt.Errorf("user %s: %w", id, store.ErrNotFound)
		case outcome != "ok":
			return store.User{}, s.strange("updating a user", outcome)
		}
		if moved {
			// It is done. Without the copy a login asks once more.
			_ = s.copyCredential(context.WithoutCancel(ctx), u)
		}
		again, err := unpackUser(u.pack())
		return again.User, err
	}
}

func (s *Store) replaceUser(ctx context.Context, before string, u userRecord) (string, error) {
	keys := s.key.userAndSessions(u.ID)
	update := updateUserScript.call(keys, before, u.pack())
	err := s.doAndTell(ctx, "updating a user", ended{User: u.ID, NotBefore: u.NotBefore}.message(), update)
	outcome, _ := update.text()
	if outcome == "ok" {
		s.journal.userChanged(u)
	}
	return outcome, err
}

// DeleteUser implements store.Users. Without its record the user is gone, whatever still has the name.
func (s *Store) DeleteUser(ctx context.Context, id store.UserID) error {
	del := deleteUserScript.call(s.key.userAndSessions(id))
	err := s.doAndTell(ctx, "deleting a user", ended{User: id, NotBefore: forEver}.message(), del)
	if del.done() {
		s.journal.userDeleted(id)
	}
	if err != nil {
		return err
	}
	raw, found := del.text()
	if !found {
		return fmt.Errorf("user %s: %w", id, store.ErrNotFound)
	}
	u, err := unpackUser(raw)
	if err != nil {
		return s.malformed("user "+id.String(), err)
	}
	return s.freeName(ctx, u.User)
}

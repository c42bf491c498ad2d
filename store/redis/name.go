package redis

import (
	"context"
	"encoding/binary"
	"fmt"

	"signet/store"
	"signet/store/codec"
	"signet/store/redis/conn"
	"signet/store/redis/script"
)

// A name leads to its user and has a copy of the user's credential, so that a login need not ask
// twice before it hashes. The user's record, in another slot, is what counts; the copy counts while
// its revision is not below the least that was announced. Whoever changes the credential announces
// the new revision first, changes the record then, and copies last. So a change that breaks off
// anywhere leaves a copy that does not count, and the login reads the record.

// names has the usernames.
type names struct {
	*common
	*trail
}

// nameRecord is a name as it lies in Redis:
//
//	revision of the copy 4 ‖ least revision that counts 4 ‖ flags 1 ‖ user id 16 ‖ epoch 4 ‖ password hash
//
// The epoch is there where a flag says so: not in a store of format 1.
type nameRecord struct {
	revision, least uint32
	store.Credential
}

const (
	nameDisabled = 1 << 0
	nameEpoch    = 1 << 1 // it has the epoch
	nameMove     = 2      // store.Move is in the two bits from this one on
)

func nameOf(u store.User) nameRecord { return nameRecord{u.Revision, u.Revision, u.Credential()} }

func (n nameRecord) encode(format int) string {
	b := make([]byte, 0, 29+len(n.PasswordHash))
	b = binary.BigEndian.AppendUint32(b, n.revision)
	b = binary.BigEndian.AppendUint32(b, n.least)
	flags := byte(n.Move&3) << nameMove
	if n.Disabled {
		flags |= nameDisabled
	}
	if format >= store.Format2 {
		flags |= nameEpoch
	}
	b = append(b, flags)
	b = append(b, n.UserID[:]...)
	if format >= store.Format2 {
		b = binary.BigEndian.AppendUint32(b, n.Epoch)
	}
	return string(append(b, n.PasswordHash...))
}

func decodeName(raw string) (nameRecord, error) {
	r := codec.NewReader([]byte(raw))
	n := nameRecord{revision: r.Uint32(), least: r.Uint32()}
	flags := r.Byte()
	n.Disabled, n.Move = flags&nameDisabled != 0, store.Move(flags>>nameMove&3)
	copy(n.UserID[:], r.Take(16))
	if flags&nameEpoch != 0 {
		n.Epoch = r.Uint32()
	}
	n.PasswordHash = string(r.Rest())
	return n, r.Err()
}

// counts reports whether the copy is as new as it must be.
func (n nameRecord) counts() bool { return n.revision >= n.least }

// readName answers ErrNotFound where the name leads nowhere.
func (s *names) readName(ctx context.Context, username string) (nameRecord, error) {
	key := s.key.username(username)
	get := conn.Command(key, "get", key)
	if err := s.conn.Do(ctx, "looking up a username", get); err != nil {
		return nameRecord{}, err
	}
	raw, found := get.Text()
	if !found {
		return nameRecord{}, fmt.Errorf("user by name: %w", store.ErrNotFound)
	}
	n, err := s.decodeName(username, raw)
	if err != nil {
		return n, conn.Malformed("a username", err)
	}
	return n, nil
}

// takeName makes the name lead to u, or answers ErrExists. A name may have been left behind by a
// deletion that broke off; user ids are never used again, so a user who is not there will not come back.
func (s *names) takeName(ctx context.Context, u store.User) error {
	gone := ""
	for {
		keys := s.key.nameAndNames(u.Username)
		take, err := s.keep(ctx, script.TakeName, keys, s.encodeName(u.Username, nameOf(u)), u.Username, gone)
		if err != nil {
			return err
		}
		if err := s.conn.DoDurably(ctx, "taking a username", take.Call); err != nil {
			return err
		}
		taken, found := take.Text()
		if !found {
			take.kept(true)
			return nil
		}
		holder, err := s.decodeName(u.Username, taken)
		if err != nil {
			return conn.Malformed("a username", err)
		}
		key := s.key.user(holder.UserID)
		exists := conn.Command(key, "exists", key)
		if err := s.conn.Do(ctx, "looking for the user of a username", exists); err != nil {
			return err
		}
		if exists.Number() == 1 || taken == gone {
			return fmt.Errorf("user %s: %w", u.ID, store.ErrExists)
		}
		gone = taken
	}
}

func (s *names) freeName(ctx context.Context, u store.User) error {
	return s.conn.DoDurably(ctx, "freeing a username", script.FreeName.Call(s.key.nameAndNames(u.Username), u.ID[:], u.Username))
}

func (s *names) announceCredential(ctx context.Context, u store.User) error {
	keys := []string{s.key.username(u.Username)}
	return s.conn.DoDurably(ctx, "announcing a credential", script.AnnounceCredential.Call(keys, u.ID[:], u.Revision))
}

func (s *names) copyCredential(ctx context.Context, u store.User) error {
	keys := []string{s.key.username(u.Username)}
	return s.conn.DoDurably(ctx, "copying a credential", script.CopyCredential.Call(keys, s.encodeName(u.Username, nameOf(u))))
}

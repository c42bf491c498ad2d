package layout

import (
	"bytes"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"signet/store"
	"signet/store/codec"
)

const idSize = 16

// ValidUser returns an error for a user that cannot be stored.
func ValidUser(u store.User) error {
	switch {
	case u.ID.IsZero():
		return errors.New("the user has no id")
	case u.Username == "" || len(u.Username) > bbolt.MaxKeySize:
		return fmt.Errorf("user %s: the username has %d bytes", u.ID, len(u.Username))
	}
	return nil
}

// PutUser writes a new user, encoded, and its name.
func PutUser(tx *Tx, u store.User, encoded []byte) error {
	if err := tx.Put(Usernames, []byte(u.Username), u.ID[:]); err != nil {
		return err
	}
	return tx.Put(Users, u.ID[:], encoded)
}

// ReadUser returns store.ErrNotFound where there is none.
func ReadUser(tx *Tx, id store.UserID) (store.User, error) {
	raw := tx.Raw(Users, id[:])
	if raw == nil {
		return store.User{}, fmt.Errorf("user %s: %w", id, store.ErrNotFound)
	}
	u, err := DecodeUser(tx, id[:], raw)
	if err != nil {
		return store.User{}, fmt.Errorf("%w: reading user %s: %w", store.ErrUnavailable, id, err)
	}
	return u, nil
}

// DecodeUser reads what lies under the id.
func DecodeUser(tx *Tx, id, sealed []byte) (store.User, error) {
	raw, err := tx.Open(Users, id, sealed)
	if err != nil {
		return store.User{}, err
	}
	u, err := codec.DecodeUser(raw)
	if err == nil && !bytes.Equal(u.ID[:], id) {
		err = codec.ErrMalformed
	}
	return u, err
}

// IDOfName returns the id that a name leads to, or store.ErrNotFound. sealed is what lies under the name.
func IDOfName(tx *Tx, username, sealed []byte) (store.UserID, error) {
	if sealed == nil {
		return store.UserID{}, fmt.Errorf("user by name: %w", store.ErrNotFound)
	}
	raw, err := tx.Open(Usernames, username, sealed)
	if err == nil && len(raw) != idSize {
		err = codec.ErrMalformed
	}
	if err != nil {
		return store.UserID{}, fmt.Errorf("%w: reading username %q: %w", store.ErrUnavailable, username, err)
	}
	return store.UserID(raw), nil
}

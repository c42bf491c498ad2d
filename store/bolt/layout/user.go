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
	case u.Username == "":
		return fmt.Errorf("user %s: the username has 0 bytes", u.ID)
	}
	for _, name := range u.Names() {
		if name == "" || len(name) > bbolt.MaxKeySize {
			return fmt.Errorf("user %s: a name has %d bytes", u.ID, len(name))
		}
	}
	return nil
}

// PutUser writes a new user, encoded, and its names.
func PutUser(tx *Tx, u store.User, encoded []byte) error {
	if err := PutNames(tx, u); err != nil {
		return err
	}
	return tx.Put(Users, u.ID[:], encoded)
}

// CheckNames returns store.ErrExists where a name of the user leads to another one.
func CheckNames(tx *Tx, u store.User) error {
	for _, name := range u.Names() {
		holder, err := UserOfName(tx, name)
		if err == nil && holder.ID != u.ID {
			return fmt.Errorf("user %s: the name %q: %w", u.ID, name, store.ErrExists)
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return nil
}

// PutNames makes the names lead to the user, where no other has them.
func PutNames(tx *Tx, u store.User) error {
	if err := CheckNames(tx, u); err != nil {
		return err
	}
	if err := tx.Put(Usernames, []byte(u.Username), u.ID[:]); err != nil {
		return err
	}
	for _, alias := range u.Aliases {
		if err := tx.Put(Aliases, []byte(alias), u.ID[:]); err != nil {
			return err
		}
	}
	return nil
}

// DeleteNames frees the names of a user.
func DeleteNames(tx *Tx, u store.User) error {
	if err := tx.Delete(Usernames, []byte(u.Username)); err != nil {
		return err
	}
	for _, alias := range u.Aliases {
		if holder, err := tx.Record(Aliases, []byte(alias)); err == nil && !bytes.Equal(holder, u.ID[:]) {
			continue // an earlier version did not know that it was taken
		}
		if err := tx.Delete(Aliases, []byte(alias)); err != nil {
			return err
		}
	}
	return nil
}

// UserOfName returns the user whose username or alias it is, or store.ErrNotFound.
func UserOfName(tx *Tx, name string) (store.User, error) {
	if sealed := tx.Raw(Usernames, []byte(name)); sealed != nil {
		id, err := IDOfName(tx, []byte(name), sealed)
		if err != nil {
			return store.User{}, err
		}
		u, err := ReadUser(tx, id)
		if err == nil && u.Username != name {
			err = fmt.Errorf("%w: username %q leads to another user: %w", store.ErrUnavailable, name, codec.ErrMalformed)
		}
		return u, err
	}
	notFound := fmt.Errorf("user by name: %w", store.ErrNotFound)
	if tx.Bucket(Aliases) == nil {
		return store.User{}, notFound
	}
	id, err := tx.Record(Aliases, []byte(name))
	switch {
	case err == nil && id == nil:
		return store.User{}, notFound
	case err == nil && len(id) != idSize:
		err = codec.ErrMalformed
	}
	if err != nil {
		return store.User{}, fmt.Errorf("%w: reading alias %q: %w", store.ErrUnavailable, name, err)
	}
	u, err := ReadUser(tx, store.UserID(id))
	if err == nil && !u.HasName(name) {
		return store.User{}, notFound
	}
	return u, err
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

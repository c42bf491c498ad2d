package bolt

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"maps"
	"slices"

	"signet/store"
)

const (
	userVersion  = 1
	userDisabled = 1 << 0
)

// packUser writes a user record; each string is its length as a varint and its bytes:
//
//	version 1 ‖ flags 1 ‖ id 16 ‖ notBefore 8 ‖ createdAt 8 ‖ updatedAt 8
//	‖ username ‖ password hash ‖ number of claims (varint) ‖ { name ‖ JSON } by name
func packUser(u store.User) []byte {
	b := make([]byte, 0, 64+len(u.Username)+len(u.PasswordHash))
	var flags byte
	if u.Disabled {
		flags |= userDisabled
	}
	b = append(b, userVersion, flags)
	b = append(b, u.ID[:]...)
	b = packTime(b, u.NotBefore)
	b = packTime(b, u.CreatedAt)
	b = packTime(b, u.UpdatedAt)
	b = packBytes(b, u.Username)
	b = packBytes(b, u.PasswordHash)
	b = binary.AppendUvarint(b, uint64(len(u.Claims)))
	for _, name := range slices.Sorted(maps.Keys(u.Claims)) {
		b = packBytes(b, name)
		b = packBytes(b, u.Claims[name])
	}
	return b
}

// unpackUser reads a record into memory of its own: value may belong to a transaction.
func unpackUser(value []byte) (store.User, error) {
	u := unpacker{rest: bytes.Clone(value)}
	version, flags := u.byte(), u.byte()
	if u.err != nil || version != userVersion || flags&^userDisabled != 0 {
		return store.User{}, errPacked
	}
	user := store.User{Disabled: flags&userDisabled != 0}
	copy(user.ID[:], u.take(idSize))
	user.NotBefore, user.CreatedAt, user.UpdatedAt = u.time(), u.time(), u.time()
	user.Username = string(u.bytes())
	user.PasswordHash = string(u.bytes())
	user.Claims = unpackClaims(&u)
	if err := u.end(); err != nil {
		return store.User{}, err
	}
	return user, nil
}

func unpackClaims(u *unpacker) map[string]json.RawMessage {
	n, size := binary.Uvarint(u.rest)
	if size <= 0 || n > uint64(len(u.rest)) { // each takes two bytes at least
		u.rest, u.err = nil, errPacked
		return nil
	}
	u.rest = u.rest[size:]
	if n == 0 {
		return nil
	}
	claims := make(map[string]json.RawMessage, n)
	for range n {
		name := string(u.bytes())
		claims[name] = json.RawMessage(u.bytes())
	}
	return claims
}

package packed

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"maps"
	"slices"

	"signet/store"
)

const (
	idSize       = 16
	userVersion  = 1
	userDisabled = 1 << 0
)

// EncodeUser writes a user record; each string is its length as a varint and its bytes:
//
//	version 1 ‖ flags 1 ‖ id 16 ‖ notBefore 8 ‖ createdAt 8 ‖ updatedAt 8
//	‖ username ‖ password hash ‖ number of claims (varint) ‖ { name ‖ JSON } by name
func EncodeUser(u store.User) []byte {
	return AppendUser(make([]byte, 0, 64+len(u.Username)+len(u.PasswordHash)), u)
}

// AppendUser is EncodeUser behind what b holds already.
func AppendUser(b []byte, u store.User) []byte {
	var flags byte
	if u.Disabled {
		flags |= userDisabled
	}
	b = append(b, userVersion, flags)
	b = append(b, u.ID[:]...)
	b = AppendTime(b, u.NotBefore)
	b = AppendTime(b, u.CreatedAt)
	b = AppendTime(b, u.UpdatedAt)
	b = AppendBytes(b, u.Username)
	b = AppendBytes(b, u.PasswordHash)
	b = binary.AppendUvarint(b, uint64(len(u.Claims)))
	for _, name := range slices.Sorted(maps.Keys(u.Claims)) {
		b = AppendBytes(b, name)
		b = AppendBytes(b, u.Claims[name])
	}
	return b
}

// DecodeUser reads a record into memory of its own.
func DecodeUser(value []byte) (store.User, error) {
	r := NewReader(bytes.Clone(value))
	version, flags := r.Byte(), r.Byte()
	if r.Err() != nil || version != userVersion || flags&^userDisabled != 0 {
		return store.User{}, ErrMalformed
	}
	u := store.User{Disabled: flags&userDisabled != 0}
	copy(u.ID[:], r.Take(idSize))
	u.NotBefore, u.CreatedAt, u.UpdatedAt = r.Time(), r.Time(), r.Time()
	u.Username = string(r.Bytes())
	u.PasswordHash = string(r.Bytes())
	u.Claims = readClaims(r)
	if err := r.End(); err != nil {
		return store.User{}, err
	}
	return u, nil
}

func readClaims(r *Reader) map[string]json.RawMessage {
	n := r.Uvarint()
	if n == 0 {
		return nil
	}
	claims := make(map[string]json.RawMessage, n)
	for range n {
		name := string(r.Bytes())
		claims[name] = json.RawMessage(r.Bytes())
	}
	return claims
}

package layout

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"

	"signet/store"
	"signet/store/codec"
	"signet/store/seal"
)

// Codec encodes and seals records, and opens and decodes them; the scripts carry them whole.
// What is not sealed: sessions and logouts, which scripts make (a forged session has no refresh token; a forged logout signs a user out of
// an app, which deleting the user does as well),
// marks of revoked tokens and used assertions (a forged one denies what deleting a user denies as well),
// and throttle counts.
type Codec struct {
	Seals  *seal.Keys   // nil: records have no seals, and what a record is sealed with is not understood
	format atomic.Int32 // of the records that are written
}

// Format is the format of the records that this store writes; it reads all up to Schema.
func (c *Codec) Format() int { return int(c.format.Load()) }

// SetFormat changes what is written from now on. The format of a store is raised in
// its install record as well.
func (c *Codec) SetFormat(format int) { c.format.Store(int32(format)) }

// Seal puts the seal behind a record, in a store whose format has seals.
func (c *Codec) Seal(kind seal.Kind, key, record []byte) string {
	if c.Format() < store.Format2 {
		return string(record)
	}
	return string(c.Seals.Seal(kind, key, record))
}

// Open returns the record without its seal.
func (c *Codec) Open(kind seal.Kind, key []byte, raw string) ([]byte, error) {
	return c.Seals.Open(kind, key, []byte(raw))
}

// EncodeUser returns the record of a user: its revision, and the user as package codec encodes it. The revision is in front in
// every format: that is what the copy beside the name is compared by; see Name.
func (c *Codec) EncodeUser(u store.User) string {
	return c.Seal(seal.User, u.ID[:], appendUser(u, c.Format()))
}

// DecodeUser reads the record under an id.
func (c *Codec) DecodeUser(id store.UserID, raw string) (store.User, error) {
	record, err := c.Open(seal.User, id[:], raw)
	if err != nil {
		return store.User{}, err
	}
	u, err := decodeUser(record)
	if err == nil && u.ID != id {
		err = codec.ErrMalformed
	}
	return u, err
}

// UserAsStored returns what a record of u is decoded to.
func (c *Codec) UserAsStored(u store.User) (store.User, error) {
	return decodeUser(appendUser(u, c.Format()))
}

// SameUser reports whether both have the same record.
func (c *Codec) SameUser(a, b store.User) bool {
	return bytes.Equal(appendUser(a, c.Format()), appendUser(b, c.Format()))
}

func appendUser(u store.User, format int) []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 76+len(u.Username)+len(u.PasswordHash)), u.Revision)
	return codec.AppendUser(b, u, format)
}

func decodeUser(raw []byte) (u store.User, err error) {
	if len(raw) < 4 {
		return u, codec.ErrMalformed
	}
	revision := binary.BigEndian.Uint32(raw)
	if u, err = codec.DecodeUser(raw[4:]); err != nil {
		return u, err
	}
	if u.Revision != 0 && u.Revision != revision {
		return u, codec.ErrMalformed
	}
	u.Revision = revision
	return u, nil
}

// EncodeClient returns the record of a client.
func (c *Codec) EncodeClient(client store.Client) (string, error) {
	raw, err := codec.EncodeClient(client, c.Format())
	if err != nil {
		return "", err
	}
	return c.Seal(seal.Client, []byte(client.ID), raw), nil
}

// DecodeClient reads the record under an id.
func (c *Codec) DecodeClient(id, raw string) (store.Client, error) {
	record, err := c.Open(seal.Client, []byte(id), raw)
	if err != nil {
		return store.Client{}, err
	}
	client, err := codec.DecodeClient(record)
	if err == nil && client.ID != id {
		err = codec.ErrMalformed
	}
	return client, err
}

// EncodeInstall returns the install record.
func (c *Codec) EncodeInstall(in store.Install) (string, error) {
	in.CreatedAt = store.Millis(in.CreatedAt)
	raw, err := json.Marshal(in)
	if err != nil {
		return "", fmt.Errorf("encoding the install record: %w", err)
	}
	if in.Schema < store.Format2 && c.Format() < store.Format2 {
		return string(raw), nil
	}
	return string(c.Seals.Seal(seal.Install, nil, raw)), nil
}

// ErrInstall: under the name of the install record is something else.
var ErrInstall = errors.New("the install record is not one of Signet's")

// DecodeInstall reads the install record.
func (c *Codec) DecodeInstall(raw string) (in store.Install, err error) {
	record, err := c.Open(seal.Install, nil, raw)
	if err != nil {
		return in, err
	}
	if err := json.Unmarshal(record, &in); err != nil || in.ID == "" {
		return in, ErrInstall
	}
	return in, nil
}

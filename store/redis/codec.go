package redis

import (
	"encoding/json"
	"fmt"

	"signet/store"
	"signet/store/codec"
	"signet/store/redis/conn"
	"signet/store/seal"
)

// Records are sealed where they are made and opened where they are read; the scripts carry them whole.
// What is not sealed: sessions, which scripts make (whoever could forge one has no refresh token for it),
// marks of revoked tokens and used assertions (a forged one denies what deleting a user denies as well),
// and throttle counts.

// sealed puts the seal behind a record, in a store whose format has seals.
func (s *common) sealed(kind seal.Kind, key, record []byte) string {
	if s.Format() < store.Format2 {
		return string(record)
	}
	return string(s.cfg.Seals.Seal(kind, key, record))
}

// opened returns the record without its seal.
func (s *common) opened(kind seal.Kind, key []byte, raw string) ([]byte, error) {
	return s.cfg.Seals.Open(kind, key, []byte(raw))
}

func (s *common) encodeUser(u store.User) string {
	return s.sealed(seal.User, u.ID[:], encodeUser(u, s.Format()))
}

// decodeUser reads what lies under the id.
func (s *common) decodeUser(id store.UserID, raw string) (store.User, error) {
	record, err := s.opened(seal.User, id[:], raw)
	if err != nil {
		return store.User{}, err
	}
	u, err := decodeUser(record)
	if err == nil && u.ID != id {
		err = codec.ErrMalformed
	}
	return u, err
}

// leastAt is where scripts write into the record of a name; see name.go. Its seal takes it for 0.
const leastAt, leastEnd = 4, 8

func (s *common) encodeName(username string, n nameRecord) string {
	raw := []byte(n.encode(s.Format()))
	if s.Format() < store.Format2 {
		return string(raw)
	}
	least := [leastEnd - leastAt]byte(raw[leastAt:leastEnd])
	clear(raw[leastAt:leastEnd])
	raw = s.cfg.Seals.Seal(seal.Name, []byte(username), raw)
	copy(raw[leastAt:leastEnd], least[:])
	return string(raw)
}

// decodeName reads what lies under the username.
func (s *common) decodeName(username, raw string) (nameRecord, error) {
	if len(raw) < leastEnd {
		return nameRecord{}, codec.ErrMalformed
	}
	zeroed := []byte(raw)
	clear(zeroed[leastAt:leastEnd])
	record, err := s.cfg.Seals.Open(seal.Name, []byte(username), zeroed)
	if err != nil {
		return nameRecord{}, err
	}
	copy(record[leastAt:leastEnd], raw[leastAt:leastEnd])
	return decodeName(string(record))
}

func (s *common) encodeClient(c store.Client) (string, error) {
	raw, err := codec.EncodeClient(c, s.Format())
	if err != nil {
		return "", err
	}
	return s.sealed(seal.Client, []byte(c.ID), raw), nil
}

// decodeClient reads what lies under the id.
func (s *common) decodeClient(id, raw string) (store.Client, error) {
	record, err := s.opened(seal.Client, []byte(id), raw)
	if err != nil {
		return store.Client{}, conn.Malformed(fmt.Sprintf("client %q", id), err)
	}
	c, err := codec.DecodeClient(record)
	if err == nil && c.ID != id {
		err = conn.Malformed(fmt.Sprintf("client %q", id), codec.ErrMalformed)
	}
	return c, err
}

func (s *common) encodeInstall(in store.Install) (string, error) {
	in.CreatedAt = store.Millis(in.CreatedAt)
	raw, err := json.Marshal(in)
	if err != nil {
		return "", fmt.Errorf("encoding the install record: %w", err)
	}
	if in.Schema < store.Format2 && s.Format() < store.Format2 {
		return string(raw), nil
	}
	return string(s.cfg.Seals.Seal(seal.Install, nil, raw)), nil
}

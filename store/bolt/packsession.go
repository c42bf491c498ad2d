package bolt

import (
	"encoding/binary"

	"signet/store"
)

const (
	idSize         = 16
	sessionVersion = 1
)

// sessionKey puts all sessions of a user next to each other.
func sessionKey(user store.UserID, id store.SessionID) []byte {
	key := make([]byte, 0, 2*idSize)
	key = append(key, user[:]...)
	return append(key, id[:]...)
}

// packSession writes what the key does not say:
//
//	version 1 ‖ startedAt 8 ‖ rotatedAt 8 ‖ generation 4 ‖ replays 2 ‖ client id
func packSession(s store.Session) []byte {
	b := make([]byte, 0, 23+len(s.ClientID))
	b = append(b, sessionVersion)
	b = packTime(b, s.StartedAt)
	b = packTime(b, s.RotatedAt)
	b = binary.BigEndian.AppendUint32(b, s.Generation)
	b = binary.BigEndian.AppendUint16(b, s.Replays)
	return append(b, s.ClientID...)
}

// unpackSession reads a record. clientID is what the caller expects to find: where it is found, the
// string need not be made again.
func unpackSession(key, value []byte, clientID string) (store.Session, error) {
	if len(key) != 2*idSize {
		return store.Session{}, errPacked
	}
	var s store.Session
	copy(s.UserID[:], key)
	copy(s.ID[:], key[idSize:])
	u := unpacker{rest: value}
	if u.byte() != sessionVersion {
		return store.Session{}, errPacked
	}
	s.StartedAt, s.RotatedAt = u.time(), u.time()
	s.Generation, s.Replays = u.uint32(), u.uint16()
	if s.ClientID = clientID; string(u.rest) != clientID {
		s.ClientID = string(u.rest)
	}
	return s, u.err
}

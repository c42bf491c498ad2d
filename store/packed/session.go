package packed

import (
	"encoding/binary"

	"signet/store"
)

const sessionVersion = 1

// EncodeSession writes what the place of the record does not say:
//
//	version 1 ‖ startedAt 8 ‖ rotatedAt 8 ‖ generation 4 ‖ replays 2 ‖ client id
func EncodeSession(s store.Session) []byte {
	b := make([]byte, 0, 23+len(s.ClientID))
	b = append(b, sessionVersion)
	b = AppendTime(b, s.StartedAt)
	b = AppendTime(b, s.RotatedAt)
	b = binary.BigEndian.AppendUint32(b, s.Generation)
	b = binary.BigEndian.AppendUint16(b, s.Replays)
	return append(b, s.ClientID...)
}

// DecodeSession reads the record of that user's session. clientID is what the caller expects to
// find: where it is found, the string need not be made again.
func DecodeSession(user store.UserID, id store.SessionID, value []byte, clientID string) (store.Session, error) {
	s := store.Session{UserID: user, ID: id}
	r := Reader{rest: value}
	if r.Byte() != sessionVersion {
		return store.Session{}, ErrMalformed
	}
	s.StartedAt, s.RotatedAt = r.Time(), r.Time()
	s.Generation, s.Replays = r.Uint32(), r.Uint16()
	if s.ClientID = clientID; string(r.rest) != clientID {
		s.ClientID = string(r.rest)
	}
	return s, r.err
}

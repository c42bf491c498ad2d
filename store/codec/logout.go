package codec

import (
	"encoding/binary"
	"time"

	"signet/store"
)

// EncodeLogout encodes a logout and when it is due:
//
//	due 8 | attempts 4 | endedAt 8 | user id 16 | client id
//
// The session id is the key.
func EncodeLogout(l store.Logout, due time.Time) []byte {
	b := AppendTime(make([]byte, 0, 36+len(l.ClientID)), due)
	b = binary.BigEndian.AppendUint32(b, uint32(l.Attempts))
	b = append(AppendTime(b, l.EndedAt), l.UserID[:]...)
	return append(b, l.ClientID...)
}

// DecodeLogout reads what EncodeLogout wrote.
func DecodeLogout(id store.SessionID, raw []byte) (l store.Logout, due time.Time, err error) {
	r := NewReader(raw)
	due = r.Time()
	l = store.Logout{SessionID: id, Attempts: int(r.Uint32()), EndedAt: r.Time()}
	copy(l.UserID[:], r.Take(len(l.UserID)))
	l.ClientID = string(r.Rest())
	if r.Err() == nil && l.ClientID == "" {
		r.fail()
	}
	return l, due, r.Err()
}

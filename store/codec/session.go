package codec

import (
	"encoding/binary"
	"net/netip"
	"time"

	"signet/store"
)

const (
	sessionVersion1 = 1
	sessionVersion2 = 2
	sessionVersion3 = 3

	sessionHead2 = 28                // of a record of format 2, without address and client id
	sessionHead3 = sessionHead2 + 16 // of one with a parent

	// listpackValue is the longest value with which Redis keeps a hash as a listpack, by default.
	listpackValue = 64
)

// EncodeSession writes the session without its ids, which are in the key of the record, in the layout of a store format.
// Format 1, which keeps neither epochs nor skipped generations nor the address:
//
//	version 1 ‖ startedAt 8 ‖ rotatedAt 8 ‖ generation 4 ‖ replays 2 ‖ client id
//
// Format 2, whose times are Unix milliseconds in six bytes:
//
//	version 2 ‖ startedAt 6 ‖ rotatedAt 6 ‖ generation 4 ‖ replays 2 ‖ user epoch 3 ‖ client epoch 3
//	‖ skipped 2 ‖ length of the origin 1 ‖ origin ‖ client id
//
// A session with a parent, in a store of either format, where format 1 has epochs of 0:
//
//	version 3 ‖ parent 16 ‖ startedAt 6 ‖ … as in format 2
//
// The origin is the address, of 4 or 8 bytes or none, and behind it the device, a byte, where it is known. It is left out where with
// it the record would be too long for a listpack of Redis.
func EncodeSession(s store.Session, format int) []byte {
	head := sessionHead2
	switch {
	case !s.Parent.IsZero():
		head = sessionHead3
		if format < store.Format2 {
			s.UserEpoch, s.ClientEpoch, s.Skipped = 0, 0, 0
		}
	case format < store.Format2:
		return encodeSession1(s)
	}
	origin := sessionOrigin(s.Address, s.Device, head+len(s.ClientID))
	b := make([]byte, 0, head+len(origin)+len(s.ClientID))
	if s.Parent.IsZero() {
		b = append(b, sessionVersion2)
	} else {
		b = append(append(b, sessionVersion3), s.Parent[:]...)
	}
	b = appendTime6(b, s.StartedAt)
	b = appendTime6(b, s.RotatedAt)
	b = binary.BigEndian.AppendUint32(b, s.Generation)
	b = binary.BigEndian.AppendUint16(b, s.Replays)
	b = appendUint24(b, s.UserEpoch)
	b = appendUint24(b, s.ClientEpoch)
	b = binary.BigEndian.AppendUint16(b, s.Skipped)
	b = append(b, byte(len(origin)))
	b = append(b, origin...)
	return append(b, s.ClientID...)
}

func encodeSession1(s store.Session) []byte {
	b := make([]byte, 0, 23+len(s.ClientID))
	b = append(b, sessionVersion1)
	b = AppendTime(b, s.StartedAt)
	b = AppendTime(b, s.RotatedAt)
	b = binary.BigEndian.AppendUint32(b, s.Generation)
	b = binary.BigEndian.AppendUint16(b, s.Replays)
	return append(b, s.ClientID...)
}

// SessionOrigin is the address and the device as a record of the client's session has them. The record of a session with a parent may
// be without them nevertheless.
func SessionOrigin(a netip.Addr, d store.Device, clientID string) []byte {
	return sessionOrigin(a, d, sessionHead2+len(clientID))
}

// sessionOrigin is for a record of n bytes without it.
func sessionOrigin(a netip.Addr, d store.Device, n int) []byte {
	raw := store.NetworkOf(a).AsSlice()
	if len(raw) > 8 {
		raw = raw[:8]
	}
	if d != 0 {
		raw = append(raw, byte(d))
	}
	if n <= listpackValue && n+len(raw) > listpackValue {
		return nil
	}
	return raw
}

// DecodeSession reads the record of that user's session, in either format. clientID is what the caller
// expects to find: where it is found, the string need not be made again.
func DecodeSession(user store.UserID, id store.SessionID, value []byte, clientID string) (store.Session, error) {
	s := store.Session{UserID: user, ID: id}
	r := Reader{rest: value}
	version := r.Byte()
	if version == sessionVersion3 {
		s.Parent = store.SessionID(r.Take(16))
	}
	switch version {
	case sessionVersion1:
		s.StartedAt, s.RotatedAt = r.Time(), r.Time()
		s.Generation, s.Replays = r.Uint32(), r.Uint16()
	case sessionVersion2, sessionVersion3:
		s.StartedAt, s.RotatedAt = r.time6(), r.time6()
		s.Generation, s.Replays = r.Uint32(), r.Uint16()
		s.UserEpoch, s.ClientEpoch, s.Skipped = r.uint24(), r.uint24(), r.Uint16()
		s.Address, s.Device = r.origin()
	default:
		return store.Session{}, ErrMalformed
	}
	if s.ClientID = clientID; string(r.rest) != clientID {
		s.ClientID = string(r.rest)
	}
	if r.err != nil {
		return store.Session{}, r.err
	}
	return s, nil
}

// origin reads one of the lengths that SessionOrigin has.
func (r *Reader) origin() (a netip.Addr, d store.Device) {
	raw := r.Take(int(r.Byte()))
	if n := len(raw); n%2 == 1 {
		raw, d = raw[:n-1], store.Device(raw[n-1])
	}
	switch len(raw) {
	case 0:
	case 4:
		return netip.AddrFrom4([4]byte(raw)), d
	case 8:
		var all [16]byte
		copy(all[:], raw)
		if a := netip.AddrFrom16(all); !a.Is4In6() {
			return a, d
		}
	default:
		r.fail()
	}
	return netip.Addr{}, d
}

func appendUint24(b []byte, v uint32) []byte { return append(b, byte(v>>16), byte(v>>8), byte(v)) }

func (r *Reader) uint24() uint32 {
	b := r.Take(3)
	return uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2])
}

// appendTime6 writes 48 bits: enough until the year 10889.
func appendTime6(b []byte, t time.Time) []byte {
	var raw [8]byte
	if !t.IsZero() {
		binary.BigEndian.PutUint64(raw[:], uint64(t.UnixMilli()))
	}
	return append(b, raw[2:]...)
}

func (r *Reader) time6() time.Time {
	var raw [8]byte
	copy(raw[2:], r.Take(6))
	return readTime(binary.BigEndian.Uint64(raw[:]))
}

package bolt

import (
	"encoding/binary"
	"errors"
	"time"
)

// errPacked: a packed record does not end where it should, or is of a kind that this version does
// not know. The file is damaged.
var errPacked = errors.New("packed record is malformed")

// unpacker reads a packed record from front to back. After the first mistake every further read
// answers zero and err is set, so that a record is checked once, at its end.
type unpacker struct {
	rest []byte
	err  error
}

func (u *unpacker) take(n int) []byte {
	if n < 0 || n > len(u.rest) {
		u.rest, u.err = nil, errPacked
		return make([]byte, min(max(n, 0), 8))
	}
	taken := u.rest[:n:n]
	u.rest = u.rest[n:]
	return taken
}

func (u *unpacker) byte() byte      { return u.take(1)[0] }
func (u *unpacker) uint16() uint16  { return binary.BigEndian.Uint16(u.take(2)) }
func (u *unpacker) uint32() uint32  { return binary.BigEndian.Uint32(u.take(4)) }
func (u *unpacker) uint64() uint64  { return binary.BigEndian.Uint64(u.take(8)) }
func (u *unpacker) time() time.Time { return unpackTime(u.uint64()) }

// bytes reads what packBytes wrote, without copying it.
func (u *unpacker) bytes() []byte {
	n, size := binary.Uvarint(u.rest)
	if size <= 0 || n > uint64(len(u.rest)-size) {
		u.rest, u.err = nil, errPacked
		return nil
	}
	u.rest = u.rest[size:]
	return u.take(int(n))
}

// end reports a record that was too short or has bytes left over.
func (u *unpacker) end() error {
	if u.err == nil && len(u.rest) > 0 {
		return errPacked
	}
	return u.err
}

func packBytes[T ~string | ~[]byte](b []byte, v T) []byte {
	b = binary.AppendUvarint(b, uint64(len(v)))
	return append(b, v...)
}

// packTime writes Unix milliseconds; the zero time, which no record can mean otherwise, is 0.
func packTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return binary.BigEndian.AppendUint64(b, 0)
	}
	return binary.BigEndian.AppendUint64(b, uint64(t.UnixMilli()))
}

func unpackTime(ms uint64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms)).UTC()
}

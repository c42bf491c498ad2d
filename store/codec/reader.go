package codec

import (
	"encoding/binary"
	"errors"
	"time"
)

// ErrMalformed: a stored record does not end where it should, or is of a kind that this version does
// not know. The data are damaged.
var ErrMalformed = errors.New("the stored record is malformed")

// Reader reads an encoded record from front to back. After the first error every further read returns
// zero and Err is set, so that a record is checked once, at its end.
type Reader struct {
	rest []byte
	err  error
}

// NewReader reads raw, which it neither copies nor changes.
func NewReader(raw []byte) *Reader { return &Reader{rest: raw} }

// Take reads n bytes. They are those of the record, not a copy.
func (r *Reader) Take(n int) []byte {
	if n < 0 || n > len(r.rest) {
		r.fail()
		return make([]byte, min(max(n, 0), 16))
	}
	taken := r.rest[:n:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *Reader) fail() { r.rest, r.err = nil, ErrMalformed }

// Byte reads one byte.
func (r *Reader) Byte() byte { return r.Take(1)[0] }

// Uint16 reads two bytes.
func (r *Reader) Uint16() uint16 { return binary.BigEndian.Uint16(r.Take(2)) }

// Uint32 reads four bytes.
func (r *Reader) Uint32() uint32 { return binary.BigEndian.Uint32(r.Take(4)) }

// Time reads the eight bytes of a time.
func (r *Reader) Time() time.Time { return readTime(binary.BigEndian.Uint64(r.Take(8))) }

// Uvarint reads a number that may not exceed the bytes that are left: a length or a count.
func (r *Reader) Uvarint() int {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || n > uint64(len(r.rest)-size) {
		r.fail()
		return 0
	}
	r.rest = r.rest[size:]
	return int(n)
}

// Bytes reads what AppendBytes wrote, without copying it.
func (r *Reader) Bytes() []byte { return r.Take(r.Uvarint()) }

// Rest reads all that is left.
func (r *Reader) Rest() []byte { return r.Take(len(r.rest)) }

// Err is ErrMalformed after the first mistake.
func (r *Reader) Err() error { return r.err }

// End reports a record that was too short or has bytes left over.
func (r *Reader) End() error {
	if r.err == nil && len(r.rest) > 0 {
		return ErrMalformed
	}
	return r.err
}

// AppendBytes writes the length of v as a varint, and v.
func AppendBytes[T ~string | ~[]byte](b []byte, v T) []byte {
	b = binary.AppendUvarint(b, uint64(len(v)))
	return append(b, v...)
}

// AppendTime writes Unix milliseconds; the zero time, which no record can mean otherwise, is 0.
func AppendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return binary.BigEndian.AppendUint64(b, 0)
	}
	return binary.BigEndian.AppendUint64(b, uint64(t.UnixMilli()))
}

func readTime(ms uint64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms)).UTC()
}

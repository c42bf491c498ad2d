package worker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"signet/server/password/hash"
)

// protocol is the version of the messages. Both sides are the same program, unless the child is started by hand.
const protocol = 2

// maxMessage bounds a message, in bytes: a stored hash, a password, and room for numbers.
const maxMessage = 8 << 10

var errMessage = errors.New("message is damaged")

// setup is the first message to the child. It answers ready when it can hash.
//
//	version u8 | slots u16 | memory u64 (bytes) | usual u64 (bytes)
type setup struct {
	slots  int
	memory uint64 // all hashes together
	usual  uint64 // a new hash
}

func (s setup) encode() []byte {
	b := append(newMessage(), protocol)
	b = binary.BigEndian.AppendUint16(b, uint16(s.slots))
	b = binary.BigEndian.AppendUint64(b, s.memory)
	return finish(binary.BigEndian.AppendUint64(b, s.usual))
}

func parseSetup(b []byte) (setup, error) {
	if len(b) != 19 || b[0] != protocol {
		return setup{}, fmt.Errorf("%w: not a setup of version %d", errMessage, protocol)
	}
	s := setup{slots: int(binary.BigEndian.Uint16(b[1:])), memory: binary.BigEndian.Uint64(b[3:]), usual: binary.BigEndian.Uint64(b[11:])}
	if s.slots == 0 {
		return setup{}, fmt.Errorf("%w: no slots", errMessage)
	}
	return s, nil
}

func encodeReady() []byte { return finish(append(newMessage(), protocol)) }

func isReady(b []byte) bool { return len(b) == 1 && b[0] == protocol }

// request is one hash to do.
//
//	id u32 | length u16 | stored | password                          compare
//	id u32 | 0 u16 | memory u32 | passes u32 | threads u8 | password  make
type request struct {
	id uint32
	Job
}

func (r request) encode() ([]byte, error) {
	const numbers = 32 // bytes that those of a message take at most
	size := numbers + len(r.Stored) + len(r.Password)
	if size > maxMessage {
		return nil, errors.New("hash and password are too long")
	}
	b := make([]byte, 4, size) // never copied to a larger one, so that to wipe it leaves nothing behind
	b = binary.BigEndian.AppendUint32(b, r.id)
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.Stored)))
	b = append(b, r.Stored...)
	if r.Stored == "" {
		b = binary.BigEndian.AppendUint32(b, r.Params.Memory)
		b = binary.BigEndian.AppendUint32(b, r.Params.Time)
		b = append(b, r.Params.Threads)
	}
	return finish(append(b, r.Password...)), nil
}

// parseRequest reads a request. Its password is a part of b.
func parseRequest(b []byte) (r request, err error) {
	if len(b) < 6 {
		return r, errMessage
	}
	r.id = binary.BigEndian.Uint32(b)
	size, rest := int(binary.BigEndian.Uint16(b[4:])), b[6:]
	if size > len(rest) {
		return r, errMessage
	}
	r.Stored, rest = string(rest[:size]), rest[size:]
	if r.Stored == "" {
		if len(rest) < 9 {
			return r, errMessage
		}
		r.Params = hash.Params{Memory: binary.BigEndian.Uint32(rest), Time: binary.BigEndian.Uint32(rest[4:]), Threads: rest[8]}
		rest = rest[9:]
	}
	r.Password = rest
	return r, nil
}

// What a response reports.
const (
	outcomeNoMatch byte = iota
	outcomeMatch
	outcomeMade
	outcomeFailed // the job cannot be done
)

// response is the result of a request.
//
//	id u32 | outcome u8 | stored, if a hash was made
type response struct {
	id      uint32
	outcome byte
	stored  string
}

func (r response) encode() []byte {
	b := binary.BigEndian.AppendUint32(newMessage(), r.id)
	return finish(append(append(b, r.outcome), r.stored...))
}

func parseResponse(b []byte) (r response, err error) {
	if len(b) < 5 || b[4] > outcomeFailed || (len(b) > 5) != (b[4] == outcomeMade) {
		return r, errMessage
	}
	return response{id: binary.BigEndian.Uint32(b), outcome: b[4], stored: string(b[5:])}, nil
}

// newMessage returns a buffer with room for the length, which finish sets.
func newMessage() []byte { return make([]byte, 4, 64) }

func finish(b []byte) []byte {
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// readMessage returns the next message without its length. io.EOF is the end between two messages.
func readMessage(r io.Reader) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n == 0 || n > maxMessage {
		return nil, fmt.Errorf("%w: %d bytes long", errMessage, n)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	return b, nil
}

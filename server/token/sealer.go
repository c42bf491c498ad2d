package token

import (
	"encoding/binary"
	"errors"

	"signet/server/sealed"
)

// Sealer seals and opens refresh tokens and authorization codes, each kind with keys of its own.
type Sealer struct{ refresh, code *sealed.Box }

// NewSealer takes one or two 32-byte keys, and the index of the one that seals: that of the master key which all replicas are
// known to have.
func NewSealer(secrets [][32]byte, inUse func() int) (*Sealer, error) {
	if len(secrets) == 0 {
		return nil, errors.New("no refresh token key")
	}
	refresh, err := sealed.New(secrets, inUse, "refresh token", RefreshPrefix, 4096)
	if err != nil {
		return nil, err
	}
	code, err := sealed.New(secrets, inUse, "authorization code", CodePrefix, 8192)
	return &Sealer{refresh, code}, err
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendList(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = appendText(b, s)
	}
	return b
}

// fieldReader reads length-prefixed fields and remembers whether one was cut short.
type fieldReader struct {
	rest []byte
	bad  bool
}

func (r *fieldReader) number() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// mark reads whether chosenMark is at the end.
func (r *fieldReader) mark() bool {
	if len(r.rest) == 0 {
		return false
	}
	r.bad = r.number() != chosenMark || r.bad
	return !r.bad
}

func (r *fieldReader) text() string {
	n := r.number()
	if n > uint64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return ""
	}
	s := string(r.rest[:n])
	r.rest = r.rest[n:]
	return s
}

func (r *fieldReader) list() (list []string) {
	n := r.number()
	if n > uint64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return nil
	}
	for range n {
		list = append(list, r.text())
	}
	return list
}

func (r *fieldReader) id() (id [16]byte) {
	if len(r.rest) < len(id) {
		r.bad, r.rest = true, nil
		return id
	}
	r.rest = r.rest[copy(id[:], r.rest):]
	return id
}

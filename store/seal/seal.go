package seal

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"strings"
	"sync"
	"sync/atomic"
)

// Kind is what a record is. The MAC keys of different kinds have nothing to do with each other.
type Kind string

// The kinds of records.
const (
	User      Kind = "user"
	Name      Kind = "username"
	Alias     Kind = "alias"
	Client    Kind = "client"
	Session   Kind = "session"
	Revoked   Kind = "revoked token"
	Assertion Kind = "used assertion"
	Code      Kind = "redeemed code"
	Logout    Kind = "logout"
	Install   Kind = "install"
	Heartbeat Kind = "heartbeat"
	Hint      Kind = "hint"
	Event     Kind = "audit event"
	Count     Kind = "throttle count"
	Networks  Kind = "networks of an account"
	Moment    Kind = "time of a backup or loss"
	Epoch     Kind = "least epoch of clients"
	Archive   Kind = "archive"
)

var kinds = []Kind{User, Name, Alias, Client, Session, Revoked, Assertion, Code, Logout, Install, Heartbeat, Hint, Event, Count, Networks, Moment, Epoch,
	Archive}

const (
	macSize = 16
	tagSize = 2

	// Overhead is how much longer a sealed record is.
	Overhead = macSize + tagSize + len(mark)
)

// mark is not UTF-8, so that no text and no JSON ends with it.
const mark = "\xfe\x01"

// ErrForged: the record does not carry the MAC that belongs to it in this place. It was forged, moved,
// damaged, or sealed under a master key that is not here.
var ErrForged = errors.New("the record is forged, damaged or sealed under another master key")

// Error names the record that does not verify. It wraps ErrForged.
type Error struct {
	Kind Kind
	Key  string // in the store; may be binary
	Why  string // what is wrong, in a few words

	Unknown bool // it has a seal, of a master key that is not here
}

const otherKey = "its master key is not here"

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("%s %s: %s (%s)", e.Kind, printable(e.Key), ErrForged, e.Why)
}

// Unwrap implements errors.Is.
func (e *Error) Unwrap() error { return ErrForged }

func printable(key string) string {
	if strings.IndexFunc(key, func(r rune) bool { return r < ' ' || r > '~' }) >= 0 {
		return fmt.Sprintf("%x", key)
	}
	return fmt.Sprintf("%q", key)
}

// Deriver is a master key.
type Deriver interface {
	Derive(purpose string) [32]byte
}

// Keys seals and opens records. A nil *Keys does neither: records without a seal pass through it as they
// are, and those with one are refused. All methods may be called concurrently.
type Keys struct {
	all      []*masterKey
	inUse    atomic.Pointer[func() int]
	required atomic.Pointer[func() bool] // nil: records without a seal are taken
	onForged atomic.Pointer[func(*Error)]
	forged   atomic.Uint64
}

// masterKey has what derives from one of them.
type masterKey struct {
	tag   [tagSize]byte
	kinds map[Kind]*macs
}

// macs are the HMACs of one key. One is made once, and used again: that saves two of four blocks.
type macs struct{ pool sync.Pool }

type mac struct {
	hash.Hash
	head [2]byte
	sum  [sha256.Size]byte
}

// New derives the keys of all kinds from the master keys, newest first.
func New[D Deriver](masters []D) *Keys {
	k := &Keys{}
	for _, m := range masters {
		hint := m.Derive("signet record v1 tag")
		derived := &masterKey{tag: [tagSize]byte(hint[:tagSize]), kinds: map[Kind]*macs{}}
		for _, kind := range kinds {
			key := m.Derive("signet record v1 " + string(kind))
			derived.kinds[kind] = &macs{sync.Pool{New: func() any { return &mac{Hash: hmac.New(sha256.New, key[:])} }}}
		}
		k.all = append(k.all, derived)
	}
	first := func() int { return 0 }
	k.inUse.Store(&first)
	return k
}

// Use sets the function that returns the index of the master key which seals. All replicas change to another key at the same
// moment, so that none reads a record that it cannot verify. Without Use the first master key seals.
func (k *Keys) Use(inUse func() int) {
	if k != nil {
		k.inUse.Store(&inUse)
	}
}

// Require refuses records without a seal from now on.
func (k *Keys) Require() { k.RequireWhen(func() bool { return true }) }

// RequireWhen refuses records without a seal while required returns true.
func (k *Keys) RequireWhen(required func() bool) {
	if k != nil {
		k.required.Store(&required)
	}
}

// Required reports whether records without a seal are refused.
func (k *Keys) Required() bool {
	if k == nil {
		return false
	}
	required := k.required.Load()
	return required != nil && (*required)()
}

// OnForged sets a function that is called for each record that does not verify.
func (k *Keys) OnForged(f func(*Error)) {
	if k != nil {
		k.onForged.Store(&f)
	}
}

// Forged is how many records did not verify when they were read.
func (k *Keys) Forged() uint64 {
	if k == nil {
		return 0
	}
	return k.forged.Load()
}

// Seal appends the trailer to the record, which has the key in the store. It may use the capacity that
// the record has left. An Install stays a JSON object: a version of Signet that has no seals must be able to
// read that it is of a newer format.
func (k *Keys) Seal(kind Kind, key, record []byte) []byte {
	if k == nil {
		return record
	}
	m := k.current()
	h := m.kinds[kind].of(key, record)
	if kind == Install {
		defer m.kinds[kind].pool.Put(h)
		return sealJSON(record, h.sum[:macSize], m.tag[:])
	}
	record = append(record, h.sum[:macSize]...)
	record = append(record, m.tag[:]...)
	m.kinds[kind].pool.Put(h)
	return append(record, mark...)
}

func (k *Keys) current() *masterKey {
	i := (*k.inUse.Load())()
	return k.all[min(max(i, 0), len(k.all)-1)]
}

// of computes the MAC into sum. The caller puts the result back into the pool.
func (p *macs) of(key, record []byte) *mac {
	h := p.pool.Get().(*mac)
	h.Reset()
	binary.BigEndian.PutUint16(h.head[:], uint16(len(key)))
	h.Write(h.head[:])
	h.Write(key)
	h.Write(record)
	h.Hash.Sum(h.sum[:0])
	return h
}

// Open returns the record without its trailer; it is a part of sealed, not a copy. An error is an *Error. It has been
// counted, and passed to the function of OnForged.
func (k *Keys) Open(kind Kind, key, sealed []byte) ([]byte, error) {
	if k == nil {
		if Sealed(sealed) {
			return nil, &Error{kind, string(key), otherKey, true}
		}
		return sealed, nil
	}
	record, why := k.open(kind, key, sealed)
	if why == "" {
		return record, nil
	}
	err := &Error{kind, string(key), why, why == otherKey}
	k.forged.Add(1)
	if onForged := k.onForged.Load(); onForged != nil {
		(*onForged)(err)
	}
	return nil, err
}

func (k *Keys) open(kind Kind, key, sealed []byte) (record []byte, why string) {
	record, sum, tag := split(sealed)
	if sum == nil {
		if k.Required() {
			return nil, "it has no seal"
		}
		return sealed, ""
	}
	known := false
	for _, m := range k.all {
		if string(tag) != string(m.tag[:]) {
			continue
		}
		known = true
		h := m.kinds[kind].of(key, record)
		good := subtle.ConstantTimeCompare(h.sum[:macSize], sum) == 1
		m.kinds[kind].pool.Put(h)
		if good {
			return record, ""
		}
	}
	if !known {
		return nil, otherKey
	}
	return nil, "its MAC does not fit"
}

// Hash returns a hash whose sum is the MAC, in full, of what is written into it, under the master key that
// seals now. It is for what is too large to hold.
func (k *Keys) Hash(kind Kind) hash.Hash { return k.current().newHash(kind) }

// Hashes are those of all master keys: what was sealed under any of them has one of their sums.
func (k *Keys) Hashes(kind Kind) (all []hash.Hash) {
	for _, m := range k.all {
		all = append(all, m.newHash(kind))
	}
	return all
}

func (m *masterKey) newHash(kind Kind) hash.Hash { return m.kinds[kind].pool.New().(*mac).Hash }

// jsonMember begins the last member of a JSON object that is sealed.
const jsonMember = `,"seal":"`

// sealJSON puts MAC and tag into the JSON object as its last member. Their 18 bytes are 24 characters, none of
// which has spare bits.
func sealJSON(object, sum, tag []byte) []byte {
	sealed := append(bytes.Clone(object[:len(object)-1]), jsonMember...)
	sealed = base64.StdEncoding.AppendEncode(sealed, append(bytes.Clone(sum), tag...))
	return append(sealed, `"}`...)
}

// split takes the trailer apart. sum is nil where there is none.
func split(sealed []byte) (record, sum, tag []byte) {
	if len(sealed) >= Overhead && string(sealed[len(sealed)-len(mark):]) == mark {
		n := len(sealed) - Overhead
		return sealed[:n:n], sealed[n : n+macSize], sealed[n+macSize : len(sealed)-len(mark)]
	}
	text, isObject := bytes.CutSuffix(sealed, []byte(`"}`))
	begins := len(text) - base64.StdEncoding.EncodedLen(macSize+tagSize)
	if !isObject || begins < 0 || !bytes.HasSuffix(text[:begins], []byte(jsonMember)) {
		return sealed, nil, nil
	}
	raw, err := base64.StdEncoding.DecodeString(string(text[begins:]))
	if err != nil || len(raw) != macSize+tagSize {
		return sealed, nil, nil
	}
	return append(bytes.Clone(text[:begins-len(jsonMember)]), '}'), raw[:macSize], raw[macSize:]
}

// Sealed reports whether the record has a trailer. It does not verify it.
func Sealed(record []byte) bool {
	_, sum, _ := split(record)
	return sum != nil
}

// Unverified returns the record without its trailer, if it has one, and does not verify it. It is for what has to
// be read before there are keys, and is verified later.
func Unverified(sealed []byte) []byte {
	record, _, _ := split(sealed)
	return record
}

// Current reports whether the record is sealed under the master key that seals now. It does not verify.
func (k *Keys) Current(record []byte) bool {
	if k == nil {
		return true
	}
	_, sum, tag := split(record)
	return sum != nil && string(tag) == string(k.current().tag[:])
}

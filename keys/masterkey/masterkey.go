package masterkey

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"signet/keys/secret"
)

// prefix lets secret scanners recognise a master key in a commit or a paste.
const prefix = "signet_mk_"

// MaxKeys is how many master keys can be live: the new one and the one it replaces.
const MaxKeys = 2

var strictBase64 = base64.RawURLEncoding.Strict()

// Key is a master key: 32 random bytes that are kept outside the store. Everything sealed or MACed
// derives from it. It prints as [redacted]; only Encode shows it. The zero Key is no key.
type Key struct{ secret.Value[[32]byte] }

// New makes a Key from the system's random source.
func New() Key {
	var b [32]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return keyOf(b)
}

func keyOf(b [32]byte) Key { return Key{secret.Of(b)} }

// Parse reads what Encode writes, and nothing else: "signet_mk_" and 43 base64url characters without
// padding. It does not trim white space.
func Parse(s string) (Key, error) {
	digits, ok := strings.CutPrefix(s, prefix)
	if !ok {
		return Key{}, fmt.Errorf("master key does not begin with %s", prefix)
	}
	var b [32]byte
	if len(digits) != base64.RawURLEncoding.EncodedLen(len(b)) {
		return Key{}, fmt.Errorf("master key has %d characters after %s, want 43", len(digits), prefix)
	}
	if _, err := strictBase64.Decode(b[:], []byte(digits)); err != nil || strings.ContainsAny(digits, "\r\n") {
		return Key{}, errors.New("master key is not base64url") // err would quote a piece of it
	}
	return keyOf(b), nil
}

// ParseList reads one master key or two, newest first, separated by a comma or a line end. White space
// around each is ignored.
func ParseList(s string) ([]Key, error) {
	var all []Key
	for part := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ',' || r == '\n' }) {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		if len(all) == MaxKeys {
			return nil, fmt.Errorf("more than %d master keys", MaxKeys)
		}
		k, err := Parse(part)
		if err != nil {
			return nil, fmt.Errorf("master key %d: %w", len(all)+1, err)
		}
		all = append(all, k)
	}
	if len(all) == 0 {
		return nil, errors.New("no master key")
	}
	if len(all) == 2 && all[0].Equal(all[1]) {
		return nil, errors.New("both master keys are the same")
	}
	return all, nil
}

// Encode returns the secret itself in its one spelling, for writing the key file.
func (k Key) Encode() string {
	b := k.Reveal()
	return prefix + strictBase64.EncodeToString(b[:])
}

// Derive returns the key for one purpose (HKDF with SHA-256, RFC 5869). Keys of different purposes
// reveal nothing about each other or about k.
func (k Key) Derive(purpose string) [32]byte {
	b := k.Reveal()
	out, err := hkdf.Key(sha256.New, b[:], nil, purpose, 32)
	if err != nil {
		panic("masterkey: deriving 32 bytes: " + err.Error()) // only an output longer than 255 hashes is refused
	}
	return [32]byte(out)
}

// Equal compares in constant time.
func (k Key) Equal(other Key) bool {
	a, b := k.Reveal(), other.Reveal()
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// Hint names the key in errors, heartbeats and documents. It reveals nothing about the key.
func (k Key) Hint() string {
	hint := k.hint()
	return hex.EncodeToString(hint[:])
}

const hintSize = 8

func (k Key) hint() [hintSize]byte {
	derived := k.Derive("signet keyring v1 hint")
	return [hintSize]byte(derived[:hintSize])
}

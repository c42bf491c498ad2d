package keys

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// masterKeyPrefix lets secret scanners recognise a master key in a commit or a paste.
const masterKeyPrefix = "signet_mk_"

// maxMasterKeys is how many can be live: the new one and the one it replaces.
const maxMasterKeys = 2

// redacted is what every secret of this package prints as.
const redacted = "[redacted]"

var strictBase64 = base64.RawURLEncoding.Strict()

// MasterKey is the secret of 32 random bytes that is kept outside the store. Everything sealed or
// MACed derives from it. It prints as [redacted] in every way; Encode alone shows it.
// The zero MasterKey is no key.
type MasterKey struct {
	reveal func() []byte // a function, because package fmt looks into unexported fields and behind pointers
}

func masterKeyOf(b [32]byte) MasterKey {
	return MasterKey{func() []byte { return b[:] }}
}

// NewMasterKey makes one from the system's random source.
func NewMasterKey() MasterKey {
	var b [32]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return masterKeyOf(b)
}

// ParseMasterKey reads what Encode wrote, and nothing else: "signet_mk_" and 43 base64url
// characters without padding. White space around it is the caller's to trim.
func ParseMasterKey(s string) (MasterKey, error) {
	digits, ok := strings.CutPrefix(s, masterKeyPrefix)
	if !ok {
		return MasterKey{}, fmt.Errorf("master key does not begin with %s", masterKeyPrefix)
	}
	var b [32]byte
	if len(digits) != base64.RawURLEncoding.EncodedLen(len(b)) {
		return MasterKey{}, fmt.Errorf("master key has %d characters after %s, want 43", len(digits), masterKeyPrefix)
	}
	if _, err := strictBase64.Decode(b[:], []byte(digits)); err != nil || strings.ContainsAny(digits, "\r\n") {
		return MasterKey{}, errors.New("master key is not base64url") // err would quote a piece of it
	}
	return masterKeyOf(b), nil
}

// ParseMasterKeys reads one master key or two, newest first, separated by a comma or a line end.
// White space around each is ignored.
func ParseMasterKeys(s string) ([]MasterKey, error) {
	var all []MasterKey
	for part := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ',' || r == '\n' }) {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		if len(all) == maxMasterKeys {
			return nil, fmt.Errorf("more than %d master keys", maxMasterKeys)
		}
		k, err := ParseMasterKey(part)
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

// Encode is the one printable spelling, for writing the key file. It is the secret itself.
func (k MasterKey) Encode() string {
	return masterKeyPrefix + strictBase64.EncodeToString(k.bytes())
}

// Derive returns the key for one purpose (HKDF with SHA-256, RFC 5869). Keys of different purposes
// say nothing about each other or about k.
func (k MasterKey) Derive(purpose string) [32]byte {
	out, err := hkdf.Key(sha256.New, k.bytes(), nil, purpose, 32)
	if err != nil {
		panic("keys: deriving 32 bytes: " + err.Error()) // only an output longer than 255 hashes is refused
	}
	return [32]byte(out)
}

// Equal compares in constant time.
func (k MasterKey) Equal(other MasterKey) bool {
	return subtle.ConstantTimeCompare(k.bytes(), other.bytes()) == 1
}

// IsZero reports whether k is no key.
func (k MasterKey) IsZero() bool { return k.reveal == nil }

func (k MasterKey) bytes() []byte {
	if k.reveal == nil {
		panic("keys: use of the zero MasterKey")
	}
	return k.reveal()
}

// String implements fmt.Stringer without the secret.
func (MasterKey) String() string { return redacted }

// GoString implements fmt.GoStringer without the secret.
func (MasterKey) GoString() string { return redacted }

// Format implements fmt.Formatter, for every verb without the secret.
func (MasterKey) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// LogValue implements slog.LogValuer without the secret.
func (MasterKey) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON implements json.Marshaler without the secret.
func (MasterKey) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText implements encoding.TextMarshaler without the secret.
func (MasterKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }

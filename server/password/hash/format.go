package hash

import (
	"errors"
	"fmt"
	"strings"
)

// ErrFormat: a stored hash is of no known format, damaged, or asks for more work than allowed.
var ErrFormat = errors.New("password hash not supported")

// Hash is a stored hash, read and found to be within its format's limits. Values are immutable and safe for
// concurrent use.
type Hash interface {
	// Verify does the slow work and reports whether the password is the right one.
	Verify(password []byte) bool
	// Weaker reports whether the hash should be replaced by one of argon2id with these costs.
	Weaker(policy Params) bool
	// Price is what Verify takes.
	Price() Price
	// Scheme names the format, Kind the format with its costs, and Dummy is another hash of that kind, which no
	// password matches.
	Scheme() string
	Kind() string
	Dummy() Hash
	// String is the hash as it is stored: Parse reads it.
	String() string
}

// Price is what checking one password takes.
type Price struct {
	Memory uint64 // bytes
	Work   uint64 // in KiB × passes of argon2
	Lanes  int    // threads of its own
}

// format is one spelling of stored hashes.
type format struct {
	scheme string // by which an import may name it
	prefix string
	crypt  bool                              // crypt(3) of some system reads it too
	parse  func(stored string) (Hash, error) // gets all of the string; its error needs no ErrFormat
}

func formats() []format {
	list := []format{
		{"argon2", "$argon2id$", false, parseArgon2},
		{"argon2", "$argon2i$", false, parseArgon2},
		{"argon2", "$argon2d$", false, parseArgon2},
		{"bcrypt", "$2a$", true, parseBcrypt},
		{"bcrypt", "$2b$", true, parseBcrypt},
		{"bcrypt", "$2x$", true, parseBcrypt},
		{"bcrypt", "$2y$", true, parseBcrypt},
		{"pbkdf2", "$pbkdf2$", false, parsePBKDF2},
		{"pbkdf2", "$pbkdf2-sha256$", false, parsePBKDF2},
		{"pbkdf2", "$pbkdf2-sha512$", false, parsePBKDF2},
		{"scrypt", "$scrypt$", false, parseScrypt},
		{"firebase", "$fbscrypt$", false, parseFirebase},
		{"crypt", "$5$", true, parseSHACrypt},
		{"crypt", "$6$", true, parseSHACrypt},
		{"crypt", "$1$", true, parseMD5Crypt},
		{"crypt", "$apr1$", false, parseMD5Crypt},
		{"crypt", "$y$", true, parseYescrypt},
		{"phpass", "$P$", false, parsePhpass},
		{"phpass", "$H$", false, parsePhpass},
		{"drupal", "$S$", false, parseDrupal},
		{"drupal", "U$S$", false, parseDrupal},
		// What import.go makes of other spellings.
		{"signet", "$" + scryptNFKCName + "$", false, parseScrypt},
		{"signet", phpassWordPress, false, parsePhpass},
		{"signet", digestPrefix, false, parseDigest},
		{"signet", wrappedPrefix, false, parseWrapped},
		{"signet", saltedPrefix, false, parseSaltedWrapped},
	}
	for _, t := range takings() {
		list = append(list, format{"signet", "$" + t.name + "$", false, parseKept})
	}
	for _, kind := range bcryptKinds() {
		list = append(list, format{"signet", "$" + kind.name + "$", false, parseBcrypt})
	}
	return list
}

// MaxSize is longer than any hash of a known format, in bytes.
const MaxSize = 512

// Parse reads a stored hash. It is quick whatever the hash asks for. Its errors are ErrFormat and never show
// the hash.
func Parse(stored string) (Hash, error) {
	if len(stored) > MaxSize {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrFormat, MaxSize)
	}
	for _, f := range formats() {
		if !strings.HasPrefix(stored, f.prefix) {
			continue
		}
		h, err := f.parse(stored)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrFormat, strings.Trim(f.prefix, "$-"), err)
		}
		return h, nil
	}
	return nil, fmt.Errorf("%w: it begins like no known format", ErrFormat)
}

// Peppered reports whether the password must be followed by the pepper of the old application when it is verified.
func Peppered(h Hash) bool {
	f, _ := ofOther(h)
	return f.peppered
}

// ofOther returns the hash of another program that h is or has wrapped.
func ofOther(h Hash) (foreign, bool) {
	if w, ok := h.(wrapped); ok {
		return w.inner, true
	}
	f, ok := h.(foreign)
	return f, ok
}

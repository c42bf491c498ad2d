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
	// Kind names the format with its costs, and Dummy is another hash of that kind, which no password matches.
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

// format is one spelling of hashes.
type format struct {
	prefix string
	parse  func(encoded string) (Hash, error) // gets all of the string; its error needs no ErrFormat
}

func formats() [5]format {
	return [...]format{
		{"$argon2id$", parseArgon2},
		{"$argon2i$", parseArgon2},
		{"$2a$", parseBcrypt},
		{"$2b$", parseBcrypt},
		{"$2y$", parseBcrypt},
	}
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
			return nil, fmt.Errorf("%w: %s: %w", ErrFormat, strings.Trim(f.prefix, "$"), err)
		}
		return h, nil
	}
	return nil, fmt.Errorf("%w: unknown scheme; bcrypt ($2a$…, $2b$…, $2y$…), $argon2id$… and $argon2i$… are", ErrFormat)
}

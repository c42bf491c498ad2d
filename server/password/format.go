package password

import (
	"fmt"
	"strings"
)

// hashed is a stored hash, read and found to be within its format's limits.
type hashed interface {
	// verify does the slow work and reports whether the normalised password is the right one.
	verify(password string) bool
	// weaker reports whether the hash should be replaced by one of argon2id with these costs.
	weaker(policy Params) bool
	// price is what verify takes, and refused why that is more than the caps allow.
	price() price
	refused(c Caps) error
	// kind names the format with its costs, and dummy is another hash of that kind.
	kind() string
	dummy() hashed
}

// format is one spelling of hashes.
type format struct {
	prefix string
	parse  func(encoded string) (hashed, error) // gets all of the string; its error needs no ErrFormat
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

// maxEncoded is longer than any hash of a known format.
const maxEncoded = 512

// parse reads a stored hash. It is quick whatever the hash asks for. Its errors are ErrFormat.
func parse(encoded string) (hashed, error) {
	if len(encoded) > maxEncoded {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrFormat, maxEncoded)
	}
	for _, f := range formats() {
		if !strings.HasPrefix(encoded, f.prefix) {
			continue
		}
		h, err := f.parse(encoded)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrFormat, strings.Trim(f.prefix, "$"), err)
		}
		return h, nil
	}
	return nil, fmt.Errorf("%w: unknown scheme; bcrypt ($2a$…, $2b$…, $2y$…), $argon2id$… and $argon2i$… are", ErrFormat)
}

// Supported reports whether Verify can check passwords against this hash: nil, or an ErrFormat that
// says what is wrong with it, or that it costs more than the caps allow. It does no slow work.
func (p *Pool) Supported(encoded string) error {
	_, err := p.read(encoded)
	return err
}

// read is parse within the pool's caps.
func (p *Pool) read(encoded string) (hashed, error) {
	h, err := parse(encoded)
	if err != nil {
		return nil, err
	}
	if why := h.refused(p.caps); why != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, why)
	}
	return h, nil
}

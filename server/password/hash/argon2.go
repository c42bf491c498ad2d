package hash

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	argon2d "github.com/go-crypt/x/argon2"
	"golang.org/x/crypto/argon2"
)

// Sizes of what New writes, and what is read.
const (
	saltSize = 16
	tagSize  = 32

	minSaltSize = 8 // RFC 9106 §3.1 and libargon2
	minTagSize  = 16
	maxPartSize = 64

	argon2ID = "argon2id"
	argon2I  = "argon2i"
	argon2D  = "argon2d"
)

// argon2Hash is a PHC string of argon2id, argon2i or argon2d:
//
//	$argon2id$v=19$m=19456,t=2,p=1$<salt>$<tag>
type argon2Hash struct {
	variant   string // "argon2id", "argon2i" or "argon2d"
	params    Params
	salt, tag []byte
}

// New returns the argon2id hash of a password with these costs and a new random salt. Its String is a PHC string.
func New(p Params, password []byte) Hash {
	h := blank(p)
	h.tag = h.derive(password)
	return h
}

// Dummy returns a hash of these costs that no password matches.
func Dummy(p Params) Hash { return blank(p).Dummy() }

func blank(p Params) argon2Hash {
	h := argon2Hash{variant: argon2ID, params: p.WithDefaults(), salt: make([]byte, saltSize), tag: make([]byte, tagSize)}
	rand.Read(h.salt)
	return h
}

func (h argon2Hash) derive(password []byte) []byte {
	p, size := h.params, uint32(len(h.tag))
	switch h.variant {
	case argon2ID:
		return argon2.IDKey(password, h.salt, p.Time, p.Memory, p.Threads, size)
	case argon2I:
		return argon2.Key(password, h.salt, p.Time, p.Memory, p.Threads, size)
	}
	return argon2d.DKey(password, h.salt, p.Time, p.Memory, uint32(p.Threads), size)
}

func (h argon2Hash) Verify(password []byte) bool {
	return subtle.ConstantTimeCompare(h.derive(password), h.tag) == 1
}

func (h argon2Hash) Weaker(policy Params) bool {
	return h.variant != argon2ID || h.params.below(policy) || len(h.salt) < saltSize || len(h.tag) < tagSize
}

func (h argon2Hash) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$%s$v=%d$m=%d,t=%d,p=%d$%s$%s", h.variant, argon2.Version,
		h.params.Memory, h.params.Time, h.params.Threads, b64.EncodeToString(h.salt), b64.EncodeToString(h.tag))
}

// parseArgon2 accepts one spelling of each hash: the one that libargon2 and passlib write. Version
// 1.0 (no "v=") is refused; x/crypto has only 1.3.
func parseArgon2(encoded string) (Hash, error) {
	part := strings.Split(encoded, "$")
	if len(part) != 6 {
		return nil, errors.New("not of the form $name$v=…$m=…,t=…,p=…$salt$tag")
	}
	h := argon2Hash{variant: part[1]}
	if h.variant != argon2ID && h.variant != argon2I && h.variant != argon2D {
		return nil, errors.New("not argon2id, argon2i or argon2d")
	}
	if part[2] != "v="+strconv.Itoa(argon2.Version) {
		return nil, errors.New("version is not 19")
	}
	var err error
	if h.params, err = parseCosts(part[3]); err != nil {
		return nil, err
	}
	if h.salt, err = decode(base64.RawStdEncoding, part[4], minSaltSize); err != nil {
		return nil, fmt.Errorf("salt: %w", err)
	}
	if h.tag, err = decode(base64.RawStdEncoding, part[5], minTagSize); err != nil {
		return nil, fmt.Errorf("tag: %w", err)
	}
	return h, nil
}

// parseCosts reads "m=19456,t=2,p=1".
func parseCosts(s string) (Params, error) {
	var n [3]uint64
	rest := s
	for i, c := range []struct {
		name string
		bits int
	}{{"m=", 32}, {"t=", 32}, {"p=", 8}} {
		var field string
		field, rest, _ = strings.Cut(rest, ",")
		digits, ok := strings.CutPrefix(field, c.name)
		v, err := strconv.ParseUint(digits, 10, c.bits)
		if !ok || err != nil || v == 0 || strconv.FormatUint(v, 10) != digits {
			return Params{}, fmt.Errorf("parameter %s is missing or not a number it can have", c.name[:1])
		}
		n[i] = v
	}
	p := Params{Memory: uint32(n[0]), Time: uint32(n[1]), Threads: uint8(n[2])}
	if strings.Count(s, ",") != 2 {
		return Params{}, errors.New("more parameters than m, t and p")
	}
	return p, p.Validate()
}

// Price is what one hash of these costs takes.
func (p Params) Price() Price {
	return Price{Memory: uint64(p.Memory) << 10, Work: uint64(p.Memory) * uint64(p.Time), Lanes: int(p.Threads)}
}

func (h argon2Hash) Price() Price { return h.params.Price() }

func (h argon2Hash) capped(c Caps) error {
	switch p := h.params; {
	case p.Memory > c.Memory:
		return fmt.Errorf("argon2 memory of %d KiB is more than the %d KiB that are allowed here", p.Memory, c.Memory)
	case uint64(p.Memory)*uint64(p.Time) > uint64(c.Work):
		return fmt.Errorf("argon2 with %d passes over %d KiB is more than the %d KiB in all that are allowed here", p.Time, p.Memory, c.Work)
	}
	return nil
}

func (h argon2Hash) Scheme() string { return h.variant }

func (h argon2Hash) Kind() string {
	return fmt.Sprintf("%s %d %d %d", h.variant, h.params.Memory, h.params.Time, h.params.Threads)
}

func (h argon2Hash) Dummy() Hash {
	h.salt, h.tag = make([]byte, len(h.salt)), make([]byte, len(h.tag))
	rand.Read(h.salt)
	rand.Read(h.tag)
	return h
}

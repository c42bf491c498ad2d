package hash

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"strings"
)

// foreign is a hash in the format of another program: a tag that is derived from a password and a salt.
type foreign struct {
	scheme string // name of the format
	costs  string // what is worked, for kinds and messages: "600000 iterations"; "" where it is always the same
	price  Price
	cost   int // of bcrypt, which has a cap of its own; else 0

	salt, tag []byte
	letters   bool // the tag is text in the alphabet of crypt(3), and the last letter may hold unused bits
	peppered  bool
	takes     string // of the password, see takings; "": all of it
	derive    func(password, salt []byte) []byte
	spell     func(salt, tag []byte) string
}

func (h foreign) Verify(password []byte) bool {
	return subtle.ConstantTimeCompare(h.derive(password, h.salt), h.tag) == 1
}

func (h foreign) Weaker(Params) bool { return true }
func (h foreign) Price() Price       { return h.price }
func (h foreign) Scheme() string     { return h.scheme }
func (h foreign) String() string     { return h.spell(h.salt, h.tag) }

func (h foreign) Kind() string {
	if h.letters {
		return strings.TrimSpace(h.scheme + " " + h.costs)
	}
	return fmt.Sprintf("%s %s, %d bytes", h.scheme, h.costs, len(h.tag)) // a longer tag may be more work
}

func (h foreign) Dummy() Hash {
	tag := make([]byte, len(h.tag))
	rand.Read(tag)
	if h.letters {
		for i, b := range tag {
			tag[i] = alphabet[b&63]
		}
		tag[len(tag)-1] = h.tag[len(tag)-1]
	}
	h.tag = tag
	return h
}

func (h foreign) capped(c Caps) error {
	switch {
	case h.cost > c.BcryptCost:
		return fmt.Errorf("%s with %s is more than the cost of %d that is allowed here", h.scheme, h.costs, c.BcryptCost)
	case h.cost > 0:
		return nil
	case h.price.Memory>>10 > uint64(c.Memory):
		return fmt.Errorf("%s with %s takes %d KiB of memory, more than the %d KiB that are allowed here", h.scheme, h.costs, h.price.Memory>>10, c.Memory)
	case h.price.Work > uint64(c.Work):
		return fmt.Errorf("%s with %s is as much work as argon2 over %d KiB, more than the %d KiB that are allowed here", h.scheme, h.costs, h.price.Work, c.Work)
	}
	return nil
}

// bounded refuses what no caps can allow.
func (h foreign) bounded() (Hash, error) {
	if err := h.capped(Caps{Memory: maxMemory, Work: maxWork, BcryptCost: bcryptMaxCost}); err != nil {
		return nil, err
	}
	return h, nil
}

// maxLetters bounds, in bytes, the passwords of formats whose work grows with the length of the password.
// crypt(3) refuses longer ones too (CRYPT_MAX_PASSPHRASE_SIZE).
const maxLetters = 511

// within calls derive with at most max bytes of the password. A longer one costs the same and matches nothing.
func within(max int, password []byte, derive func(password []byte) []byte) []byte {
	if len(password) <= max {
		return derive(password)
	}
	derive(password[:max])
	return nil
}

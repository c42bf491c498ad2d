package hash

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

const (
	bcryptSize     = 60 // $2b$12$ + 22 characters of salt + 31 of hash
	bcryptSaltEnd  = 29
	bcryptMinCost  = 4
	bcryptMaxCost  = 16 // seconds; each step above doubles them
	bcryptMaxBytes = 72 // what bcrypt reads of a password; the rest it would ignore

	bcryptAlphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
)

// bcryptHash is a hash in modular crypt form. $2a$, $2b$ and $2y$ name the same algorithm, apart
// from bugs in old C code that concern no password within the limits here.
type bcryptHash struct{ encoded []byte }

// Verify never lets bcrypt cut a password: a longer one costs the same and does not match, nor does
// one with a NUL, where C implementations stop reading.
func (h bcryptHash) Verify(password []byte) bool {
	whole := len(password) <= bcryptMaxBytes && bytes.IndexByte(password, 0) < 0
	read := password[:min(len(password), bcryptMaxBytes)]
	return bcrypt.CompareHashAndPassword(h.encoded, read) == nil && whole
}

func (h bcryptHash) Weaker(Params) bool { return true }

func parseBcrypt(encoded string) (Hash, error) {
	if len(encoded) != bcryptSize || encoded[6] != '$' {
		return nil, fmt.Errorf("not of the form $2b$cost$… with %d characters", bcryptSize)
	}
	tens, ones := encoded[4]-'0', encoded[5]-'0'
	if tens > 9 || ones > 9 {
		return nil, errors.New("cost is not a number")
	}
	if cost := 10*tens + ones; cost < bcryptMinCost || cost > bcryptMaxCost {
		return nil, fmt.Errorf("cost %d is not within %d to %d", cost, bcryptMinCost, bcryptMaxCost)
	}
	if strings.Trim(encoded[7:], bcryptAlphabet) != "" || strings.ContainsAny(encoded[7:], "$\r\n") {
		return nil, errors.New("characters outside bcrypt's base64")
	}
	return bcryptHash{canonicalBcrypt(encoded)}, nil
}

// canonicalBcrypt clears the two bits of the last character that mean nothing. Some old
// libraries left them set, and x/crypto compares text.
func canonicalBcrypt(encoded string) []byte {
	b64 := base64.NewEncoding(bcryptAlphabet).WithPadding(base64.NoPadding)
	tag, err := b64.DecodeString(encoded[bcryptSaltEnd:])
	if err != nil {
		return []byte(encoded)
	}
	return b64.AppendEncode([]byte(encoded[:bcryptSaltEnd]), tag)
}

// bcryptWork is one unit of bcrypt's 2^cost, in those of argon2: measured on one core, 61 µs to 0.7.
const bcryptWork = 87

func (h bcryptHash) cost() int { return 10*int(h.encoded[4]-'0') + int(h.encoded[5]-'0') }

func (h bcryptHash) Price() Price {
	return Price{Memory: 8 << 10, Work: bcryptWork << h.cost(), Lanes: 1}
}

func (h bcryptHash) capped(c Caps) error {
	if h.cost() > c.BcryptCost {
		return fmt.Errorf("bcrypt cost %d is more than the %d that is allowed here", h.cost(), c.BcryptCost)
	}
	return nil
}

func (h bcryptHash) Kind() string { return fmt.Sprint("bcrypt ", h.cost()) }

func (h bcryptHash) String() string { return string(h.encoded) }

func (h bcryptHash) Dummy() Hash {
	var random [bcryptSize - len("$2b$12$")]byte
	rand.Read(random[:])
	encoded := append(make([]byte, 0, bcryptSize), h.encoded[:7]...)
	for _, b := range random {
		encoded = append(encoded, bcryptAlphabet[int(b)%len(bcryptAlphabet)])
	}
	return bcryptHash{canonicalBcrypt(string(encoded))}
}

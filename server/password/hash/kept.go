package hash

import (
	"bytes"
	"errors"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Some programs take several texts for one password: bcrypt reads 72 bytes of it, WordPress leaves out white space at its
// ends, and Better Auth folds it to NFKC. A new hash of the text that one login happened to send would then refuse what
// the program accepted, its owner's own spelling among it. So the new hash is of what the program took of the password, and
// what is stored shows how that is taken, until a new password is set.

const (
	first72 = "first72"
	trimmed = "trimmed"
	nfkc    = "nfkc"
)

// taking is what a program takes of a password. Its name is in what is stored, "$name$argon2id$v=19$…".
type taking struct {
	name string
	take func(password []byte) []byte
}

func takings() []taking {
	return []taking{
		{first72, func(password []byte) []byte { return password[:min(len(password), bcryptMaxBytes)] }},
		{trimmed, func(password []byte) []byte { return bytes.Trim(password, wordPressSpace) }},
		{nfkc, norm.NFKC.Bytes},
	}
}

// kept is an argon2id hash of what another program took of a password.
type kept struct {
	argon2Hash
	taking taking
}

func parseKept(text string) (Hash, error) {
	for _, t := range takings() {
		rest, ok := strings.CutPrefix(text, "$"+t.name)
		if !ok {
			continue
		}
		if !strings.HasPrefix(rest, "$"+argon2ID+"$") {
			break
		}
		h, err := parseArgon2(rest)
		if err != nil {
			return nil, err
		}
		return kept{h.(argon2Hash), t}, nil
	}
	return nil, errors.New("not of the form $name$argon2id$…")
}

func (h kept) Verify(password []byte) bool { return h.argon2Hash.Verify(h.taking.take(password)) }
func (h kept) String() string              { return "$" + h.taking.name + h.argon2Hash.String() }

// Rehash returns what must be hashed in place of a password that matched the old hash: what is stored is the prefix and
// New's hash of the secret, which may be a part of the password's memory. Without an old hash it is the password.
func Rehash(old Hash, password []byte) (prefix string, secret []byte) {
	var t taking
	if h, ok := old.(kept); ok {
		t = h.taking
	}
	if h, ok := ofOther(old); ok {
		for _, known := range takings() {
			if known.name == h.takes {
				t = known
			}
		}
	}
	// A shorter password has a NUL behind it in the key of bcrypt, so that no other one matches.
	if t.take == nil || t.name == first72 && len(password) < bcryptMaxBytes {
		return "", password
	}
	return "$" + t.name, t.take(password)
}

package hash

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/blowfish" //nolint:staticcheck // bcrypt is made of it
)

const (
	bcryptSize     = 60 // $2b$12$ + 22 characters of salt + 31 of tag
	bcryptSaltEnd  = 29
	bcryptMinCost  = 4
	bcryptMaxCost  = 16 // seconds; each step above doubles them
	bcryptMaxBytes = 72 // what bcrypt reads of a password; the rest does not count

	bcryptAlphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

	// bcryptWork is one unit of bcrypt's 2^cost, in those of argon2: measured on one core, 61 µs to 0.7.
	bcryptWork = 87
)

var bcrypt64 = base64.NewEncoding(bcryptAlphabet).WithPadding(base64.NoPadding)

// bcryptKind is what a program does to a password before bcrypt. Its hash is stored as "$name$2b$12$…"; without a
// name it is bcrypt alone, as every program spells it.
type bcryptKind struct {
	name     string
	peppered bool
	takes    string // of the password, see takings
	prepare  func(password []byte, salt string) []byte
}

func bcryptKinds() []bcryptKind {
	return []bcryptKind{
		{name: "bcrypt-pepper", peppered: true, takes: first72}, // Devise: the caller has appended the pepper
		{name: "bcrypt-django", prepare: func(password []byte, _ string) []byte {
			sum := sha256.Sum256(password)
			return hex.AppendEncode(nil, sum[:])
		}},
		{name: "bcrypt-passlib1", prepare: func(password []byte, _ string) []byte {
			sum := sha256.Sum256(password)
			return base64.StdEncoding.AppendEncode(nil, sum[:])
		}},
		{name: "bcrypt-passlib2", prepare: func(password []byte, salt string) []byte {
			mac := hmac.New(sha256.New, []byte(salt))
			mac.Write(password)
			return base64.StdEncoding.AppendEncode(nil, mac.Sum(nil))
		}},
		{name: "bcrypt-wordpress", takes: trimmed, prepare: func(password []byte, _ string) []byte { // since 6.8
			mac := hmac.New(sha512.New384, []byte("wp-sha384"))
			mac.Write(asWordPress(password))
			return base64.StdEncoding.AppendEncode(nil, mac.Sum(nil))
		}},
	}
}

// asWordPress is the password as WordPress hashes it, from its forms and at its login: with a backslash before quotes and
// backslashes, then without white space at both ends.
func asWordPress(password []byte) []byte {
	slashed := strings.NewReplacer(`\`, `\\`, `'`, `\'`, `"`, `\"`, "\x00", `\0`).Replace(string(password))
	return bytes.Trim([]byte(slashed), wordPressSpace)
}

const wordPressSpace = " \n\r\t\v\x00" // what PHP trims

// parseBcrypt reads "$2b$12$…", and the same after a kind's name. $2a$, $2b$ and $2y$ name the same algorithm, apart
// from bugs in old C code that concern no password of less than 256 bytes; $2x$ has the sign extension bug.
func parseBcrypt(text string) (Hash, error) {
	for _, kind := range bcryptKinds() {
		if rest, ok := strings.CutPrefix(text, "$"+kind.name+"$"); ok {
			return newBcrypt(kind, "$"+rest)
		}
	}
	return newBcrypt(bcryptKind{takes: first72}, text)
}

func newBcrypt(kind bcryptKind, encoded string) (Hash, error) {
	if len(encoded) != bcryptSize || encoded[:2] != "$2" || strings.IndexByte("abxy", encoded[2]) < 0 || encoded[3] != '$' || encoded[6] != '$' {
		return nil, fmt.Errorf("not of the form $2b$cost$… with %d characters", bcryptSize)
	}
	tens, ones := encoded[4]-'0', encoded[5]-'0'
	if tens > 9 || ones > 9 {
		return nil, errors.New("cost is not a number")
	}
	cost := int(10*tens + ones)
	switch {
	case cost < bcryptMinCost:
		return nil, fmt.Errorf("cost %d is less than %d", cost, bcryptMinCost)
	case cost > bcryptMaxCost:
		return nil, fmt.Errorf("cost %d is more than %d, the highest that can be allowed", cost, bcryptMaxCost)
	}
	if !isLetters(encoded[7:]) {
		return nil, errors.New("characters outside bcrypt's base64")
	}
	version, salt := encoded[2], encoded[7:bcryptSaltEnd]
	// The two low bits of the last character mean nothing. Some old libraries left them set.
	tag, err := bcrypt64.DecodeString(encoded[bcryptSaltEnd:])
	if err != nil {
		return nil, errors.New("not bcrypt's base64")
	}
	prefix, scheme := encoded[:7], "bcrypt"
	if kind.name != "" {
		prefix, scheme = "$"+kind.name+prefix, kind.name
	}
	return foreign{
		scheme: scheme, costs: fmt.Sprint("cost ", cost), cost: cost, peppered: kind.peppered, takes: kind.takes,
		price: Price{Memory: 8 << 10, Work: bcryptWork << cost, Lanes: 1},
		salt:  []byte(salt), tag: bcrypt64.AppendEncode(nil, tag), letters: true,
		derive: func(password, salt []byte) []byte {
			if kind.prepare != nil {
				password = kind.prepare(password, string(salt))
			}
			return bcrypt(version, cost, password, salt)
		},
		spell: func(salt, tag []byte) string { return prefix + string(salt) + string(tag) },
	}.bounded()
}

// bcrypt returns the tag of a password, as letters. It reads 72 bytes: where a program handed bcrypt a longer password,
// only these count. A password with a NUL matches nothing: some programs stopped reading there and others did not.
func bcrypt(version byte, cost int, password, salt []byte) []byte {
	whole := bytes.IndexByte(password, 0) < 0
	key := bcryptKey(password, version == 'x')
	rawSalt := make([]byte, 17)
	if _, err := bcrypt64.Decode(rawSalt, salt); err != nil {
		return nil
	}
	rawSalt = rawSalt[:16]
	c, err := blowfish.NewSaltedCipher(key, rawSalt)
	if err != nil {
		return nil
	}
	for range uint64(1) << cost {
		blowfish.ExpandKey(key, c)
		blowfish.ExpandKey(rawSalt, c)
	}
	text := []byte("OrpheanBeholderScryDoubt")
	for i := 0; i < len(text); i += 8 {
		for range 64 {
			c.Encrypt(text[i:i+8], text[i:i+8])
		}
	}
	if !whole {
		return nil
	}
	return bcrypt64.AppendEncode(nil, text[:23]) // C code forgot the last byte, and so it stayed
}

// bcryptKey is the key that Blowfish gets: the password with a NUL behind it, again and again until there are 72 bytes.
// With the bug of $2x$, a byte above 127 sets all bits of its word before it.
func bcryptKey(password []byte, signExtension bool) []byte {
	cycle := append(slices.Clip(password), 0)
	key := make([]byte, bcryptMaxBytes)
	for i := range key {
		key[i] = cycle[i%len(cycle)]
	}
	if signExtension {
		for i := 0; i < len(key); i += 4 {
			var word uint32
			for _, b := range key[i : i+4] {
				word = word<<8 | uint32(int32(int8(b)))
			}
			key[i], key[i+1], key[i+2], key[i+3] = byte(word>>24), byte(word>>16), byte(word>>8), byte(word)
		}
	}
	return key
}

// readPasslibBcrypt reads passlib's bcrypt_sha256, "$bcrypt-sha256$2b,12$salt$tag" (version 1) and
// "$bcrypt-sha256$v=2,t=2b,r=12$salt$tag".
func readPasslibBcrypt(text string) (Hash, error) {
	part := strings.Split(text, "$")
	if len(part) != 5 {
		return nil, errors.New("not of the form $bcrypt-sha256$…$salt$tag")
	}
	version, cost, ok := strings.Cut(part[2], ",")
	name := "bcrypt-passlib1"
	if rest, two := strings.CutPrefix(part[2], "v=2,t="); two {
		name = "bcrypt-passlib2"
		version, cost, ok = strings.Cut(rest, ",r=")
	}
	if !ok || len(cost) > 2 || len(part[3]) != bcryptSaltEnd-7 {
		return nil, errors.New("neither version 1 nor version 2 of passlib's format")
	}
	if len(cost) == 1 {
		cost = "0" + cost
	}
	return parseBcrypt(fmt.Sprintf("$%s$%s$%s$%s%s", name, version, cost, part[3], part[4]))
}

// readDjangoBcrypt reads "bcrypt_sha256$$2b$12$…" and "bcrypt$$2b$12$…".
func readDjangoBcrypt(text string) (Hash, error) {
	if rest, ok := strings.CutPrefix(text, "bcrypt_sha256$$"); ok {
		return parseBcrypt("$bcrypt-django$" + rest)
	}
	return newBcrypt(bcryptKind{takes: first72}, strings.TrimPrefix(text, "bcrypt$"))
}

// readWordPressBcrypt reads "$wp$2y$10$…".
func readWordPressBcrypt(text string) (Hash, error) {
	return parseBcrypt("$bcrypt-wordpress$" + strings.TrimPrefix(text, "$wp$"))
}

// readDevise reads bcrypt of a password with the pepper behind it.
func readDevise(text string) (Hash, error) {
	return parseBcrypt("$bcrypt-pepper$" + strings.TrimPrefix(text, "$"))
}

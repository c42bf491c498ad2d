package hash

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"strings"
)

// A digest that is made once is fast to guess: it is wrapped before it is stored, see wrap.go. Earlier versions stored those
// with a salt as they are, and parseDigest reads them.

const (
	digestPrefix = "$digest$"
	digestScheme = "digest-"
	plainPrefix  = "$plain$"
)

// recipe is how a digest is made of a password and a salt. Its name is in what is stored,
// "$digest$name$salt$tag" in base64.
type recipe struct {
	name   string
	size   int
	digest func(password, salt []byte) []byte
}

func recipes() []recipe {
	var list []recipe
	for _, d := range []struct {
		name string
		new  func() hash.Hash
	}{{"md5", md5.New}, {"sha1", sha1.New}, {"sha256", sha256.New}, {"sha512", sha512.New}} {
		sum := func(parts ...[]byte) []byte {
			h := d.new()
			for _, p := range parts {
				h.Write(p)
			}
			return h.Sum(nil)
		}
		size := d.new().Size()
		list = append(list,
			recipe{d.name, size, func(password, salt []byte) []byte { return sum(password, salt) }},
			recipe{"salt-" + d.name, size, func(password, salt []byte) []byte { return sum(salt, password) }},
			recipe{"hmac-" + d.name, size, func(password, salt []byte) []byte {
				mac := hmac.New(d.new, salt)
				mac.Write(password)
				return mac.Sum(nil)
			}})
	}
	// Spring's StandardPasswordEncoder.
	return append(list, recipe{"spring-sha256", sha256.Size, func(password, salt []byte) []byte {
		sum := sha256.Sum256(append(bytes.Clone(salt), password...))
		for range 1023 {
			sum = sha256.Sum256(sum[:])
		}
		return sum[:]
	}})
}

func recipeOf(name string) (recipe, error) {
	for _, r := range recipes() {
		if r.name == name {
			return r, nil
		}
	}
	return recipe{}, errors.New("unknown digest")
}

func newDigest(r recipe, salt, tag []byte) (Hash, error) {
	if len(salt) > maxPartSize {
		return nil, fmt.Errorf("salt: %d bytes, not 1 to %d", len(salt), maxPartSize)
	}
	if len(tag) != r.size {
		return nil, fmt.Errorf("tag: %d bytes, not %d", len(tag), r.size)
	}
	b64 := base64.RawStdEncoding
	return foreign{
		scheme: digestScheme + r.name, price: Price{Memory: 4 << 10, Work: 1, Lanes: 1}, salt: salt, tag: tag,
		derive: r.digest,
		spell: func(salt, tag []byte) string {
			return digestPrefix + r.name + "$" + b64.EncodeToString(salt) + "$" + b64.EncodeToString(tag)
		},
	}, nil
}

// parseDigest reads what is stored. A digest without a salt is never stored so.
func parseDigest(text string) (Hash, error) { return digestText(text, 1) }

func digestText(text string, leastSalt int) (Hash, error) {
	part := strings.Split(strings.TrimPrefix(text, digestPrefix), "$")
	if len(part) != 3 {
		return nil, errors.New("not of the form $digest$name$salt$tag")
	}
	r, err := recipeOf(part[0])
	if err != nil {
		return nil, err
	}
	salt, err := decode(base64.RawStdEncoding, part[1], leastSalt)
	if err != nil {
		return nil, fmt.Errorf("salt: %w", err)
	}
	tag, err := decode(base64.RawStdEncoding, part[2], minTagSize)
	if err != nil {
		return nil, fmt.Errorf("tag: %w", err)
	}
	return newDigest(r, salt, tag)
}

// readBare reads a digest alone, in hexadecimal digits.
func readBare(name string) func(text string) (Hash, error) {
	return func(text string) (Hash, error) {
		r, err := recipeOf(name)
		if err != nil {
			return nil, err
		}
		tag, err := decodeHex(text)
		if err != nil {
			return nil, err
		}
		return newDigest(r, nil, tag)
	}
}

// readLDAPDigest reads "{SSHA}" and its kin: base64 of the digest and, behind it, the salt.
func readLDAPDigest(text string) (Hash, error) {
	name, encoded, _ := strings.Cut(strings.TrimPrefix(text, "{"), "}")
	names := map[string]string{"MD5": "md5", "SMD5": "md5", "SHA": "sha1", "SSHA": "sha1",
		"SHA256": "sha256", "SSHA256": "sha256", "SHA512": "sha512", "SSHA512": "sha512"}
	r, err := recipeOf(names[strings.ToUpper(name)])
	if err != nil {
		return nil, err
	}
	b, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return nil, errors.New("not base64")
	}
	name = strings.ToUpper(name)
	salted := strings.HasPrefix(name, "SS") || name == "SMD5"
	if len(b) < r.size || salted != (len(b) > r.size) {
		return nil, fmt.Errorf("%d bytes do not fit this scheme", len(b))
	}
	return newDigest(r, b[r.size:], b[:r.size])
}

// readSpringDigest reads "{MD5}hex" and "{SHA-256}{salt}hex", where the salt counts with its braces.
func readSpringDigest(text string) (Hash, error) {
	name, rest, _ := strings.Cut(text[1:], "}")
	r, err := recipeOf(map[string]string{"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-512": "sha512"}[name])
	if err != nil {
		return nil, err
	}
	salt := ""
	if strings.HasPrefix(rest, "{") {
		end := strings.IndexByte(rest, '}') + 1
		salt, rest = rest[:end], rest[end:]
	}
	tag, err := decodeHex(rest)
	if err != nil {
		return nil, err
	}
	return newDigest(r, []byte(salt), tag)
}

// readSpringSHA256 reads "{sha256}" of Spring's StandardPasswordEncoder: hex of 8 bytes of salt and the tag.
func readSpringSHA256(text string) (Hash, error) {
	b, err := decodeHex(strings.TrimPrefix(text, "{sha256}"))
	if err != nil {
		return nil, err
	}
	if len(b) != 8+sha256.Size {
		return nil, fmt.Errorf("%d bytes, not %d", len(b), 8+sha256.Size)
	}
	r, err := recipeOf("spring-sha256")
	if err != nil {
		return nil, err
	}
	return newDigest(r, b[:8], b[8:])
}

// threeParts reads "md5$salt$hex": a digest of salt and password to Django, a MAC to old Werkzeug.
func threeParts(text, recipePrefix string) (Hash, error) {
	part := strings.Split(text, "$")
	if len(part) != 3 {
		return nil, errors.New("not of the form digest$salt$tag")
	}
	if part[1] == "" {
		recipePrefix = ""
	}
	r, err := recipeOf(recipePrefix + part[0])
	if err != nil {
		return nil, err
	}
	tag, err := decodeHex(part[2])
	if err != nil {
		return nil, err
	}
	return newDigest(r, []byte(part[1]), tag)
}

func readDjangoDigest(text string) (Hash, error)   { return threeParts(text, "salt-") }
func readWerkzeugDigest(text string) (Hash, error) { return threeParts(text, "hmac-") }

// clear is a password that was stored as it is. It is never kept so.
type clear struct{ foreign }

func readPlain(text string) (Hash, error) {
	if text == "" || len(text) > maxPlain {
		return nil, fmt.Errorf("%d bytes, not 1 to %d", len(text), maxPlain)
	}
	return clear{foreign{scheme: "plain", tag: []byte(text), spell: func(_, tag []byte) string {
		return plainPrefix + base64.RawStdEncoding.EncodeToString(tag)
	}}}, nil
}

const maxPlain = 256

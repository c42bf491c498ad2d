package hash

import (
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strings"
)

// prf is the pseudo-random function of a PBKDF2: HMAC with this digest.
type prf struct {
	scheme string // also the name in passlib's spelling, which is the one that is stored
	new    func() hash.Hash
	size   int
	work   uint64 // of 1000 iterations of one block, in those of argon2
}

var (
	pbkdf2SHA1   = prf{"pbkdf2", sha1.New, sha1.Size, 300}
	pbkdf2SHA256 = prf{"pbkdf2-sha256", sha256.New, sha256.Size, 250}
	pbkdf2SHA512 = prf{"pbkdf2-sha512", sha512.New, sha512.Size, 850}
)

const maxIterations = 1<<32 - 1

func newPBKDF2(f prf, iterations uint64, salt, tag []byte) (Hash, error) {
	if len(salt) == 0 || len(salt) > maxPartSize {
		return nil, fmt.Errorf("salt: %d bytes, not 1 to %d", len(salt), maxPartSize)
	}
	if len(tag) < minTagSize || len(tag) > maxPartSize {
		return nil, fmt.Errorf("tag: %d bytes, not %d to %d", len(tag), minTagSize, maxPartSize)
	}
	if iterations < 1 || iterations > maxIterations {
		return nil, fmt.Errorf("%d iterations", iterations)
	}
	blocks := uint64((len(tag) + f.size - 1) / f.size)
	return foreign{
		scheme: f.scheme, costs: fmt.Sprint(iterations, " iterations"), salt: salt, tag: tag,
		price: Price{Memory: 4 << 10, Work: 1 + iterations*blocks*f.work/1000, Lanes: 1},
		derive: func(password, salt []byte) []byte {
			key, err := pbkdf2.Key(f.new, string(password), salt, int(iterations), len(tag))
			if err != nil { // FIPS mode refuses short salts and keys
				return nil
			}
			return key
		},
		spell: func(salt, tag []byte) string {
			return fmt.Sprintf("$%s$%d$%s$%s", f.scheme, iterations, ab64.EncodeToString(salt), ab64.EncodeToString(tag))
		},
	}.bounded()
}

// parsePBKDF2 reads what is stored, passlib's "$pbkdf2-sha256$29000$salt$tag".
func parsePBKDF2(text string) (Hash, error) {
	part := strings.Split(text, "$")
	if len(part) != 5 {
		return nil, errors.New("not of the form $name$iterations$salt$tag")
	}
	f := pbkdf2SHA1
	switch part[1] {
	case pbkdf2SHA256.scheme:
		f = pbkdf2SHA256
	case pbkdf2SHA512.scheme:
		f = pbkdf2SHA512
	}
	iterations, err := number(part[2], 1, maxIterations)
	if err != nil {
		return nil, fmt.Errorf("iterations: %w", err)
	}
	salt, err := decode(ab64, part[3], 1)
	if err != nil {
		return nil, fmt.Errorf("salt: %w", err)
	}
	tag, err := decode(ab64, part[4], minTagSize)
	if err != nil {
		return nil, fmt.Errorf("tag: %w", err)
	}
	return newPBKDF2(f, iterations, salt, tag)
}

// readPHCPBKDF2 reads "$pbkdf2-sha256$i=600000,l=32$salt$tag", the PHC string of Auth0 and others. The length may be missing.
func readPHCPBKDF2(text string) (Hash, error) {
	part := strings.Split(text, "$")
	if len(part) != 5 {
		return nil, errors.New("not of the form $pbkdf2-sha256$i=…,l=…$salt$tag")
	}
	f, ok := map[string]prf{"pbkdf2": pbkdf2SHA1, "pbkdf2-sha1": pbkdf2SHA1, "pbkdf2-sha256": pbkdf2SHA256, "pbkdf2-sha512": pbkdf2SHA512}[part[1]]
	if !ok {
		return nil, errors.New("its digest is not sha1, sha256 or sha512")
	}
	names := []string{"i", "l"}
	n, err := fields(part[2], names[:1+strings.Count(part[2], ",l=")]...)
	if err != nil {
		return nil, err
	}
	salt, err := decode(base64.RawStdEncoding, part[3], 1)
	if err != nil {
		return nil, fmt.Errorf("salt: %w", err)
	}
	tag, err := decode(base64.RawStdEncoding, part[4], minTagSize)
	if err != nil {
		return nil, fmt.Errorf("tag: %w", err)
	}
	if len(n) > 1 && n[1] != uint64(len(tag)) {
		return nil, fmt.Errorf("tag: %d bytes, not %d", len(tag), n[1])
	}
	return newPBKDF2(f, n[0], salt, tag)
}

// readLDAPPBKDF2 reads "{PBKDF2-SHA256}10000$salt$tag" of OpenLDAP and passlib.
func readLDAPPBKDF2(text string) (Hash, error) {
	name, rest, _ := strings.Cut(text[1:], "}")
	name = strings.ToLower(name)
	if name == "pbkdf2-sha1" {
		name = pbkdf2SHA1.scheme
	}
	return parsePBKDF2("$" + name + "$" + rest)
}

// readDjangoPBKDF2 reads "pbkdf2_sha256$600000$salt$tag".
func readDjangoPBKDF2(text string) (Hash, error) {
	part := strings.Split(text, "$")
	if len(part) != 4 {
		return nil, errors.New("not of the form pbkdf2_sha256$iterations$salt$tag")
	}
	f := pbkdf2SHA256
	if part[0] == "pbkdf2_sha1" {
		f = pbkdf2SHA1
	}
	iterations, err := number(part[1], 1, maxIterations)
	if err != nil {
		return nil, fmt.Errorf("iterations: %w", err)
	}
	tag, err := decode(base64.StdEncoding, part[3], minTagSize)
	if err != nil {
		return nil, fmt.Errorf("tag: %w", err)
	}
	return newPBKDF2(f, iterations, []byte(part[2]), tag)
}

// readWerkzeugPBKDF2 reads "pbkdf2:sha256:600000$salt$tag". Spellings without a number of iterations meant
// what was usual in the release that wrote them, and are refused.
func readWerkzeugPBKDF2(text string) (Hash, error) {
	part := strings.Split(text, "$")
	method := strings.Split(part[0], ":")
	if len(part) != 3 || len(method) != 3 {
		return nil, errors.New("not of the form pbkdf2:sha256:iterations$salt$tag")
	}
	var f prf
	switch method[1] {
	case "sha1":
		f = pbkdf2SHA1
	case "sha256":
		f = pbkdf2SHA256
	case "sha512":
		f = pbkdf2SHA512
	default:
		return nil, errors.New("its digest is not sha1, sha256 or sha512")
	}
	iterations, err := number(method[2], 1, maxIterations)
	if err != nil {
		return nil, fmt.Errorf("iterations: %w", err)
	}
	tag, err := decodeHex(part[2])
	if err != nil {
		return nil, fmt.Errorf("tag: %w", err)
	}
	return newPBKDF2(f, iterations, []byte(part[1]), tag)
}

// Spring's two defaults: {pbkdf2} and {pbkdf2@SpringSecurity_v5_8}. Hex of salt and tag.
const (
	springPBKDF2    = "{pbkdf2}"
	springPBKDF2v58 = "{pbkdf2@SpringSecurity_v5_8}"
)

func readSpringPBKDF2(text string) (Hash, error) {
	f, iterations, saltSize := pbkdf2SHA1, uint64(185000), 8
	encoded, v58 := strings.CutPrefix(text, springPBKDF2v58)
	if v58 {
		f, iterations, saltSize = pbkdf2SHA256, 310000, 16
	} else {
		encoded = strings.TrimPrefix(text, springPBKDF2)
	}
	b, err := decodeHex(encoded)
	if err != nil {
		return nil, err
	}
	if len(b) != saltSize+32 {
		return nil, fmt.Errorf("%d bytes, not the %d of Spring's default", len(b), saltSize+32)
	}
	return newPBKDF2(f, iterations, b[:saltSize], b[saltSize:])
}

func decodeHex(s string) ([]byte, error) {
	b, err := hex.DecodeString(s)
	if err != nil {
		return nil, errors.New("not hexadecimal digits")
	}
	return b, nil
}

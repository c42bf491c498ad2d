package hash

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"hash"
	"strings"

	"github.com/go-crypt/x/crypt"
	"github.com/go-crypt/x/yescrypt"
)

const (
	shaCryptRounds    = 5000 // where none are spelled
	shaCryptMinRounds = 1000
	shaCryptMaxRounds = 999999999
	shaCryptMaxSalt   = 16

	sha256CryptWork = 250 // of 1000 rounds, in those of argon2
	sha512CryptWork = 450
	md5CryptWork    = 600 // of all 1000 rounds
)

// cryptSalt reports whether s can be a salt of crypt(3), which allows nearly everything.
func cryptSalt(s string, most int) bool {
	return s != "" && len(s) <= most && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '$' || r == ':' })
}

// parseSHACrypt reads "$6$rounds=5000$salt$tag" and "$5$…", with or without rounds.
func parseSHACrypt(text string) (Hash, error) {
	scheme, newDigest, size, work := "sha512-crypt", sha512.New, 86, uint64(sha512CryptWork)
	if strings.HasPrefix(text, "$5$") {
		scheme, newDigest, size, work = "sha256-crypt", sha256.New, 43, uint64(sha256CryptWork)
	}
	part := strings.Split(text[3:], "$")
	rounds, prefix := uint64(shaCryptRounds), text[:3]
	if digits, ok := strings.CutPrefix(part[0], "rounds="); ok {
		var err error
		if rounds, err = number(digits, shaCryptMinRounds, shaCryptMaxRounds); err != nil {
			return nil, fmt.Errorf("rounds: %w", err)
		}
		prefix += part[0] + "$"
		part = part[1:]
	}
	if len(part) != 2 || !cryptSalt(part[0], shaCryptMaxSalt) {
		return nil, errors.New("not of the form $6$rounds=…$salt$tag with a salt of at most 16 characters")
	}
	if err := checkLetters(part[1], size); err != nil {
		return nil, err
	}
	return foreign{
		scheme: scheme, costs: fmt.Sprint(rounds, " rounds"), salt: []byte(part[0]), tag: []byte(part[1]), letters: true,
		price: Price{Memory: 4 << 10, Work: 1 + rounds*work/1000, Lanes: 1},
		derive: func(password, salt []byte) []byte {
			return within(maxLetters, password, func(password []byte) []byte {
				return crypt.KeySHACrypt(newDigest, password, salt, int(rounds))
			})
		},
		spell: func(salt, tag []byte) string { return prefix + string(salt) + "$" + string(tag) },
	}.bounded()
}

// checkLetters reports whether s can be a tag of so many letters. The last one must have no bits beyond the tag's bytes.
func checkLetters(s string, size int) error {
	if len(s) != size || !isLetters(s) {
		return fmt.Errorf("tag is not %d characters of crypt's base64", size)
	}
	if spare := size * 6 % 8; strings.IndexByte(alphabet, s[size-1])>>(6-spare) != 0 {
		return errors.New("last character of the tag has bits that it cannot have")
	}
	return nil
}

// parseMD5Crypt reads "$1$salt$tag" and Apache's "$apr1$salt$tag".
func parseMD5Crypt(text string) (Hash, error) {
	scheme, magic := "md5-crypt", "$1$"
	if strings.HasPrefix(text, "$apr1$") {
		scheme, magic = "apr1", "$apr1$"
	}
	salt, tag, ok := strings.Cut(text[len(magic):], "$")
	if !ok || !cryptSalt(salt, 8) {
		return nil, errors.New("not of the form " + magic + "salt$tag with a salt of at most 8 characters")
	}
	if err := checkLetters(tag, 22); err != nil {
		return nil, err
	}
	return foreign{
		scheme: scheme, salt: []byte(salt), tag: []byte(tag), letters: true,
		price: Price{Memory: 4 << 10, Work: md5CryptWork, Lanes: 1},
		derive: func(password, salt []byte) []byte {
			return within(maxLetters, password, func(password []byte) []byte { return md5Crypt(magic, password, salt) })
		},
		spell: func(salt, tag []byte) string { return magic + string(salt) + "$" + string(tag) },
	}.bounded()
}

// md5Crypt is Poul-Henning Kamp's algorithm. Apache's differs in the magic that goes into the first digest.
func md5Crypt(magic string, password, salt []byte) []byte {
	digest := func(parts ...[]byte) []byte {
		sum := md5.Sum(bytes.Join(parts, nil))
		return sum[:]
	}
	filled := digest(password, salt, password)
	first := [][]byte{password, []byte(magic), salt}
	for n := len(password); n > 0; n -= md5.Size {
		first = append(first, filled[:min(n, md5.Size)])
	}
	for n := len(password); n > 0; n >>= 1 {
		if n&1 != 0 {
			first = append(first, []byte{0})
		} else {
			first = append(first, password[:1])
		}
	}
	sum := digest(first...)
	for i := range 1000 {
		a, b := sum, password
		if i&1 != 0 {
			a, b = b, a
		}
		parts := [][]byte{a}
		if i%3 != 0 {
			parts = append(parts, salt)
		}
		if i%7 != 0 {
			parts = append(parts, password)
		}
		sum = digest(append(parts, b)...)
	}
	order := [...]int{12, 6, 0, 13, 7, 1, 14, 8, 2, 15, 9, 3, 5, 10, 4, 11}
	out := make([]byte, len(order))
	for i, from := range order {
		out[i] = sum[from]
	}
	return encode64(out)
}

const yescryptWork = 3800 // of 1 MiB, in those of argon2

// parseYescrypt reads "$y$j9T$salt$tag" with the parameters that libxcrypt writes: the usual flags (j), log2 N, r.
func parseYescrypt(text string) (Hash, error) {
	part := strings.Split(text, "$")
	if len(part) != 5 || len(part[2]) != 3 || part[2][0] != 'j' || !isLetters(part[2]) {
		return nil, errors.New("not of the form $y$j9T$salt$tag")
	}
	ln, r := strings.IndexByte(alphabet, part[2][1])+1, strings.IndexByte(alphabet, part[2][2])+1
	if ln < 10 || ln > 18 || r > 32 {
		return nil, fmt.Errorf("parameters N=2^%d, r=%d", ln, r)
	}
	salt := yescrypt.Decode64([]byte(part[3]))
	if len(salt) == 0 || len(salt) > maxPartSize || string(encode64(salt)) != part[3] {
		return nil, errors.New("salt is not in yescrypt's base64")
	}
	if err := checkLetters(part[4], 43); err != nil {
		return nil, err
	}
	memory := uint64(128*r) << ln
	return foreign{
		scheme: "yescrypt", costs: fmt.Sprintf("ln=%d,r=%d", ln, r), salt: salt, tag: []byte(part[4]), letters: true,
		price: Price{Memory: memory, Work: memory * yescryptWork >> 20, Lanes: 1},
		derive: func(password, salt []byte) []byte {
			key, err := yescrypt.Key(password, salt, 1<<ln, r, 1, 32)
			if err != nil {
				return nil
			}
			return encode64(key)
		},
		spell: func(salt, tag []byte) string {
			return "$y$" + part[2] + "$" + string(encode64(salt)) + "$" + string(tag)
		},
	}.bounded()
}

// readLDAPCrypt reads "{CRYPT}" before a hash of crypt(3).
func readLDAPCrypt(text string) (Hash, error) {
	inner := text[len("{CRYPT}"):]
	for _, f := range formats() {
		if f.crypt && strings.HasPrefix(inner, f.prefix) {
			return f.parse(inner)
		}
	}
	return nil, errors.New("{CRYPT} with a scheme other than $1$, $2…$, $5$, $6$ and $y$; DES is not supported")
}

// phpassHash is what phpass and Drupal 7 have in common: a digest of salt and password, then of digest and password
// 2^n times.
func phpassHash(text, prefix, scheme, takes string, newDigest func() hash.Hash, work uint64, size int, prepare func([]byte) []byte) (Hash, error) {
	rest := strings.TrimPrefix(text, prefix)
	if len(rest) != 9+size || !isLetters(rest) {
		return nil, fmt.Errorf("not of the form %s… with %d characters", prefix, len(prefix)+9+size)
	}
	ln := strings.IndexByte(alphabet, rest[0])
	if ln < 7 || ln > 30 {
		return nil, fmt.Errorf("2^%d rounds", ln)
	}
	whole := encodedLen(newDigest().Size()) == size
	if whole {
		if err := checkLetters(rest[9:], size); err != nil {
			return nil, err
		}
	}
	return foreign{
		scheme: scheme, takes: takes, costs: fmt.Sprintf("2^%d rounds", ln), salt: []byte(rest[1:9]), tag: []byte(rest[9:]), letters: true,
		price: Price{Memory: 4 << 10, Work: 1 + work<<ln/1000, Lanes: 1},
		derive: func(password, salt []byte) []byte {
			return within(maxLetters, prepare(password), func(password []byte) []byte {
				d := newDigest()
				d.Write(salt)
				d.Write(password)
				sum := d.Sum(nil)
				for range 1 << ln {
					d.Reset()
					d.Write(sum)
					d.Write(password)
					sum = d.Sum(sum[:0])
				}
				return encode64(sum)[:size]
			})
		},
		spell: func(salt, tag []byte) string { return prefix + rest[:1] + string(salt) + string(tag) },
	}.bounded()
}

func encodedLen(n int) int { return (n*8 + 5) / 6 }

func asTyped(password []byte) []byte { return password }

const phpassWordPress = "$phpass-wordpress$"

// parsePhpass reads "$P$B…", which phpBB spells "$H$9…", and what is stored of WordPress's.
func parsePhpass(text string) (Hash, error) {
	if strings.HasPrefix(text, phpassWordPress) {
		return phpassHash(text, phpassWordPress, "phpass-wordpress", trimmed, md5.New, 170, 22, asWordPress)
	}
	return phpassHash(text, text[:3], "phpass", "", md5.New, 170, 22, asTyped)
}

// readWordPressPhpass reads WordPress's "$P$B…" of before 6.8.
func readWordPressPhpass(text string) (Hash, error) {
	return parsePhpass(phpassWordPress + strings.TrimPrefix(text, "$P$"))
}

// parseDrupal reads "$S$D…", whose tag is cut to 43 characters, and "U$S$9…" of users who came from Drupal 6, where the
// password is its MD5 in hexadecimal digits.
func parseDrupal(text string) (Hash, error) {
	if strings.HasPrefix(text, "U") {
		return phpassHash(text, "U$S$", "drupal-md5", "", sha512.New, 430, 43, func(password []byte) []byte {
			return fmt.Appendf(nil, "%x", md5.Sum(password))
		})
	}
	return phpassHash(text, "$S$", "drupal", "", sha512.New, 430, 43, asTyped)
}

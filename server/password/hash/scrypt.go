package hash

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/scrypt"
	"golang.org/x/text/unicode/norm"
)

// scryptCosts are scrypt's parameters (RFC 7914).
type scryptCosts struct {
	ln   uint64 // N is 2^ln
	r, p uint64
}

const scryptWork = 5000 // of 1 MiB filled once, in those of argon2

func (c scryptCosts) validate() error {
	if c.ln < 1 || c.ln > 24 || c.r < 1 || c.r > 1024 || c.p < 1 || c.p > 1024 {
		return fmt.Errorf("parameters N=2^%d, r=%d, p=%d", c.ln, c.r, c.p)
	}
	return nil
}

func (c scryptCosts) String() string { return fmt.Sprintf("ln=%d,r=%d,p=%d", c.ln, c.r, c.p) }

func (c scryptCosts) price() Price {
	memory := 128 * c.r << c.ln
	return Price{Memory: memory + 384*c.r*c.p, Work: 1 + memory*c.p*scryptWork>>20, Lanes: 1}
}

func (c scryptCosts) key(password, salt []byte, size int) []byte {
	key, err := scrypt.Key(password, salt, 1<<c.ln, int(c.r), int(c.p), size)
	if err != nil { // newScrypt and newFirebase have checked the parameters
		return nil
	}
	return key
}

const (
	scryptName     = "scrypt"
	scryptNFKCName = "scrypt-nfkc" // of the password in NFKC, as Better Auth and Lucia derive it
)

func newScrypt(scheme string, c scryptCosts, salt, tag []byte) (Hash, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	if len(salt) == 0 || len(salt) > maxPartSize {
		return nil, fmt.Errorf("salt: %d bytes, not 1 to %d", len(salt), maxPartSize)
	}
	if len(tag) < minTagSize || len(tag) > maxPartSize {
		return nil, fmt.Errorf("tag: %d bytes, not %d to %d", len(tag), minTagSize, maxPartSize)
	}
	takes := ""
	if scheme == scryptNFKCName {
		takes = nfkc
	}
	b64 := base64.RawStdEncoding
	return foreign{
		scheme: scheme, takes: takes, costs: c.String(), price: c.price(), salt: salt, tag: tag,
		derive: func(password, salt []byte) []byte {
			if scheme == scryptNFKCName {
				password = norm.NFKC.Bytes(password)
			}
			return c.key(password, salt, len(tag))
		},
		spell: func(salt, tag []byte) string {
			return fmt.Sprintf("$%s$%s$%s$%s", scheme, c, b64.EncodeToString(salt), b64.EncodeToString(tag))
		},
	}.bounded()
}

// parseScrypt reads what is stored, passlib's "$scrypt$ln=16,r=8,p=1$salt$tag".
func parseScrypt(text string) (Hash, error) {
	part := strings.Split(text, "$")
	if len(part) != 5 {
		return nil, errors.New("not of the form $scrypt$ln=…,r=…,p=…$salt$tag")
	}
	n, err := fields(part[2], "ln", "r", "p")
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
	return newScrypt(part[1], scryptCosts{n[0], n[1], n[2]}, salt, tag)
}

// readDjangoScrypt reads "scrypt$N$salt$r$p$tag".
func readDjangoScrypt(text string) (Hash, error) {
	part := strings.Split(text, "$")
	if len(part) != 6 {
		return nil, errors.New("not of the form scrypt$N$salt$r$p$tag")
	}
	c, err := scryptOfN(part[1], part[3], part[4])
	if err != nil {
		return nil, err
	}
	tag, err := decode(base64.StdEncoding, part[5], minTagSize)
	if err != nil {
		return nil, fmt.Errorf("tag: %w", err)
	}
	return newScrypt(scryptName, c, []byte(part[2]), tag)
}

// readWerkzeugScrypt reads "scrypt:N:r:p$salt$tag".
func readWerkzeugScrypt(text string) (Hash, error) {
	part := strings.Split(text, "$")
	method := strings.Split(part[0], ":")
	if len(part) != 3 || len(method) != 4 {
		return nil, errors.New("not of the form scrypt:N:r:p$salt$tag")
	}
	c, err := scryptOfN(method[1], method[2], method[3])
	if err != nil {
		return nil, err
	}
	tag, err := decodeHex(part[2])
	if err != nil {
		return nil, fmt.Errorf("tag: %w", err)
	}
	return newScrypt(scryptName, c, []byte(part[1]), tag)
}

// scryptOfN reads costs where N itself is spelled.
func scryptOfN(n, r, p string) (scryptCosts, error) {
	var v [3]uint64
	for i, s := range []string{n, r, p} {
		var err error
		if v[i], err = number(s, 1, 1<<24); err != nil {
			return scryptCosts{}, fmt.Errorf("parameter %s: %w", []string{"N", "r", "p"}[i], err)
		}
	}
	if bits.OnesCount64(v[0]) != 1 {
		return scryptCosts{}, errors.New("parameter N is not a power of two")
	}
	return scryptCosts{uint64(bits.TrailingZeros64(v[0])), v[1], v[2]}, nil
}

// Spring's {scrypt} and {scrypt@SpringSecurity_v5_8} differ in their default costs, which are spelled.
const (
	springScrypt    = "{scrypt}"
	springScryptv58 = "{scrypt@SpringSecurity_v5_8}"
)

// readSpringScrypt reads "{scrypt}$e0801$salt$tag": hex of log2 N (16 bits), r and p (8 bits each), then base64.
func readSpringScrypt(text string) (Hash, error) {
	_, rest, _ := strings.Cut(text, "}")
	part := strings.Split(rest, "$")
	if len(part) != 4 || part[0] != "" {
		return nil, errors.New("not of the form $costs$salt$tag")
	}
	costs, err := strconv.ParseUint(part[1], 16, 32)
	if err != nil {
		return nil, errors.New("costs are not hexadecimal digits")
	}
	salt, err := decode(base64.StdEncoding, part[2], 1)
	if err != nil {
		return nil, fmt.Errorf("salt: %w", err)
	}
	tag, err := decode(base64.StdEncoding, part[3], minTagSize)
	if err != nil {
		return nil, fmt.Errorf("tag: %w", err)
	}
	return newScrypt(scryptName, scryptCosts{costs >> 16, costs >> 8 & 0xff, costs & 0xff}, salt, tag)
}

// readBetterAuth reads "salt:key" of Better Auth and of Lucia 3, and "s2:salt:key" of Lucia 2. The salt is used
// as its hexadecimal digits are spelled.
func readBetterAuth(text string) (Hash, error) {
	return saltColonKey(strings.TrimPrefix(text, "s2:"), scryptCosts{14, 16, 1})
}

// readLuciaLegacy reads "salt:key" of Lucia 1, with half of the memory.
func readLuciaLegacy(text string) (Hash, error) { return saltColonKey(text, scryptCosts{14, 8, 1}) }

func saltColonKey(text string, c scryptCosts) (Hash, error) {
	salt, encoded, ok := strings.Cut(text, ":")
	tag, err := hex.DecodeString(encoded)
	if !ok || err != nil || len(tag) != 64 || strings.Trim(salt, "0123456789abcdefABCDEFghijklmnopqrstuvwxyzGHIJKLMNOPQRSTUVWXYZ") != "" {
		return nil, errors.New("not of the form salt:key with 128 hexadecimal digits of key")
	}
	return newScrypt(scryptNFKCName, c, []byte(salt), tag)
}

const firebaseName = "fbscrypt"

// firebase is Firebase's scrypt: the derived key encrypts the signer key of the project, and the result is the tag.
type firebase struct {
	costs             scryptCosts
	separator, signer []byte
}

func (f firebase) derive(password, salt []byte) []byte {
	key := f.costs.key(password, slices.Concat(salt, f.separator), 32)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil
	}
	out := make([]byte, len(f.signer))
	cipher.NewCTR(block, make([]byte, aes.BlockSize)).XORKeyStream(out, f.signer)
	return out
}

// parseFirebase reads what is stored, Supabase's "$fbscrypt$v=1,n=14,r=8,p=1,ss=…,sk=…$salt$tag": n is log2 N (mem_cost),
// r is rounds, ss the salt separator and sk the signer key.
func parseFirebase(text string) (Hash, error) {
	part := strings.Split(text, "$")
	if len(part) != 5 {
		return nil, errors.New("not of the form $fbscrypt$v=1,n=…,r=…,p=…,ss=…,sk=…$salt$tag")
	}
	costs, rest, ok := strings.Cut(part[2], ",ss=")
	separatorText, signerText, ok2 := strings.Cut(rest, ",sk=")
	if !ok { // there may be no separator
		costs, signerText, ok2 = strings.Cut(part[2], ",sk=")
	}
	if !ok2 {
		return nil, errors.New("no signer key (sk=)")
	}
	n, err := fields(costs, "v", "n", "r", "p")
	if err != nil {
		return nil, err
	}
	f := firebase{costs: scryptCosts{n[1], n[2], n[3]}}
	if n[0] != 1 {
		return nil, errors.New("version is not 1")
	}
	if err := f.costs.validate(); err != nil {
		return nil, err
	}
	var salt, tag []byte
	for _, p := range []struct {
		name, text string
		least      int
		into       *[]byte
	}{{"salt separator", separatorText, 0, &f.separator}, {"signer key", signerText, 16, &f.signer}, {"salt", part[3], 1, &salt}, {"tag", part[4], 16, &tag}} {
		if *p.into, err = decode(base64.StdEncoding, p.text, p.least); err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	if len(tag) != len(f.signer) {
		return nil, errors.New("the tag is not as long as the signer key")
	}
	if ok && len(f.separator) == 0 {
		return nil, errors.New("salt separator: empty")
	}
	return foreign{
		scheme: firebaseName, costs: f.costs.String(), price: f.costs.price(), salt: salt, tag: tag, derive: f.derive,
		spell: func(salt, tag []byte) string {
			b64 := base64.StdEncoding
			return fmt.Sprintf("$%s$%s$%s$%s", firebaseName, part[2], b64.EncodeToString(salt), b64.EncodeToString(tag))
		},
	}.bounded()
}

// readFirebase is parseFirebase for base64 that is safe in URLs, which some exports have.
func readFirebase(text string) (Hash, error) {
	return parseFirebase(strings.NewReplacer("-", "+", "_", "/").Replace(text))
}

// fields reads "ln=16,r=8,p=1".
func fields(text string, names ...string) ([]uint64, error) {
	list := strings.Split(text, ",")
	if len(list) != len(names) {
		return nil, fmt.Errorf("parameters are not %s", strings.Join(names, ", "))
	}
	out := make([]uint64, len(names))
	for i, name := range names {
		digits, ok := strings.CutPrefix(list[i], name+"=")
		if !ok {
			return nil, fmt.Errorf("parameters are not %s", strings.Join(names, ", "))
		}
		var err error
		if out[i], err = number(digits, 0, 1<<32-1); err != nil {
			return nil, fmt.Errorf("parameter %s: %w", name, err)
		}
	}
	return out, nil
}

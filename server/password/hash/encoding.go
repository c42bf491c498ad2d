package hash

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// alphabet of crypt(3), in the order of all its formats but bcrypt.
const alphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// isLetters reports whether s is text in the alphabet of crypt(3), of bcrypt too.
func isLetters(s string) bool {
	for i := range len(s) {
		if strings.IndexByte(alphabet, s[i]) < 0 {
			return false
		}
	}
	return true
}

// encode64 is base64 in the order of crypt(3): the lowest bits of the first byte come first.
func encode64(b []byte) []byte {
	out := make([]byte, 0, (len(b)*8+5)/6)
	for len(b) > 0 {
		var v uint32
		n := min(3, len(b))
		for i := range n {
			v |= uint32(b[i]) << (8 * i)
		}
		for bits := 8 * n; bits > 0; bits -= 6 {
			out = append(out, alphabet[v&63])
			v >>= 6
		}
		b = b[n:]
	}
	return out
}

// passlib's "ab64": base64 with a dot for the plus, without padding.
var ab64 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789./").WithPadding(base64.NoPadding).Strict()

// decode reads a part of a hash in base64, of least to maxPartSize bytes.
func decode(encoding *base64.Encoding, s string, least int) ([]byte, error) {
	// The decoder skips line breaks, which no hash has.
	if strings.ContainsAny(s, "\r\n") {
		return nil, errors.New("line break inside")
	}
	b, err := encoding.Strict().DecodeString(s)
	if err != nil {
		return nil, errors.New("not base64 as this format writes it")
	}
	if len(b) < least || len(b) > maxPartSize {
		return nil, fmt.Errorf("%d bytes, not %d to %d", len(b), least, maxPartSize)
	}
	return b, nil
}

// number reads a decimal number without leading zeros.
func number(s string, least, most uint64) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || strconv.FormatUint(n, 10) != s {
		return 0, errors.New("not a number")
	}
	if n < least || n > most {
		return 0, fmt.Errorf("%d is not within %d to %d", n, least, most)
	}
	return n, nil
}

package password

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// MaxLength is the most code points a password has, after normalisation.
const MaxLength = 256

// maxRaw bounds what is normalised at all. Decomposed text needs up to nine bytes for what is one
// code point afterwards (a Hangul syllable), so that MaxLength of them are within it.
const maxRaw = 4096

// Normalize returns the password as it is hashed: in Unicode's NFC, otherwise as it was typed. Text
// that is not UTF-8 or contains control characters, NUL among them, is ErrPassword.
func Normalize(password string) (string, error) {
	if !utf8.ValidString(password) {
		return "", fmt.Errorf("%w: it is not UTF-8", ErrPassword)
	}
	if strings.ContainsFunc(password, unicode.IsControl) {
		return "", fmt.Errorf("%w: it contains control characters", ErrPassword)
	}
	return norm.NFC.String(password), nil
}

// normalizeWithin is Normalize with the bounds of what is ever hashed.
func normalizeWithin(password string) (string, error) {
	if len(password) > maxRaw {
		return "", fmt.Errorf("%w: more than %d bytes; %d characters are the most", ErrTooLong, maxRaw, MaxLength)
	}
	text, err := Normalize(password)
	if err != nil {
		return "", err
	}
	if n := utf8.RuneCountInString(text); n > MaxLength {
		return "", fmt.Errorf("%w: %d characters; %d are the most", ErrTooLong, n, MaxLength)
	}
	return text, nil
}

package password

import (
	"fmt"
	"unicode/utf8"
)

// Bounds of Policy.MinLength.
const (
	DefaultMinLength = 15 // NIST SP 800-63B-4 §3.1.1.2, for a password that is the only factor
	leastMinLength   = 8
	mostMinLength    = 64 // a length that must be accepted cannot be refused
)

// Policy has the rules for passwords that may be chosen. The zero value is the default policy.
type Policy struct {
	MinLength int        // in code points after normalisation; 0: 15, otherwise 8 to 64
	Blocklist *Blocklist // breached passwords, besides what is always refused; nil: none
	Breached  Breached   // as many as are known; nil: none
	Context   []string   // names of the service, the company and so on, of which no password may be made
}

// Breached is a collection of breached passwords. *breached.Filter is one.
type Breached interface {
	// Contains reports whether the normalised password is there. An error means that it is not known.
	Contains(password string) (bool, error)
}

// Validate reports whether MinLength can be used.
func (p Policy) Validate() error {
	if n := p.LeastLength(); n < leastMinLength || n > mostMinLength {
		return fmt.Errorf("minimum password length: %d is not within %d to %d", n, leastMinLength, mostMinLength)
	}
	return nil
}

// LeastLength returns how many characters a password must have.
func (p Policy) LeastLength() int {
	if p.MinLength == 0 {
		return DefaultMinLength
	}
	return p.MinLength
}

// Check reports whether the user may choose the password: nil, or an error to show, with the reason
// and what to do, never the password. It is one of ErrTooShort, ErrTooLong, ErrPassword, ErrCommon,
// ErrContext, Validate's, or that of Breached.
func (p Policy) Check(username, password string) error {
	if err := p.Validate(); err != nil {
		return err
	}
	text, err := normalizeWithin(password)
	if err != nil {
		return fmt.Errorf("%w; choose one of %d to %d printable characters", err, p.LeastLength(), MaxLength)
	}
	if n := utf8.RuneCountInString(text); n < p.LeastLength() {
		return fmt.Errorf("%w: %d characters; use at least %d, for example a few unrelated words", ErrTooShort, n, p.LeastLength())
	}
	switch breached, err := p.IsBreached(text); {
	case err != nil:
		return err
	case breached:
		return fmt.Errorf("%w: it is in a list of breached passwords; choose one that you use nowhere else", ErrCommon)
	}
	return guessable(text, contextWords(username, p.Context))
}

// IsBreached reports whether the normalised password is in one of the lists. An error means that it is not known.
func (p Policy) IsBreached(text string) (bool, error) {
	if p.Blocklist.Contains(text) {
		return true, nil
	}
	if p.Breached == nil {
		return false, nil
	}
	return p.Breached.Contains(text)
}

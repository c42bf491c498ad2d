package hash

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// A hash that is fast to guess is stored only wrapped: what its program derived, the tag, is hashed again with argon2id, in
// place of a password. The salt stays in what is stored, so that a login can derive the tag first.

// fastWork is the work below which a hash is fast: a sixteenth of what a new one takes by default. A graphics card tries
// more than a million passwords a second against such a hash.
const fastWork = 2432

// innerWork bounds what is read of a wrapped hash. It has room for prices that are measured anew: what is stored must stay
// readable.
const innerWork = 4 * fastWork

const (
	wrappedPrefix = "$wrapped-" // of a digest without a salt: "$wrapped-md5$argon2id$v=19$…"
	saltedPrefix  = "$wrapped$" // of any other hash, which follows with zeros for its tag: "$wrapped$$1$salt$......................$argon2id$v=19$…"
)

// fast reports whether the hash must be wrapped. bcrypt never is: what it costs a processor it costs a graphics card too.
func (h foreign) fast() bool { return h.cost == 0 && h.price.Work < fastWork }

// blank is the hash without its tag.
func (h foreign) blank() foreign {
	h.tag = make([]byte, len(h.tag))
	if h.letters {
		for i := range h.tag {
			h.tag[i] = alphabet[0]
		}
	}
	return h
}

// wrapped is an argon2id hash of the tag of an inner hash, which is blank.
type wrapped struct {
	argon2Hash
	inner foreign
}

// parseWrapped reads "$wrapped-md5$argon2id$v=19$…".
func parseWrapped(text string) (Hash, error) {
	name, rest, _ := strings.Cut(strings.TrimPrefix(text, wrappedPrefix), "$")
	r, err := recipeOf(name)
	if err != nil {
		return nil, err
	}
	inner, err := newDigest(r, nil, make([]byte, r.size))
	if err != nil {
		return nil, err
	}
	return newWrapped(inner, "$"+rest)
}

// parseSaltedWrapped reads "$wrapped$", a hash with zeros for its tag, and "$argon2id$v=19$…".
func parseSaltedWrapped(text string) (Hash, error) {
	rest := strings.TrimPrefix(text, saltedPrefix)
	end := strings.LastIndex(rest, "$"+argon2ID+"$")
	if end < 0 || strings.HasPrefix(rest, "$wrapped") {
		return nil, errors.New("not of the form $wrapped$hash$argon2id$…")
	}
	inner, err := Parse(rest[:end])
	if err != nil {
		return nil, err
	}
	if inner.String() != rest[:end] {
		return nil, errors.New("the inner hash is not spelled as it is stored")
	}
	return newWrapped(inner, rest[end:])
}

func newWrapped(of Hash, outer string) (Hash, error) {
	inner, ok := of.(foreign)
	if !ok || inner.cost > 0 || inner.price.Work > innerWork || inner.blank().String() != inner.String() {
		return nil, errors.New("the inner hash is none that is wrapped, or has a tag")
	}
	if !strings.HasPrefix(outer, "$"+argon2ID+"$") {
		return nil, errors.New("the outer hash is not argon2id")
	}
	h, err := parseArgon2(outer)
	if err != nil {
		return nil, err
	}
	w := wrapped{h.(argon2Hash), inner}
	if work := w.Price().Work; work > maxWork {
		return nil, fmt.Errorf("%d KiB × passes in all", work)
	}
	return w, nil
}

func (h wrapped) Verify(password []byte) bool {
	return h.argon2Hash.Verify(h.inner.derive(password, h.inner.salt))
}

func (h wrapped) Weaker(Params) bool { return true }

func (h wrapped) Price() Price {
	p := h.argon2Hash.Price()
	return Price{Memory: p.Memory + h.inner.price.Memory, Work: p.Work + h.inner.price.Work, Lanes: p.Lanes}
}

func (h wrapped) Scheme() string {
	return strings.Trim(wrappedPrefix, "$") + strings.TrimPrefix(h.inner.scheme, digestScheme)
}

func (h wrapped) Kind() string { return "wrapped " + h.inner.Kind() + ", " + h.argon2Hash.Kind() }
func (h wrapped) Dummy() Hash  { return wrapped{h.argon2Hash.Dummy().(argon2Hash), h.inner} }

func (h wrapped) String() string { return wrapping(h.inner) + h.argon2Hash.String() }

// wrapping is what stands before the argon2id hash.
func wrapping(inner foreign) string {
	if name, digest := strings.CutPrefix(inner.scheme, digestScheme); digest && len(inner.salt) == 0 {
		return wrappedPrefix + name
	}
	return saltedPrefix + inner.blank().String()
}

// unsalted reports whether what was read is a digest without a salt, or a password in clear.
func unsalted(imported string) bool {
	if strings.HasPrefix(imported, plainPrefix) {
		return true
	}
	rest, ok := strings.CutPrefix(imported, digestPrefix)
	_, rest, _ = strings.Cut(rest, "$")
	return ok && strings.HasPrefix(rest, "$")
}

// NeedsWrap reports whether what Import returned must go through Wrap before it is stored.
func NeedsWrap(imported string) bool {
	if unsalted(imported) {
		return true
	}
	h, err := Parse(imported)
	if err != nil {
		return false
	}
	f, ok := h.(foreign)
	return ok && f.fast()
}

// iteratedWork is the least work of a hash that is made in many steps: 400 iterations of PBKDF2-SHA-256.
const iteratedWork = 100

// MayWait reports whether a hash that NeedsWrap has a salt and is made in many steps, such as phpass and md5-crypt: an operator may
// store it as it is until there is time to wrap it. A digest that is made once may not wait.
func MayWait(imported string) bool {
	h, err := Parse(imported)
	if err != nil {
		return false
	}
	f, ok := h.(foreign)
	return ok && f.fast() && len(f.salt) > 0 && f.price.Work >= iteratedWork
}

// Wrap returns what must be hashed in place of a hash that NeedsWrap, or of a password in clear: what is stored is the
// prefix and New's hash of the secret. A password in clear becomes a hash like any other.
func Wrap(imported string) (prefix string, secret []byte, err error) {
	if text, ok := strings.CutPrefix(imported, plainPrefix); ok {
		secret, err = base64.RawStdEncoding.Strict().DecodeString(text)
		if err != nil {
			return "", nil, fmt.Errorf("%w: plain: not base64", ErrFormat)
		}
		return "", secret, nil
	}
	var h Hash
	if unsalted(imported) {
		h, err = digestText(imported, 0)
	} else {
		h, err = Parse(imported)
	}
	if err != nil {
		return "", nil, fmt.Errorf("%w: to wrap: %w", ErrFormat, err)
	}
	inner, ok := h.(foreign)
	if !ok || !inner.fast() {
		return "", nil, fmt.Errorf("%w: %s is stored as it is", ErrFormat, h.Scheme())
	}
	return wrapping(inner), inner.tag, nil
}

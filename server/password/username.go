package password

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/cases"
	"golang.org/x/text/language"
	"golang.org/x/text/secure/bidirule"
	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/bidi"
	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"
)

// maxUsername is the most bytes a user name has: the longest e-mail address.
const maxUsername = 320

// The profile UsernameCaseMapped without its bidi rule, which golang.org/x/text applies to every string
// instead of those with right-to-left characters. Of the two mappings to lower case the first has been used
// since the beginning; the second also makes a capital sigma at the end of a word the final one, as Unicode's
// toLowerCase does, so that names are equal in either case.
var (
	plainUsername = precis.NewIdentifier(precis.FoldWidth, precis.LowerCase(cases.HandleFinalSigma(false)), precis.Norm(norm.NFC))
	sigmaUsername = precis.NewIdentifier(precis.FoldWidth, precis.LowerCase(cases.HandleFinalSigma(true)), precis.Norm(norm.NFC))
)

// CanonicalUsername returns the one spelling under which a user name is stored and looked up: the
// PRECIS profile UsernameCaseMapped (RFC 8265 §3.3), which maps full-width letters and digits and upper
// case, and refuses spaces, controls and symbols. It also refuses the invisible joiners that the profile
// would let pass in some scripts. The domain of an e-mail address is written in Unicode, or in ASCII where
// the name is not allowed with it in Unicode: both are one name. The result is a fixed point. Errors are ErrUsername.
func CanonicalUsername(name string) (string, error) {
	if isPlain(name) {
		return canonical(sigmaUsername, name)
	}
	for range 4 {
		next, err := canonicalForm(name)
		if err != nil {
			return "", err
		}
		if next == name {
			return name, nil
		}
		name = next
	}
	return "", fmt.Errorf("%w: it has no stable spelling", ErrUsername)
}

// canonicalForm is one round of CanonicalUsername. Its error is that of the name as it is.
func canonicalForm(name string) (string, error) {
	for _, form := range domainForms(name) {
		if c, err := canonical(sigmaUsername, form); err == nil {
			return c, nil
		}
	}
	return canonical(sigmaUsername, name)
}

// UsernameSpellings returns the spellings under which a user of the name may be stored, in the order in which they count.
// The first is the one as it was typed: of two users whom an earlier version stored in spellings that are one name
// now, each is found by the own. The canonical one is among them. The others are those in which earlier versions
// stored the name: without the final sigma, and with the domain in its other form. For nearly all names there is one.
// Errors are ErrUsername.
func UsernameSpellings(name string) ([]string, error) {
	c, err := CanonicalUsername(name)
	if err != nil {
		return nil, err
	}
	if isPlain(name) {
		return []string{c}, nil
	}
	var list []string
	add := func(spelling string, err error) {
		if err == nil && !slices.Contains(list, spelling) {
			list = append(list, spelling)
		}
	}
	add(canonical(sigmaUsername, name))
	add(c, nil)
	for _, form := range append([]string{name}, domainForms(name)...) {
		add(canonical(sigmaUsername, form))
		add(canonical(plainUsername, form))
	}
	return list, nil
}

// isPlain reports whether the name has one spelling but for upper case: most names, and cheap to see.
func isPlain(name string) bool {
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf {
			return false
		}
	}
	at := strings.LastIndexByte(name, '@')
	return at < 0 || !strings.Contains(strings.ToLower(name[at:]), idnPrefix)
}

const idnPrefix = "xn--" // of a label that has non-ASCII characters, in ASCII (RFC 5890 §2.3.2.1)

// domainForms returns the name with the domain behind its last @ in Unicode and in ASCII (RFC 5891). There are none where it
// has no domain, or one that has no such forms.
func domainForms(name string) []string {
	if len(name) > maxUsername {
		return nil
	}
	folded := width.Fold.String(name) // also makes a full-width @ one
	at := strings.LastIndexByte(folded, '@')
	if at < 0 || isPlain(folded[at:]) {
		return nil
	}
	// Package idna would make a capital sigma one that is not final.
	lower := cases.Lower(language.Und, cases.HandleFinalSigma(true)).String(folded[at+1:])
	ascii, err := idna.Lookup.ToASCII(lower)
	if err != nil || ascii == "" {
		return nil
	}
	readable, err := idna.Lookup.ToUnicode(ascii)
	if err != nil {
		return []string{folded[:at+1] + ascii}
	}
	return []string{folded[:at+1] + readable, folded[:at+1] + ascii}
}

// TrimUsername drops white space at both ends, which keyboards of phones add. No stored name has any.
func TrimUsername(name string) string { return strings.TrimFunc(name, unicode.IsSpace) }

func canonical(profile *precis.Profile, name string) (string, error) {
	if name == "" {
		return "", fmt.Errorf("%w: it is empty", ErrUsername)
	}
	if len(name) > maxUsername {
		return "", fmt.Errorf("%w: longer than %d bytes", ErrUsername, maxUsername)
	}
	if strings.ContainsAny(name, "\u200c\u200d") {
		return "", fmt.Errorf("%w: it contains invisible characters", ErrUsername)
	}
	// RFC 8264 §7: the rules may need a few rounds; what is then not stable is refused.
	for range 4 {
		next, err := profile.String(name)
		if err != nil {
			return "", fmt.Errorf("%w: it has spaces or characters that names cannot have", ErrUsername)
		}
		if len(next) > maxUsername {
			return "", fmt.Errorf("%w: longer than %d bytes", ErrUsername, maxUsername)
		}
		if next == name {
			if err := checkDirections(name); err != nil {
				return "", err
			}
			return name, nil
		}
		name = next
	}
	return "", fmt.Errorf("%w: it has no stable spelling", ErrUsername)
}

// checkDirections applies the bidi rule (RFC 5893 §2) to names with right-to-left characters, and to no
// others (RFC 8265 §3.3).
func checkDirections(name string) error {
	rightToLeft := strings.ContainsFunc(name, func(r rune) bool {
		properties, _ := bidi.LookupRune(r)
		class := properties.Class()
		return class == bidi.R || class == bidi.AL || class == bidi.AN
	})
	if rightToLeft && !bidirule.ValidString(name) {
		return fmt.Errorf("%w: it mixes writing directions", ErrUsername)
	}
	return nil
}

package password

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/secure/bidirule"
	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/bidi"
	"golang.org/x/text/unicode/norm"
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
// would let pass in some scripts. The result is a fixed point. Errors are ErrUsername.
func CanonicalUsername(name string) (string, error) { return canonical(sigmaUsername, name) }

// FormerUsername returns the spelling under which earlier versions stored the name. It differs from
// CanonicalUsername for names with a capital sigma at the end of a word: a user who was stored so is found
// by it.
func FormerUsername(name string) (string, error) { return canonical(plainUsername, name) }

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

package password

import (
	"fmt"
	"strings"

	"golang.org/x/text/secure/precis"
)

// maxUsername is the most bytes a user name has: the longest e-mail address.
const maxUsername = 320

// CanonicalUsername returns the one spelling under which a user name is stored and looked up: the
// PRECIS profile UsernameCaseMapped (RFC 8265 §3.3), which maps full-width letters and upper case
// and refuses spaces, controls and symbols. It also refuses the invisible joiners that the profile
// would let pass in some scripts. The result is a fixed point. Errors are ErrUsername.
func CanonicalUsername(name string) (string, error) {
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
		next, err := precis.UsernameCaseMapped.String(name)
		if err != nil {
			return "", fmt.Errorf("%w: it has spaces or characters that names cannot have", ErrUsername)
		}
		if len(next) > maxUsername {
			return "", fmt.Errorf("%w: longer than %d bytes", ErrUsername, maxUsername)
		}
		if next == name {
			return name, nil
		}
		name = next
	}
	return "", fmt.Errorf("%w: it has no stable spelling", ErrUsername)
}

package syntax

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// UsernameClaim is the one claim that every user has (OpenID Connect Core §5.1).
const UsernameClaim = "preferred_username"

// reservedClaims have a meaning of their own in a token or in an answer about one.
var reservedClaims = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "client_epoch", "scope", "sid", "auth_time",
	"acr", "amr", "azp", "cnf", "act", "may_act", "typ", "nonce", "at_hash", "c_hash", "events",
	"active", "username", "preferred_username", "token_type", "token_introspection"}

// ReservedClaim reports whether a reader may take the name for that of a reserved claim. Many readers, Go's
// encoding/json among them, ignore case after Unicode's simple folding, in which even U+017F is an s.
func ReservedClaim(name string) bool {
	return slices.ContainsFunc(reservedClaims, func(reserved string) bool { return strings.EqualFold(name, reserved) })
}

// CheckClaim takes the name of a claim of a user.
func CheckClaim(name string) string {
	switch {
	case name == "" || utf8.RuneCountInString(name) > 64 || strings.ContainsFunc(name, unicode.IsControl):
		return "must be a name of 1 to 64 characters"
	case ReservedClaim(name):
		return "has a meaning of its own in tokens; choose another name"
	}
	return ""
}

// CheckClientClaim takes the name of a claim that a client may get: that of a user's claim, or UsernameClaim.
func CheckClientClaim(name string) string {
	if name == UsernameClaim {
		return ""
	}
	return CheckClaim(name)
}

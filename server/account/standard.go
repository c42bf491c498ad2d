package account

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"signet/server/syntax"
	"signet/store"
)

// ScopeOpenID makes a request one of OpenID Connect (Core §3.1.2.1): the response has an id_token, and /userinfo answers with the
// standard claims of the other scopes.
const ScopeOpenID = "openid"

// jsonType is the type that OpenID Connect Core §5.1 gives to a claim.
type jsonType int

const (
	text jsonType = iota
	flag
	seconds // since 1970
	address // an object whose members are strings (§5.1.1)
)

type standardClaim struct {
	name string
	kind jsonType
}

// standardScopes has the claims that a scope requests (OpenID Connect Core §5.4).
var standardScopes = []struct {
	scope  string
	claims []standardClaim
}{
	{"profile", []standardClaim{{"name", text}, {"family_name", text}, {"given_name", text}, {"middle_name", text}, {"nickname", text},
		{syntax.UsernameClaim, text}, {"profile", text}, {"picture", text}, {"website", text}, {"gender", text}, {"birthdate", text},
		{"zoneinfo", text}, {"locale", text}, {"updated_at", seconds}}},
	{"email", []standardClaim{{"email", text}, {"email_verified", flag}}},
	{"address", []standardClaim{{"address", address}}},
	{"phone", []standardClaim{{"phone_number", text}, {"phone_number_verified", flag}}},
}

// StandardScopes returns the scopes that mean something at /userinfo.
func StandardScopes() []string {
	scopes := []string{ScopeOpenID}
	for _, s := range standardScopes {
		scopes = append(scopes, s.scope)
	}
	return scopes
}

// StandardClaimNames returns the claims that these scopes request.
func StandardClaimNames() []string {
	var names []string
	for _, s := range standardScopes {
		for _, claim := range s.claims {
			names = append(names, claim.name)
		}
	}
	return names
}

// HasScope reports whether scope, of words with single spaces between them, has the word.
func HasScope(scope, word string) bool {
	for s := range strings.SplitSeq(scope, " ") {
		if s == word {
			return true
		}
	}
	return false
}

// StandardClaims returns the claims that the scope requests and the user has (OpenID Connect Core §5.4); none without
// ScopeOpenID. A claim whose value is not of the type that apps expect is left out and named in wrong, and so is an empty one,
// without a name (§5.3.2).
func StandardClaims(user *store.User, scope string) (claims map[string]json.RawMessage, wrong []string) {
	if !HasScope(scope, ScopeOpenID) {
		return nil, nil
	}
	claims = make(map[string]json.RawMessage)
	for _, s := range standardScopes {
		if !HasScope(scope, s.scope) {
			continue
		}
		for _, claim := range s.claims {
			value := bytes.TrimSpace(valueOf(user, claim.name))
			switch {
			case len(value) == 0 || string(value) == `""`:
			case claim.kind.fits(value):
				claims[claim.name] = value
			default:
				wrong = append(wrong, claim.name)
			}
		}
	}
	return claims, wrong
}

// valueOf returns a claim of the user as JSON. Two of them are facts of the record.
func valueOf(user *store.User, name string) json.RawMessage {
	value, set := user.Claims[name]
	switch {
	case name == syntax.UsernameClaim:
		value, _ = json.Marshal(user.Username) // a string always encodes
	case name == "updated_at" && !set && !user.UpdatedAt.IsZero():
		value = strconv.AppendInt(nil, user.UpdatedAt.Unix(), 10)
	}
	return value
}

// fits reports whether the value, which is valid JSON, is of the type.
func (k jsonType) fits(value []byte) bool {
	switch k {
	case flag:
		return string(value) == "true" || string(value) == "false"
	case seconds:
		return value[0] == '-' || value[0] >= '0' && value[0] <= '9'
	case address:
		var members map[string]string
		return json.Unmarshal(value, &members) == nil && len(members) > 0
	}
	return value[0] == '"'
}

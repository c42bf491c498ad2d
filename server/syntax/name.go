package syntax

import (
	"net/netip"
	"net/url"
	"strings"
)

// UserPrefix begins every sub of a user. No client id and no username begins with it, so that a name in a path or a
// claim can be only one of the two.
const UserPrefix = "usr_"

// BrowserClient is the client id of the sessions of browsers that are signed in at the login page. No client is registered under
// it, so no request can authenticate as it, and no token is issued for it.
const BrowserClient = "signet-browser"

// ClientID reports whether id can name a client: 1 to 128 letters, digits, - . _ ~.
func ClientID(id string) bool {
	if id == "" || len(id) > 128 {
		return false
	}
	for i := range len(id) {
		switch b := id[i]; {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9', b == '-', b == '.', b == '_', b == '~':
		default:
			return false
		}
	}
	return true
}

// Limits of the scopes and audiences of a client and of a token. A token carries them in the header of every request.
const (
	MaxScopes         = 100
	MaxScopeLength    = 1000 // of all scopes, joined by spaces
	MaxAudiences      = 20
	MaxAudienceLength = 1500 // of all audiences, joined
	MaxAudience       = 500  // of one audience
)

// Scope reports whether s is a scope of RFC 6749 §3.3: tokens of printable ASCII without quote and backslash, with
// one space between them.
func Scope(s string) bool {
	for token := range strings.SplitSeq(s, " ") {
		if token == "" {
			return false
		}
		for i := range len(token) {
			if b := token[i]; b < 0x21 || b > 0x7e || b == '"' || b == '\\' {
				return false
			}
		}
	}
	return true
}

// CheckAudience takes an absolute URI without a fragment (RFC 8707 §2) or a plain name, which cannot be read as a
// relative reference to one.
func CheckAudience(name string) string {
	if name == "" || len(name) > MaxAudience || !visibleASCII(name) {
		return "must be 1 to 500 visible ASCII characters"
	}
	if !strings.ContainsAny(name, ":/?#") {
		return ""
	}
	u, err := url.Parse(name)
	web := err == nil && (u.Scheme == "https" || u.Scheme == "http")
	if err != nil || u.Scheme == "" || strings.Contains(name, "#") || web && u.Hostname() == "" {
		return "must be an absolute URI without a fragment, or a plain name without : / ? #"
	}
	return ""
}

// Loopback reports whether a host is this machine for a program that connects to it or listens on it: localhost or a
// loopback address. A name below localhost does not count, because a resolver may look it up elsewhere.
func Loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

func visibleASCII(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

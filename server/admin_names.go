package server

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"signet/server/edge"
	"signet/server/token"
)

// userPrefix begins every sub of a user. No client id and no username may, so that a name in a path
// or a claim can be only one of them.
const userPrefix = "usr_"

// The functions below say what is wrong with a name, or "".

// checkAudience takes an absolute URI without a fragment (RFC 8707 §2) or a plain name, which is
// nothing that could be read as a relative reference to one.
func checkAudience(aud string) string {
	if aud == "" || len(aud) > maxEntry || !visibleASCII(aud) {
		return "must be 1 to 500 visible ASCII characters"
	}
	if !strings.ContainsAny(aud, ":/?#") {
		return ""
	}
	u, err := url.Parse(aud)
	web := err == nil && (u.Scheme == "https" || u.Scheme == "http")
	if err != nil || u.Scheme == "" || strings.Contains(aud, "#") || web && u.Hostname() == "" {
		return "must be an absolute URI without a fragment, or a plain name without : / ? #"
	}
	return ""
}

func visibleASCII(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// checkOrigin takes exactly what a browser, or the web view of an app, sends as Origin; anything else would
// never match.
func checkOrigin(origin string) string {
	if len(origin) > edge.MaxOrigin || !edge.IsOrigin(origin) {
		if meant := edge.OriginOfURL(origin); len(meant) <= edge.MaxOrigin && edge.IsOrigin(meant) {
			return "must be an origin as browsers send it: write " + meant
		}
		return "must be an origin as browsers send it, such as https://app.example, http://localhost:5173 or capacitor://localhost: no path, no slash at the end, no *"
	}
	u, _ := url.Parse(origin)
	if u.Scheme == "http" && !edge.Loopback(u.Hostname()) {
		return "must begin with https://; http is for loopback addresses"
	}
	return ""
}

func checkClientClaim(name string) string {
	if name == token.UsernameClaim {
		return ""
	}
	return checkClaimName(name)
}

func checkClaimName(name string) string {
	switch {
	case name == "" || utf8.RuneCountInString(name) > 64 || strings.ContainsFunc(name, unicode.IsControl):
		return "must be a name of 1 to 64 characters"
	case token.IsReserved(name):
		return "has a meaning of its own in tokens; choose another name"
	}
	return ""
}

package server

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
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
	if len(origin) > maxEntry || !isOrigin(origin) {
		if meant := originOfURL(origin); len(meant) <= maxEntry && isOrigin(meant) {
			return "must be an origin as browsers send it: write " + meant
		}
		return "must be an origin as browsers send it, such as https://app.example, http://localhost:5173 or capacitor://localhost: no path, no slash at the end, no *"
	}
	u, _ := url.Parse(origin)
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		return "must begin with https://; http is for loopback addresses"
	}
	return ""
}

func isOrigin(origin string) bool {
	scheme, rest, _ := strings.Cut(origin, "://")
	if scheme != "https" && scheme != "http" {
		return isAppScheme(scheme) && isAppHost(rest)
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host == rest && u.User == nil && plainHost(u.Hostname()) && plainPort(rest, u)
}

// noOrigins are schemes whose pages have no origin of their own, or that no page has.
var noOrigins = []string{"about", "blob", "data", "file", "filesystem", "ftp", "javascript", "view-source", "ws", "wss"}

// isAppScheme reports whether the scheme can be one that apps and browser extensions have for their pages, such
// as ionic, capacitor, tauri or chrome-extension (RFC 3986 §3.1, in the lower case in which it is sent).
func isAppScheme(scheme string) bool {
	return scheme != "" && 'a' <= scheme[0] && scheme[0] <= 'z' && !slices.Contains(noOrigins, scheme) &&
		strings.Trim(scheme, "abcdefghijklmnopqrstuvwxyz0123456789+-.") == ""
}

// isAppHost reports whether the rest can be the host of such a page, perhaps with a port. Unlike those of the
// web its letters keep their case.
func isAppHost(rest string) bool {
	host, port, hasPort := strings.Cut(rest, ":")
	if hasPort {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return false
		}
	}
	return host != "" && strings.Trim(strings.ToLower(host), "abcdefghijklmnopqrstuvwxyz0123456789-._") == ""
}

// originOfURL is what a browser sends for a page at that address: without path and user, in lower
// case, and without the port that goes without saying.
func originOfURL(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	host := u.Host
	if usualPorts[u.Scheme] != "" {
		host = strings.ToLower(host)
	}
	if u.Port() == usualPorts[u.Scheme] {
		host = strings.TrimSuffix(host, ":"+u.Port())
	}
	return u.Scheme + "://" + host
}

var usualPorts = map[string]string{"https": "443", "http": "80"}

func plainHost(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	if strings.Contains(host, ":") || strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") {
		addr, err := netip.ParseAddr(host) // of the ways to write one, browsers choose one
		return err == nil && addr.Zone() == "" && addr.String() == host && !addr.Is4In6()
	}
	return strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-._") == "" && strings.Trim(host, ".-") == host && host != ""
}

// plainPort wants no port or one that is not the scheme's own: browsers leave that out.
func plainPort(authority string, u *url.URL) bool {
	port := u.Port()
	if port == "" {
		return !strings.HasSuffix(authority, ":")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0 && port != usualPorts[u.Scheme] && strconv.FormatUint(n, 10) == port
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback() || host == "localhost" || strings.HasSuffix(host, ".localhost")
}

func checkClientClaim(name string) string {
	if name == usernameClaim {
		return ""
	}
	return checkClaimName(name)
}

func checkClaimName(name string) string {
	switch {
	case name == "" || utf8.RuneCountInString(name) > 64 || strings.ContainsFunc(name, unicode.IsControl):
		return "must be a name of 1 to 64 characters"
	case reservedClaim(name):
		return "has a meaning of its own in tokens; choose another name"
	}
	return ""
}

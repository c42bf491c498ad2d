package syntax

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Limits of the redirect URIs of a client. A sealed code carries one of them.
const (
	MaxRedirectURIs = 100
	MaxRedirectURI  = 1000 // of one URI, in bytes
)

// CheckRedirectURI takes a URI to which a browser may be sent after it was here (RFC 6749 §3.1.2, RFC 8252 §7): https; http for
// this machine alone; or a scheme of the app's own, which has a dot. What is registered is compared to the letter, so it must be
// spelled in the one way that no browser and no library rewrites.
func CheckRedirectURI(uri string) string {
	if why := checkURI(uri); why != "" {
		return why
	}
	u, err := url.Parse(uri)
	if err != nil {
		return "must be an absolute URI"
	}
	for name := range u.Query() {
		if slices.Contains(responseParameters, name) {
			return "must not have " + name + " in its query: the response adds a parameter of that name"
		}
	}
	switch u.Scheme {
	case "https", "http":
		return checkWebURI(uri, u)
	}
	return checkAppURI(uri, u.Scheme)
}

// CheckWebURI takes a URI that Signet itself calls: https, or http for this machine.
func CheckWebURI(uri string) string {
	if why := checkURI(uri); why != "" {
		return why
	}
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return "must begin with https://"
	}
	return checkWebURI(uri, u)
}

// responseParameters are the parameters of an authorization response (RFC 6749 §4.1.2, RFC 9207 §2) and of a response after a
// logout.
var responseParameters = []string{"code", "state", "iss", "error", "error_description", "error_uri", "response", "id_token", "access_token"}

// uriRunes are the characters of RFC 3986 §2 but # and *. A * is for those who mean a pattern.
const uriRunes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:/?[]@!$&'()+,;=%"

const notHex = "has a % that is not followed by two hexadecimal digits"

// checkURI checks what holds for URIs of every scheme.
func checkURI(uri string) string {
	switch {
	case uri == "" || len(uri) > MaxRedirectURI:
		return "must be an absolute URI of at most " + strconv.Itoa(MaxRedirectURI) + " characters"
	case strings.Contains(uri, "#"):
		return "must not have a fragment"
	case strings.Contains(uri, "*"):
		return "must be a whole URI: there are no patterns, so write each URI out"
	case strings.Trim(uri, uriRunes) != "":
		return "must have the characters of a URI alone (RFC 3986 §2): percent-encode the others"
	}
	scheme, rest, _ := strings.Cut(uri, ":")
	if scheme == "" || rest == "" || strings.Trim(scheme, "abcdefghijklmnopqrstuvwxyz0123456789+-.") != "" {
		return "must begin with a scheme in lower case, such as https://"
	}
	path, query, _ := strings.Cut(rest, "?")
	if _, err := url.QueryUnescape(query); err != nil {
		return notHex
	}
	for segment := range strings.SplitSeq(path, "/") {
		if decoded, err := url.PathUnescape(segment); err != nil {
			return notHex
		} else if decoded == "." || decoded == ".." || strings.ContainsAny(decoded, "/\\") || strings.ContainsFunc(decoded, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
			return "must not have the path segments . and .., nor an encoded slash, backslash, space or control character"
		}
	}
	return ""
}

func checkWebURI(uri string, u *url.URL) string {
	authority, _, _ := strings.Cut(strings.TrimPrefix(uri, u.Scheme+"://"), "/")
	authority, _, _ = strings.Cut(authority, "?")
	switch {
	case u.Opaque != "" || !strings.HasPrefix(uri, u.Scheme+"://") || u.Host != authority || strings.Contains(authority, "@"):
		return "must have a host, and no username"
	case !plainHost(u.Hostname()):
		return "must have its host in lower case, without a dot at the end, and an address in its usual form"
	case !anyPlainPort(authority, u):
		return "must have a port from 1 to 65535, or none"
	case u.Scheme == "http" && !BrowserLoopback(u.Hostname()):
		return "must begin with https://; http is for this machine"
	}
	return ""
}

// anyPlainPort wants no port or one from 1 to 65535. Unlike in an origin it may be the scheme's own.
func anyPlainPort(authority string, u *url.URL) bool {
	if u.Port() == "" {
		return !strings.HasSuffix(authority, ":")
	}
	return isPort(u.Port())
}

func isPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0 && strconv.FormatUint(n, 10) == port
}

// checkAppURI wants the name of a domain in reverse for a scheme, as RFC 8252 §7.1 does. Without a dot another app
// could easily have the same scheme, and javascript and data are no schemes of apps.
func checkAppURI(uri, scheme string) string {
	switch {
	case !strings.Contains(scheme, ".") || strings.Trim(scheme, ".") != scheme || strings.Contains(scheme, ".."):
		return "must begin with https://, or with a scheme of the app's own that has a dot, such as com.example.app:/callback (RFC 8252 §7.1)"
	case !strings.HasPrefix(uri, scheme+":/"):
		return "must have a slash behind its scheme, such as " + scheme + ":/callback"
	case strings.Contains(uri, "@"):
		return "must have no username"
	}
	return ""
}

// RedirectURIAllowed reports whether a requested redirect URI is one of the registered ones: to the letter, but for the port
// of a loopback address, which an app on this machine is given by its system at each start (RFC 8252 §7.3). localhost is not
// such an address: it is compared with its port.
func RedirectURIAllowed(registered []string, requested string) bool {
	if slices.Contains(registered, requested) {
		return requested != ""
	}
	head, tail, ok := loopbackURI(requested)
	return ok && slices.ContainsFunc(registered, func(uri string) bool {
		h, t, ok := loopbackURI(uri)
		return ok && h == head && t == tail
	})
}

// loopbackURI cuts the port out of an http URI whose host is a loopback address.
func loopbackURI(uri string) (head, tail string, ok bool) {
	const scheme = "http://"
	rest, ok := strings.CutPrefix(uri, scheme)
	if !ok {
		return "", "", false
	}
	authority := rest
	if end := strings.IndexAny(rest, "/?#\\"); end >= 0 {
		authority, tail = rest[:end], rest[end:]
	}
	host := authority
	if colon := strings.LastIndexByte(authority, ':'); colon > strings.LastIndexByte(authority, ']') {
		host = authority[:colon]
		if !isPort(authority[colon+1:]) {
			return "", "", false
		}
	}
	text := host
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		text = host[1 : len(host)-1]
	}
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" || !addr.IsLoopback() || addr.Is4In6() || addr.Is6() == (text == host) || addr.String() != text {
		return "", "", false
	}
	return scheme + host, tail, true
}

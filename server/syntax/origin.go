package syntax

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// MaxOrigin is the longest origin that is taken, in bytes.
const MaxOrigin = 500

// IsOrigin reports whether the text is an origin exactly as a browser, or the web view of an app, sends it.
func IsOrigin(origin string) bool {
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

// OriginOfURL returns what a browser sends for a page at that address: without path and user, in lower
// case, and without the default port. It returns "" for what is no URL.
func OriginOfURL(address string) string {
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

// BrowserLoopback reports whether a host is this machine for a browser: a loopback address, localhost or a name below it.
func BrowserLoopback(host string) bool {
	return Loopback(host) || strings.HasSuffix(host, ".localhost")
}

package config

import (
	"net/url"
	"reflect"
	"strings"
	"time"

	"signet/server/syntax"
)

// Values of users.upstream.mode.
const (
	ModeMove = "move"
	ModeStay = "stay"
)

// usernamePlaceholder stands for the username in the settings of a directory.
const usernamePlaceholder = "{username}"

// IsDirectory reports whether the upstream is an LDAP directory.
func (u Upstream) IsDirectory() bool {
	return strings.HasPrefix(u.URL, "ldap://") || strings.HasPrefix(u.URL, "ldaps://")
}

func (u Upstream) check(k *checker) {
	k.oneOf("users.upstream.mode", u.Mode, ModeMove, ModeStay)
	if why := syntax.CheckClaim(u.IDClaim); why != "" {
		k.add("users.upstream.id_claim", "%q %s", u.IDClaim, why)
	}
	k.duration("users.upstream.timeout", u.Timeout, 100*time.Millisecond, 8*time.Second)
	k.number("users.upstream.concurrency", u.Concurrency, 1, 1000)
	if (u.Cert == "") != (u.Key == "") {
		k.add("users.upstream.cert", "users.upstream.cert and users.upstream.key belong together; set both or neither")
	}
	if u.URL == "" {
		return
	}
	u.checkURL(k)
	if u.IsDirectory() {
		u.LDAP.check(k)
	}
}

func (u Upstream) checkURL(k *checker) {
	const field = "users.upstream.url"
	at, err := url.Parse(u.URL)
	if err != nil || at.Hostname() == "" || at.Opaque != "" {
		k.add(field, "%q is not a URL; write it like https://login.example.com/check or ldaps://directory.example.com", u.URL)
		return
	}
	local := syntax.Loopback(at.Hostname())
	switch {
	case at.Scheme != "https" && at.Scheme != "http" && !u.IsDirectory():
		k.add(field, "begins with %s:, which is not one of https, ldaps and ldap", at.Scheme)
	case at.Scheme == "http" && !local:
		k.add(field, "is not encrypted, and passwords would cross the network in the clear; write https")
	case at.User != nil:
		k.add(field, "has a username or a password in it, and URLs are in logs; remove it")
	case at.Fragment != "":
		k.add(field, "has a #, and what is behind it is never sent; remove it")
	case u.IsDirectory() && (at.Path != "" && at.Path != "/" || at.RawQuery != ""):
		k.add(field, "has more than a host and a port; write it like ldaps://directory.example.com, and the rest below users.upstream.ldap")
	case at.Scheme == "ldap" && u.LDAP.Plaintext && !local:
		k.add("users.upstream.ldap.plaintext", "is true, and passwords would cross the network in the clear; remove it")
	}
}

func (d Directory) check(k *checker) {
	switch {
	case d.UserDN == "" && (d.Base == "" || d.Filter == ""):
		k.add("users.upstream.ldap.filter", "set users.upstream.ldap.base and users.upstream.ldap.filter, or users.upstream.ldap.user_dn")
	case d.UserDN != "" && (d.Base != "" || d.Filter != "" || d.BindDN != ""):
		k.add("users.upstream.ldap.user_dn", "takes the place of a search; remove it, or base, filter and bind_dn")
	case d.UserDN != "" && !strings.Contains(d.UserDN, usernamePlaceholder):
		k.add("users.upstream.ldap.user_dn", "has no %s in it, so all users would be one", usernamePlaceholder)
	case d.UserDN == "" && !strings.Contains(d.Filter, usernamePlaceholder):
		k.add("users.upstream.ldap.filter", "has no %s in it, so all users would be one", usernamePlaceholder)
	}
	if d.IDAttribute == "" {
		k.add("users.upstream.ldap.id_attribute", "is empty; write entryUUID, or objectGUID for Active Directory")
	}
	for _, text := range d.Claims {
		attribute, name, _ := strings.Cut(text, "=")
		if why := syntax.CheckClaim(strings.TrimSuffix(name, "[]")); attribute == "" || why != "" {
			k.add("users.upstream.ldap.claims", "%q is not ATTRIBUTE=CLAIM, or the claim has a meaning of its own; write it like mail=email", text)
		}
	}
}

// upstreamWarnings names what is set below users.upstream without a URL.
func (c Config) upstreamWarnings() []Warning {
	u, usual := c.Users.Upstream, Default().Users.Upstream
	if len(u.Networks) == 0 && len(u.LDAP.Claims) == 0 {
		u.Networks, u.LDAP.Claims = nil, nil
	}
	if u.URL == "" && !reflect.DeepEqual(u, usual) {
		return []Warning{"users.upstream: it has settings and no url, so no upstream is asked; set users.upstream.url, or remove the rest"}
	}
	return nil
}

package config

import (
	"net/url"
	"slices"
	"strings"
)

// Limits of the audience: every token carries it, and some refresh tokens do.
const (
	maxAudiences      = 20
	maxAudienceLength = 1500 // joined
	maxAudienceName   = 500  // bytes of one
)

func (c Config) checkAudience(k *checker) {
	if n := len(strings.Join(c.Audience, "")); len(c.Audience) > maxAudiences || n > maxAudienceLength {
		k.add("audience", "has %d names with %d characters in all; at most %d with %d fit in a token", len(c.Audience), n, maxAudiences, maxAudienceLength)
	}
	for i, a := range c.Audience {
		switch {
		case !isAudience(a):
			k.add("audience", "%q is not a name for a service; write an absolute URL without a fragment, or a word, of at most %d characters", a, maxAudienceName)
		case slices.Contains(c.Audience[:i], a):
			k.add("audience", "has %q twice; remove one", a)
		}
	}
}

// isAudience holds the audience to what clients can be registered with, so that it can be asked for
// as a resource (RFC 8707 §2).
func isAudience(name string) bool {
	if name == "" || len(name) > maxAudienceName || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return false
	}
	if !strings.ContainsAny(name, ":/?#") {
		return true
	}
	u, err := url.Parse(name)
	return err == nil && u.Scheme != "" && !strings.Contains(name, "#") && (u.Hostname() != "" || u.Scheme != "https" && u.Scheme != "http")
}

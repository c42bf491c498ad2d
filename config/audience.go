package config

import (
	"slices"
	"strings"

	"signet/server/syntax"
)

// checkAudience holds the audience to what clients can be registered with, so that it can be requested as a resource
// (RFC 8707 §2).
func (c Config) checkAudience(k *checker) {
	if n := len(strings.Join(c.Audience, "")); len(c.Audience) > syntax.MaxAudiences || n > syntax.MaxAudienceLength {
		k.add("audience", "has %d names with %d characters in all; at most %d with %d fit in a token", len(c.Audience), n, syntax.MaxAudiences, syntax.MaxAudienceLength)
	}
	for i, a := range c.Audience {
		switch {
		case syntax.CheckAudience(a) != "":
			k.add("audience", "%q is not a name for a service; write an absolute URL without a fragment, or a word, of at most %d characters", a, syntax.MaxAudience)
		case slices.Contains(c.Audience[:i], a):
			k.add("audience", "has %q twice; remove one", a)
		}
	}
}

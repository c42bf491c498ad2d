package server

import (
	"slices"
	"strings"

	"signet/server/admin/api"
)

// ordinaryScope is the scope without those of the admin API.
func ordinaryScope(scope string) string {
	if !strings.Contains(scope, api.ScopePrefix) {
		return scope
	}
	return strings.Join(slices.DeleteFunc(strings.Split(scope, " "), api.IsScope), " ")
}

// adminAudience is the aud of tokens for the admin API (RFC 8707 §2: its resource), metrics included.
func (s *Server) adminAudience() string { return api.Audience(s.cfg.Issuer) }

// allows reports whether a caller with these rights may use a verb that needs the scope.
func allows(rights []string, scope string) bool {
	if scope == api.AnyScope {
		return len(rights) > 0
	}
	return slices.Contains(rights, api.ScopeAdmin) || slices.Contains(rights, scope)
}

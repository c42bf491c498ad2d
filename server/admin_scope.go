package server

import (
	"slices"
	"strings"
)

// The scopes of the admin API. A verb names the one that it needs in adminVerbs.
const (
	scopePrefix = "signet:" // no other scope begins with it

	scopeAdmin   = scopePrefix + "admin" // all of the others
	scopeUsers   = scopePrefix + "users" // users and their sessions
	scopeClients = scopePrefix + "clients"
	scopeKeys    = scopePrefix + "keys"
	scopeAudit   = scopePrefix + "audit" // read the trail
	scopeBackup  = scopePrefix + "backup"
	scopeMetrics = scopePrefix + "metrics"

	scopeAny = "" // any of them
)

var adminScopes = []string{scopeAdmin, scopeUsers, scopeClients, scopeKeys, scopeAudit, scopeBackup, scopeMetrics}

// isAdminScope reports whether the scope is one of the admin API, or may become one.
func isAdminScope(scope string) bool { return strings.HasPrefix(scope, scopePrefix) }

// ordinaryScope is the scope without those of the admin API.
func ordinaryScope(scope string) string {
	if !strings.Contains(scope, scopePrefix) {
		return scope
	}
	return strings.Join(slices.DeleteFunc(strings.Split(scope, " "), isAdminScope), " ")
}

const adminPathOfIssuer = "/admin"

// adminAudience is the aud of tokens for the admin API (RFC 8707 §2: its resource), metrics included.
func (s *Server) adminAudience() string { return s.cfg.Issuer + adminPathOfIssuer }

// allows reports whether a caller with these rights may use a verb that needs the scope.
func allows(rights []string, scope string) bool {
	if scope == scopeAny {
		return len(rights) > 0
	}
	return slices.Contains(rights, scopeAdmin) || slices.Contains(rights, scope)
}

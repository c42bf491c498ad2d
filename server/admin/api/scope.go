package api

import (
	"slices"
	"strings"
)

// Scopes of the API. A client must name those that it wants in its token request: none is given by default.
const (
	ScopePrefix = "signet:" // no other scope begins with it

	ScopeAdmin   = ScopePrefix + "admin"   // all of the others, and the sessions of all users at once
	ScopeUsers   = ScopePrefix + "users"   // users, their claims, passwords and sessions
	ScopeClients = ScopePrefix + "clients" // clients, but not the scopes of this API that the caller lacks
	ScopeKeys    = ScopePrefix + "keys"    // signing keys
	ScopeAudit   = ScopePrefix + "audit"   // read the audit trail
	ScopeBackup  = ScopePrefix + "backup"  // read the whole store
	ScopeMetrics = ScopePrefix + "metrics" // read the metrics

	AnyScope = "" // of a Verb: any of these
)

// Scopes are all of them.
var Scopes = []string{ScopeAdmin, ScopeUsers, ScopeClients, ScopeKeys, ScopeAudit, ScopeBackup, ScopeMetrics}

// IsScope reports whether the scope is one of this API, or is reserved for it.
func IsScope(scope string) bool { return strings.HasPrefix(scope, ScopePrefix) }

// Audience is the aud of tokens for this API at an issuer, metrics included (RFC 8707 §2: its resource).
func Audience(issuer string) string { return issuer + "/admin" }

// Ordinary returns a list of scopes without those of this API.
func Ordinary(scope string) string {
	if !strings.Contains(scope, ScopePrefix) {
		return scope
	}
	return strings.Join(slices.DeleteFunc(strings.Split(scope, " "), IsScope), " ")
}

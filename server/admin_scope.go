package server

import (
	"slices"

	"signet/server/admin/api"
)

// allows reports whether a caller with these rights may use a verb that needs the scope.
func allows(rights []string, scope string) bool {
	if scope == api.AnyScope {
		return len(rights) > 0
	}
	return slices.Contains(rights, api.ScopeAdmin) || slices.Contains(rights, scope)
}

package server

import (
	"reflect"
	"strings"
	"testing"
)

// Every claim that an access token or an answer about one has is reserved, in any case.
func TestOwnClaimsAreReserved(t *testing.T) {
	for _, holder := range []any{accessClaims{}, introspection{}, signedIntrospection{}} {
		for _, field := range reflect.VisibleFields(reflect.TypeOf(holder)) {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if !reservedClaim(name) || !reservedClaim(strings.ToUpper(name)) || !reservedClaim(strings.ReplaceAll(name, "s", "\u017f")) {
				t.Errorf("%T: %s is not reserved", holder, name)
			}
		}
	}
}

package oauth

import (
	"reflect"
	"strings"
	"testing"

	"signet/server/syntax"
	"signet/server/token"
)

// Every claim that an access token or an answer about one has is reserved, in any case.
func TestOwnClaimsAreReserved(t *testing.T) {
	for _, holder := range []any{token.Claims{}, token.IDClaims{}, token.LogoutClaims{}, introspection{}, signedIntrospection{}} {
		for _, field := range reflect.VisibleFields(reflect.TypeOf(holder)) {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if !syntax.ReservedClaim(name) || !syntax.ReservedClaim(strings.ToUpper(name)) || !syntax.ReservedClaim(strings.ReplaceAll(name, "s", "\u017f")) {
				t.Errorf("%T: %s is not reserved", holder, name)
			}
		}
	}
}

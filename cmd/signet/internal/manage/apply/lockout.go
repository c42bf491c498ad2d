package apply

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"signet/server/admin/api"
	"signet/server/admin/clientspec"
	"signet/server/clientauth"
	"signet/server/syntax"
)

// checkAccess refuses a plan after which no client could call the admin API with a token, or the caller could not call it
// again. caller is the client whose token is used now, or "" on the socket.
func (p *plan) checkAccess(has []api.Client, caller string) error {
	var problems []error
	left, lost := 0, ""
	changed := make(map[string]change, len(p.Changes))
	for _, c := range p.Changes {
		changed[c.ClientID] = c
		if c.before == nil && administers(c.afterwards(), api.ScopeAdmin) {
			left++
		}
	}
	for _, before := range has {
		c, isChanged := changed[before.ID]
		after := before
		if isChanged {
			after = c.afterwards()
		}
		if before.ID == caller && isChanged && !(administers(after, api.ScopeAdmin, api.ScopeClients) && authenticatesStill(before, after)) {
			problems = append(problems, fmt.Errorf("client %q: this very call uses it, and it could not make the next one; keep its grant client_credentials, its scope %s and "+
				"its way to authenticate, or make this change with another client or over the admin socket", caller, strings.Join([]string{api.ScopeAdmin, api.ScopeClients}, " or ")))
		}
		switch {
		case administers(after, api.ScopeAdmin):
			left++
		case administers(before, api.ScopeAdmin):
			lost = before.ID
		}
	}
	if left == 0 && lost != "" {
		problems = append(problems, fmt.Errorf("client %q: it is the last client with the scope %s that can get a token, and nobody could call the admin API at its URL; "+
			"keep one, or use `signet client` over the admin socket if this is meant", lost, api.ScopeAdmin))
	}
	return errors.Join(problems...)
}

// afterwards returns the client as it is after the change; the zero Client where it is deleted.
func (c change) afterwards() api.Client {
	if c.after == nil {
		return api.Client{}
	}
	after := api.Client{ClientSpec: c.after.ClientSpec}
	if c.before != nil {
		after.Disabled, after.Secrets = c.before.Disabled, c.before.Secrets
	}
	if c.after.Disabled != nil {
		after.Disabled = *c.after.Disabled
	}
	if c.isNew {
		after.Secrets = append([]api.SecretRecord{{}}, after.Secrets...)
	}
	if !clientspec.HasSecret(after.AuthMethods) {
		after.Secrets = nil
	}
	return after
}

// administers reports whether the client can get a token with one of the scopes.
func administers(c api.Client, scopes ...string) bool {
	authenticates := len(c.Secrets) > 0 || slices.Contains(c.AuthMethods, clientauth.PrivateKeyJWT)
	return authenticates && !c.Public && !c.Disabled && slices.Contains(c.Grants, syntax.GrantClientCredentials) &&
		slices.ContainsFunc(c.Scopes, func(scope string) bool { return slices.Contains(scopes, scope) })
}

// authenticatesStill reports whether a way in which the client authenticated before is still there.
func authenticatesStill(before, after api.Client) bool {
	if len(before.Secrets) > 0 && slices.ContainsFunc(before.AuthMethods, func(method string) bool {
		return method != clientauth.PrivateKeyJWT && slices.Contains(after.AuthMethods, method)
	}) {
		return true
	}
	kept := kids(after.JWKS)
	return slices.ContainsFunc(kids(before.JWKS), func(kid string) bool { return slices.Contains(kept, kid) })
}

// kids returns the kids of a JWK Set.
func kids(jwks json.RawMessage) (list []string) {
	var set struct {
		Keys []struct {
			Kid string `json:"kid"`
		} `json:"keys"`
	}
	_ = json.Unmarshal(jwks, &set) // nothing, or a set by the server or package clientfile
	for _, key := range set.Keys {
		list = append(list, key.Kid)
	}
	return list
}

// clientOf returns the client that a token was issued to, or "". The token is not verified: the server does that, and a
// token that it does not accept changes nothing.
func clientOf(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var claims struct {
		ClientID string `json:"client_id"`
	}
	if json.Unmarshal(payload, &claims) != nil {
		return ""
	}
	return claims.ClientID
}

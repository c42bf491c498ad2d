package admin

import (
	"slices"
	"time"

	"signet/server/admin/api"
	"signet/server/clientauth"
	"signet/server/syntax"
	"signet/store"
)

// viewClient never shows a secret or its hash.
func viewClient(c store.Client) api.Client {
	view := api.Client{ClientSpec: specOf(c), Disabled: c.Disabled, Secrets: make([]api.SecretRecord, 0, liveSecrets),
		CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt}
	for _, secret := range c.Secrets {
		view.Secrets = append(view.Secrets, api.SecretRecord{CreatedAt: secret.CreatedAt, Fingerprint: secret.Fingerprint(), Unused: secret.Unused})
	}
	return view
}

// specOf shares no memory with c: a body is decoded into the result.
func specOf(c store.Client) api.ClientSpec {
	spec := api.ClientSpec{ID: c.ID, Public: c.Public, AuthMethods: listOf(c.AuthMethods), JWKS: slices.Clone(c.JWKS),
		Grants: listOf(c.Grants), Scopes: listOf(c.Scopes), Audiences: listOf(c.Audiences), Origins: listOf(c.Origins),
		Claims: listOf(c.Claims), Introspect: c.Introspect, IntrospectFor: listOf(c.IntrospectFor), Alg: c.Alg}
	if c.AccessTokenTTL > 0 {
		spec.AccessTokenTTL = c.AccessTokenTTL.String()
	}
	return spec
}

// listOf returns a copy that is never nil: JSON then has [] and not null.
func listOf(all []string) []string { return append([]string{}, all...) }

func setDefaults(spec *api.ClientSpec) {
	switch {
	case spec.AuthMethods != nil:
	case spec.Public:
		spec.AuthMethods = []string{clientauth.None}
	case hasKeys(*spec):
		spec.AuthMethods = []string{clientauth.PrivateKeyJWT}
	default:
		spec.AuthMethods = []string{clientauth.SecretBasic, clientauth.SecretPost}
	}
}

func hasKeys(spec api.ClientSpec) bool { return len(spec.JWKS) > 0 && string(spec.JWKS) != "null" }

// hasSecret reports whether a client with these methods has a secret.
func hasSecret(methods []string) bool {
	return slices.Contains(methods, clientauth.SecretBasic) || slices.Contains(methods, clientauth.SecretPost)
}

// applySpec applies the spec to the client, or returns all that is wrong with the spec. The response shows the warnings.
func (h *clients) applySpec(spec api.ClientSpec, client *store.Client, now time.Time) (warnings []string, err error) {
	var check clientValidator
	if spec.ID != client.ID {
		check.add("client_id cannot be changed; create another client")
	}
	if spec.Public != client.Public {
		check.add("public cannot be changed; create another client")
	}
	algs := h.keys.Algorithms()
	if spec.Alg != "" && spec.Alg == client.Alg {
		algs = append(algs, spec.Alg) // an algorithm that is gone must not prevent other changes; a warning names it
	}
	ttl := check.all(spec, algs, h.maxTokenLife)
	jwks := check.keys(spec)
	if err := check.err(); err != nil {
		return nil, err
	}
	if slices.Contains(client.Grants, syntax.GrantPassword) && !slices.Contains(spec.Grants, syntax.GrantPassword) {
		client.EndSessions() // they began with that grant
	}
	client.AuthMethods, client.Grants, client.Scopes = spec.AuthMethods, spec.Grants, spec.Scopes
	client.Audiences, client.Origins, client.Claims = spec.Audiences, spec.Origins, spec.Claims
	client.Introspect, client.IntrospectFor, client.Alg, client.AccessTokenTTL = spec.Introspect, spec.IntrospectFor, spec.Alg, ttl
	client.JWKS = jwks
	if !hasSecret(spec.AuthMethods) {
		client.Secrets = nil // so that an old secret is not valid again when the methods allow one
	}
	client.UpdatedAt = now
	return check.warnings, nil
}

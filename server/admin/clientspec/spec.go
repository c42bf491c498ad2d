package clientspec

import (
	"errors"
	"slices"
	"strings"
	"time"

	"signet/server/admin/api"
	"signet/server/clientauth"
	"signet/store"
)

// Of returns the spec of a client. It shares no memory with c: a body is decoded into it.
func Of(c store.Client) api.ClientSpec {
	spec := api.ClientSpec{ID: c.ID, Public: c.Public, AuthMethods: listOf(c.AuthMethods), JWKS: slices.Clone(c.JWKS),
		Grants: listOf(c.Grants), Scopes: listOf(c.Scopes), Audiences: listOf(c.Audiences), Origins: listOf(c.Origins),
		Claims: listOf(c.Claims), Introspect: c.Introspect, IntrospectFor: listOf(c.IntrospectFor), Alg: c.Alg,
		RedirectURIs: listOf(c.RedirectURIs), PostLogoutURIs: listOf(c.PostLogoutURIs), BackchannelLogoutURI: c.BackchannelLogoutURI, RequirePAR: c.RequirePAR}
	if c.AccessTokenTTL > 0 {
		spec.AccessTokenTTL = c.AccessTokenTTL.String()
	}
	return spec
}

// listOf returns a copy that is never nil: JSON then has [] and not null.
func listOf(all []string) []string { return append([]string{}, all...) }

// SetDefaults sets what the spec of a new client leaves out.
func SetDefaults(spec *api.ClientSpec) {
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

// HasSecret reports whether a client with these methods has a secret.
func HasSecret(methods []string) bool {
	return slices.Contains(methods, clientauth.SecretBasic) || slices.Contains(methods, clientauth.SecretPost)
}

// Rules are what the server has and a spec must fit.
type Rules struct {
	Algorithms   []string      // that new tokens can be signed with
	MaxTokenLife time.Duration // no access token lives longer
}

// Apply applies the spec to the client, or returns an error with all that is wrong with the spec. The response shows the
// warnings. A client that loses a grant with which sessions begin has all of its sessions ended.
func Apply(spec api.ClientSpec, client *store.Client, rules Rules) (warnings []string, err error) {
	var check validator
	if spec.ID != client.ID {
		check.add("client_id cannot be changed; create another client")
	}
	if spec.Public != client.Public {
		check.add("public cannot be changed; create another client")
	}
	algs := rules.Algorithms
	if spec.Alg != "" && spec.Alg == client.Alg {
		algs = append(slices.Clone(algs), spec.Alg) // an algorithm that is gone must not prevent other changes; a warning names it
	}
	ttl := check.all(spec, algs, rules.MaxTokenLife)
	jwks := check.keys(spec)
	if len(check.problems) > 0 {
		return nil, errors.New(strings.Join(check.problems, "; "))
	}
	for _, grant := range beginning {
		if slices.Contains(client.Grants, grant) && !slices.Contains(spec.Grants, grant) {
			client.EndSessions()
			break
		}
	}
	client.AuthMethods, client.Grants, client.Scopes = spec.AuthMethods, spec.Grants, spec.Scopes
	client.Audiences, client.Origins, client.Claims = spec.Audiences, spec.Origins, spec.Claims
	client.Introspect, client.IntrospectFor, client.Alg, client.AccessTokenTTL = spec.Introspect, spec.IntrospectFor, spec.Alg, ttl
	client.RedirectURIs, client.PostLogoutURIs = spec.RedirectURIs, spec.PostLogoutURIs
	client.BackchannelLogoutURI, client.RequirePAR = spec.BackchannelLogoutURI, spec.RequirePAR
	client.JWKS = jwks
	if !HasSecret(spec.AuthMethods) {
		client.Secrets = nil // so that an old secret is not valid again when the methods allow one
	}
	return check.warnings, nil
}

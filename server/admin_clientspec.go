package server

import (
	"encoding/json"
	"slices"
	"time"

	"signet/store"
)

// clientSpec is what an operator may set of a client.
type clientSpec struct {
	ID             string          `json:"client_id"`
	Public         bool            `json:"public"`
	AuthMethods    []string        `json:"auth_methods"`
	JWKS           json.RawMessage `json:"jwks,omitempty"` // public keys, for private_key_jwt; null: none
	Grants         []string        `json:"grants"`
	Scopes         []string        `json:"scopes"`
	Audiences      []string        `json:"audiences"`
	Origins        []string        `json:"origins"`
	Claims         []string        `json:"claims"`
	Introspect     bool            `json:"introspect"`
	IntrospectFor  []string        `json:"introspect_for"`
	Alg            string          `json:"alg"`
	AccessTokenTTL string          `json:"access_token_ttl"` // as time.Duration prints it; empty: the server's
}

// clientView is what an operator sees of one. Hashes of secrets are not shown, and the secret itself
// only in the answer that creates it.
type clientView struct {
	clientSpec
	Disabled  bool         `json:"disabled"`
	Secrets   []secretView `json:"secrets"`
	CreatedAt time.Time    `json:"created_at"`
	UpdatedAt time.Time    `json:"updated_at"`
	Secret    string       `json:"client_secret,omitempty"`
	Warnings  []string     `json:"warnings,omitempty"` // of a change that was made
}

type secretView struct {
	CreatedAt   time.Time `json:"created_at"`
	Fingerprint string    `json:"fingerprint"` // the first 8 hexadecimal digits of the secret's SHA-256
	Unused      bool      `json:"unused"`      // nobody has authenticated with it yet
}

func viewClient(c store.Client) clientView {
	view := clientView{clientSpec: specOf(c), Disabled: c.Disabled, Secrets: make([]secretView, 0, liveSecrets),
		CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt}
	for _, secret := range c.Secrets {
		view.Secrets = append(view.Secrets, secretView{secret.CreatedAt, secret.Fingerprint(), secret.Unused})
	}
	return view
}

// specOf shares no memory with c, so that a body may be laid over it.
func specOf(c store.Client) clientSpec {
	spec := clientSpec{ID: c.ID, Public: c.Public, AuthMethods: listOf(c.AuthMethods), JWKS: slices.Clone(c.JWKS), Grants: listOf(c.Grants), Scopes: listOf(c.Scopes),
		Audiences: listOf(c.Audiences), Origins: listOf(c.Origins), Claims: listOf(c.Claims), Introspect: c.Introspect, IntrospectFor: listOf(c.IntrospectFor), Alg: c.Alg}
	if c.AccessTokenTTL > 0 {
		spec.AccessTokenTTL = c.AccessTokenTTL.String()
	}
	return spec
}

// listOf copies, and makes an empty list of none: JSON then has [] and not null.
func listOf(all []string) []string { return append([]string{}, all...) }

func (spec *clientSpec) setDefaults() {
	switch {
	case spec.AuthMethods != nil:
	case spec.Public:
		spec.AuthMethods = []string{authNone}
	case spec.hasKeys():
		spec.AuthMethods = []string{authPrivateKeyJWT}
	default:
		spec.AuthMethods = []string{authBasic, authPost}
	}
}

func (spec *clientSpec) hasKeys() bool { return len(spec.JWKS) > 0 && string(spec.JWKS) != "null" }

// hasSecret reports whether a client of these methods is to have a secret.
func hasSecret(methods []string) bool {
	return slices.Contains(methods, authBasic) || slices.Contains(methods, authPost)
}

// applySpec makes the client what the spec says, or returns all that is wrong with the spec. Warnings are for
// the answer.
func (s *Server) applySpec(spec clientSpec, client *store.Client, now time.Time) (warnings []string, err error) {
	var check specCheck
	if spec.ID != client.ID {
		check.add("client_id cannot be changed; create another client")
	}
	if spec.Public != client.Public {
		check.add("public cannot be changed; create another client")
	}
	algs := s.cfg.Keys.Algorithms()
	if spec.Alg != "" && spec.Alg == client.Alg {
		algs = append(algs, spec.Alg) // that it is gone must not keep the rest from being changed; it is warned about
	}
	ttl := check.all(spec, algs, s.cfg.MaxTokenLife)
	jwks := check.keys(spec)
	if err := check.err(); err != nil {
		return nil, err
	}
	if slices.Contains(client.Grants, grantPassword) && !slices.Contains(spec.Grants, grantPassword) {
		client.EndSessions() // they rest on the grant
	}
	client.AuthMethods, client.Grants, client.Scopes = spec.AuthMethods, spec.Grants, spec.Scopes
	client.Audiences, client.Origins, client.Claims = spec.Audiences, spec.Origins, spec.Claims
	client.Introspect, client.IntrospectFor, client.Alg, client.AccessTokenTTL = spec.Introspect, spec.IntrospectFor, spec.Alg, ttl
	client.JWKS = jwks
	if !hasSecret(spec.AuthMethods) {
		client.Secrets = nil // so that an old one does not work again when the methods do
	}
	client.UpdatedAt = now
	return check.warnings, nil
}

package discovery

import (
	"encoding/json"
	"net/http"
	"slices"

	"signet/keys/jose"
	"signet/server/admin/api"
	"signet/server/clientauth"
	"signet/server/edge"
)

// metadata is the authorization server's own description (RFC 8414 §2), served where OpenID Connect
// libraries look as well. A member with nothing in it is left out, as §3.2 demands; so there is no
// response_types_supported while there is no authorization endpoint.
type metadata struct {
	Issuer                string   `json:"issuer"`
	TokenEndpoint         string   `json:"token_endpoint"`
	JWKSURI               string   `json:"jwks_uri"`
	RevocationEndpoint    string   `json:"revocation_endpoint"`
	IntrospectionEndpoint string   `json:"introspection_endpoint"`
	UserinfoEndpoint      string   `json:"userinfo_endpoint"`
	GrantTypes            []string `json:"grant_types_supported"`
	TokenAuth             []string `json:"token_endpoint_auth_methods_supported"`
	RevocationAuth        []string `json:"revocation_endpoint_auth_methods_supported"`
	IntrospectionAuth     []string `json:"introspection_endpoint_auth_methods_supported"`
	// The algorithms of client assertions: what a client's key may be for, not what Signet signs with.
	TokenAuthAlgs         []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	RevocationAuthAlgs    []string `json:"revocation_endpoint_auth_signing_alg_values_supported"`
	IntrospectionAuthAlgs []string `json:"introspection_endpoint_auth_signing_alg_values_supported"`
	IntrospectionAlgs     []string `json:"introspection_signing_alg_values_supported"` // RFC 9701 §7
	SubjectTypes          []string `json:"subject_types_supported"`
	ProtectedResources    []string `json:"protected_resources"` // RFC 9728 §4: userinfo, and the admin API where it has a listener
	// Scopes are the standard scopes that mean something here, which some clients need to find. The
	// scopes of clients are no one else's business.
	Scopes []string `json:"scopes_supported"`
	// SigningAlgs is OpenID Connect's name. No id_token is issued, but go-oidc and others take from
	// here which algorithms to accept.
	SigningAlgs []string `json:"id_token_signing_alg_values_supported"`
}

func renderMetadata(issuer string, grants, algorithms []string) []byte {
	all := append(slices.Clip(clientauth.ConfidentialMethods), clientauth.None)
	body, err := json.Marshal(metadata{
		Issuer:                issuer,
		TokenEndpoint:         issuer + "/token",
		JWKSURI:               issuer + "/.well-known/jwks.json",
		RevocationEndpoint:    issuer + "/revoke",
		IntrospectionEndpoint: issuer + "/introspect",
		UserinfoEndpoint:      issuer + "/userinfo",
		GrantTypes:            grants,
		TokenAuth:             all,
		RevocationAuth:        all,
		IntrospectionAuth:     clientauth.ConfidentialMethods,
		TokenAuthAlgs:         jose.VerifiedAlgorithms,
		RevocationAuthAlgs:    jose.VerifiedAlgorithms,
		IntrospectionAuthAlgs: jose.VerifiedAlgorithms,
		IntrospectionAlgs:     algorithms,
		SubjectTypes:          []string{"public"},
		ProtectedResources:    []string{issuer, api.Audience(issuer)},
		Scopes:                []string{"profile"}, // /userinfo answers with preferred_username (OpenID Connect Core §5.4)
		SigningAlgs:           algorithms,
	})
	if err != nil {
		panic(err) // strings always encode
	}
	return append(body, '\n')
}

// Metadata answers at both well-known places with the same bytes. Every URL in it is built from the configured issuer;
// no header of the request can change one.
func (h *Handler) Metadata(*edge.Request) (edge.Response, error) {
	body := renderMetadata(h.cfg.Issuer, h.cfg.GrantTypes, h.cfg.Keys.Algorithms())
	return edge.Response{Header: http.Header{"Cache-Control": {"public, max-age=300"}, "Content-Type": {edge.JSON}}, Raw: body}, nil
}

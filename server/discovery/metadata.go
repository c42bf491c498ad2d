package discovery

import (
	"encoding/json"
	"net/http"
	"slices"

	"signet/keys/jose"
	"signet/server/admin/api"
	"signet/server/clientauth"
	"signet/server/edge"
	"signet/server/syntax"
)

// metadata is the authorization server's own description (RFC 8414 §2), served where OpenID Connect libraries look as well (OpenID
// Connect Discovery §3). A member with nothing in it is left out, as §3.2 demands. A member of an endpoint that this server does not
// have is left out too.
type metadata struct {
	Issuer                string   `json:"issuer"`
	AuthorizationEndpoint string   `json:"authorization_endpoint,omitempty"`
	TokenEndpoint         string   `json:"token_endpoint"`
	JWKSURI               string   `json:"jwks_uri"`
	RevocationEndpoint    string   `json:"revocation_endpoint"`
	IntrospectionEndpoint string   `json:"introspection_endpoint"`
	UserinfoEndpoint      string   `json:"userinfo_endpoint"`
	PAREndpoint           string   `json:"pushed_authorization_request_endpoint,omitempty"` // RFC 9126 §5
	EndSessionEndpoint    string   `json:"end_session_endpoint,omitempty"`                  // OpenID Connect RP-Initiated Logout §2.1
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
	Scopes      []string `json:"scopes_supported"`
	Claims      []string `json:"claims_supported"`                      // of id_tokens and /userinfo
	SigningAlgs []string `json:"id_token_signing_alg_values_supported"` // go-oidc and others take those of access tokens from here, too

	authorization // of an authorization endpoint
	logout
}

// authorization has what only a server with an authorization endpoint has.
type authorization struct {
	ResponseTypes  []string `json:"response_types_supported,omitempty"`
	ResponseModes  []string `json:"response_modes_supported,omitempty"`
	ChallengeMeans []string `json:"code_challenge_methods_supported,omitempty"` // RFC 8414 §2
	Prompts        []string `json:"prompt_values_supported,omitempty"`          // OpenID Connect Prompt Create §4
	ACRs           []string `json:"acr_values_supported,omitempty"`             // OpenID Connect Discovery §3
	Iss            bool     `json:"authorization_response_iss_parameter_supported,omitempty"`
	// RequestURI is written although it is false: left out it means true (OpenID Connect Discovery §3). The URIs of pushed requests
	// are no request objects.
	RequestURI *bool `json:"request_uri_parameter_supported,omitempty"`
}

// logout has what only a server has that informs apps when a session has ended (OpenID Connect Back-Channel Logout §2.1).
type logout struct {
	BackChannel        bool `json:"backchannel_logout_supported,omitempty"`
	BackChannelSession bool `json:"backchannel_logout_session_supported,omitempty"`
}

// idTokenClaims are the claims of every id_token, and sub is one of /userinfo.
var idTokenClaims = []string{"sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash"}

// Paths of endpoints that a server may not have, relative to the issuer.
const (
	authorizePath = "/authorize"
	parPath       = "/par"
	logoutPath    = "/logout"
)

func (h *Handler) renderMetadata(algorithms []string) []byte {
	issuer := h.cfg.Issuer
	all := append(slices.Clip(clientauth.ConfidentialMethods), clientauth.None)
	m := metadata{
		Issuer:                issuer,
		TokenEndpoint:         issuer + "/token",
		JWKSURI:               issuer + "/.well-known/jwks.json",
		RevocationEndpoint:    issuer + "/revoke",
		IntrospectionEndpoint: issuer + "/introspect",
		UserinfoEndpoint:      issuer + "/userinfo",
		PAREndpoint:           h.endpoint(parPath),
		EndSessionEndpoint:    h.endpoint(logoutPath),
		AuthorizationEndpoint: h.endpoint(authorizePath),
		GrantTypes:            h.cfg.GrantTypes,
		TokenAuth:             all,
		RevocationAuth:        all,
		IntrospectionAuth:     clientauth.ConfidentialMethods,
		TokenAuthAlgs:         jose.VerifiedAlgorithms,
		RevocationAuthAlgs:    jose.VerifiedAlgorithms,
		IntrospectionAuthAlgs: jose.VerifiedAlgorithms,
		IntrospectionAlgs:     algorithms,
		SubjectTypes:          []string{"public"},
		ProtectedResources:    []string{issuer, api.Audience(issuer)},
		Scopes:                h.cfg.Scopes,
		Claims:                append(slices.Clip(idTokenClaims), h.cfg.Claims...),
		SigningAlgs:           algorithms,
		logout:                logout{BackChannel: h.cfg.BackChannelLogout, BackChannelSession: h.cfg.BackChannelLogout},
	}
	if m.AuthorizationEndpoint != "" {
		m.authorization = authorization{ResponseTypes: []string{"code"}, ResponseModes: []string{"query", "form_post"},
			ChallengeMeans: []string{"S256"}, Prompts: []string{"none", "login", "select_account", "consent"}, ACRs: h.cfg.ACRs, Iss: true, RequestURI: new(bool)}
	}
	if m.AuthorizationEndpoint == "" { // there is no way to get a code
		m.GrantTypes = slices.DeleteFunc(slices.Clone(m.GrantTypes), func(grant string) bool { return grant == syntax.GrantAuthorizationCode })
	}
	body, err := json.Marshal(m)
	if err != nil {
		panic(err) // strings always encode
	}
	return append(body, '\n')
}

// endpoint returns the URL of the path, or "" where there is no such route.
func (h *Handler) endpoint(path string) string {
	if !h.cfg.Serves(path) {
		return ""
	}
	return h.cfg.Issuer + path
}

// metadataResponse is what was answered last, for the algorithms.
type metadataResponse struct {
	algorithms []string
	response   edge.Response
}

// Metadata answers at both well-known places with the same bytes, rendered when the algorithms last changed. Every URL in it is
// built from the configured issuer; no header of the request can change one.
func (h *Handler) Metadata(*edge.Request) (edge.Response, error) {
	algorithms := h.cfg.Keys.Algorithms()
	last := h.metadata.Load()
	if last == nil || !slices.Equal(last.algorithms, algorithms) {
		last = &metadataResponse{algorithms, edge.Response{Raw: h.renderMetadata(algorithms),
			Header: http.Header{"Cache-Control": {"public, max-age=300"}, "Content-Type": {edge.JSON}}}}
		h.metadata.Store(last)
	}
	return last.response, nil
}

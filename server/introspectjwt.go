package server

import (
	"net/http"
)

// introspectionType is the typ of a signed answer (RFC 9701 §5). Its media type is the same behind
// "application/".
const introspectionType = "token-introspection+jwt"

var typeIntrospectionJWT = []string{"application/" + introspectionType}

// signedIntrospection are the claims of a signed answer (RFC 9701 §5). What the token says stays
// inside token_introspection. There is no sub and no exp, and the audience is the client that asked:
// a service that takes any JWT of this issuer for an access token finds in it neither a user nor a
// scope, and does not find itself (§8.1).
type signedIntrospection struct {
	Issuer        string        `json:"iss"`
	Audience      string        `json:"aud"`
	IssuedAt      int64         `json:"iat"`
	Introspection introspection `json:"token_introspection"`
}

// replyIntrospection answers in the form that the caller wants. Signing comes last and consumes
// nothing, so where it fails the 503 invites the same request again; errors are JSON in either form.
func (s *Server) replyIntrospection(c *call, answer introspection) (reply, error) {
	if !wantsSigned(c.Header["Accept"]) {
		return reply{body: answer}, nil
	}
	claims := signedIntrospection{Issuer: s.cfg.Issuer, Audience: c.client.ID, IssuedAt: s.now().Unix(), Introspection: answer}
	token, kid, err := s.cfg.Keys.Sign(c.Context(), c.client.Alg, introspectionType, claims)
	if err != nil {
		return reply{}, err
	}
	c.kid = kid
	return reply{header: http.Header{"Content-Type": typeIntrospectionJWT}, raw: []byte(token)}, nil
}

// wantsSigned reports whether the caller asks for a signed answer (RFC 9701 §4). It must name the
// type: ranges such as */* are what HTTP libraries send of themselves, and mean the JSON of RFC 7662.
// So is application/json, so at equal weights the type that somebody wrote down on purpose wins.
// Whoever accepts neither gets JSON and not a 406 (RFC 9110 §12.5.1 leaves the choice): a service that
// cannot read an answer about a token must turn its user away, for a header that nobody meant.
func wantsSigned(accept []string) bool {
	signed, named := weigh(accept, typeIntrospectionJWT[0])
	if !named || signed == 0 {
		return false
	}
	plain, _ := weigh(accept, typeJSON[0])
	return signed >= plain
}

package oauth

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"signet/server/edge"
	"signet/server/token"
	"signet/store"
)

// typeIntrospectionJWT is the media type of a signed answer (RFC 9701 §5): its typ behind "application/".
var typeIntrospectionJWT = []string{"application/" + token.TypeIntrospection}

// signedIntrospection are the claims of a signed answer (RFC 9701 §5). What is known of the token
// stays inside token_introspection. There is no sub and no exp, and the audience is the client that asked: a service that
// takes any JWT of this issuer for an access token finds neither a user nor a scope nor itself in it (§8.1).
type signedIntrospection struct {
	Issuer        string        `json:"iss"`
	Audience      string        `json:"aud"`
	IssuedAt      int64         `json:"iat"`
	Introspection introspection `json:"token_introspection"`
}

// write responds in the form that the caller accepts. Signing is last and changes nothing, so after its failure the
// same request may be sent again. Errors are JSON in either form.
func (i *introspector) write(r *edge.Request, client *store.Client, answer introspection) (edge.Response, error) {
	if !wantsSigned(r.Header["Accept"]) {
		return edge.Response{Body: answer}, nil
	}
	service, err := i.NamesService(r.Context(), client.ID)
	if err != nil {
		return edge.Response{}, edge.Unavailable(err)
	}
	if service {
		r.Cause = errors.Join(r.Cause, errors.New("the answer is not signed: "+AnswersUnsigned))
		return edge.Response{Body: answer}, nil
	}
	if err := i.checkPinned(client); err != nil {
		return edge.Response{}, err
	}
	claims := signedIntrospection{Issuer: i.cfg.Issuer, Audience: client.ID, IssuedAt: i.cfg.Now().Unix(), Introspection: answer}
	signed, kid, err := i.cfg.Keys.Sign(r.Context(), client.Alg, token.TypeIntrospection, claims)
	if err != nil {
		return edge.Response{}, err
	}
	r.KeyID = kid
	return edge.Response{Header: http.Header{"Content-Type": typeIntrospectionJWT}, Raw: []byte(signed)}, nil
}

// AnswersUnsigned is why some clients get no signed answers.
const AnswersUnsigned = "the client's id is also an audience of tokens, and many libraries would take a signed answer of introspection, whose aud is the client's id, for an access token of that service"

// NamesService reports whether a client's id is the name of a service that tokens are for. What is signed for
// that client could pass as a token there: libraries that look at neither typ nor a missing exp check no
// more than the signature, iss and aud.
func (h *shared) NamesService(ctx context.Context, id string) (bool, error) {
	if slices.Contains(h.cfg.Settings().Audience, id) {
		return true, nil
	}
	return h.cfg.Clients.IsAudience(ctx, id)
}

// wantsSigned reports whether the caller asks for a signed response (RFC 9701 §4). It must name the type: HTTP libraries
// send ranges such as */*, and application/json, by themselves, and those mean the JSON of RFC 7662. So at equal weights
// the signed type wins. A caller that accepts neither gets JSON and not a 406 (RFC 9110 §12.5.1 leaves the choice): without
// a response about the token a service must turn its user away.
func wantsSigned(accept []string) bool {
	signed, named := edge.AcceptQuality(accept, typeIntrospectionJWT[0])
	if !named || signed == 0 {
		return false
	}
	plain, _ := edge.AcceptQuality(accept, edge.JSON)
	return signed >= plain
}

package oauth

import (
	"signet/server/clientauth"
	"signet/server/edge"
	"signet/server/oauth/engine"
)

// clientCredentials gives a client a token of its own (RFC 6749 §4.4). There is no user, no
// session and no refresh token: the client can always ask again.
func (h *Handler) clientCredentials(g *grantRequest) (engine.Tokens, error) {
	g.Subject = g.client.ID
	issued, err := g.issue(nil, nil)
	if err != nil {
		return engine.Tokens{}, err
	}
	switch ok, err := h.cfg.Clients.Unchanged(g.Context(), g.client); {
	case err != nil:
		return engine.Tokens{}, edge.Unavailable(err)
	case !ok:
		return engine.Tokens{}, clientauth.ErrInvalidClient.Because("the client was changed during the request")
	}
	return issued, nil
}

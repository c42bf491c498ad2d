package oauth

import (
	"slices"

	"signet/server/oauth/engine"
	"signet/server/signin"
	"signet/server/syntax"
	"signet/server/token"
)

// login is the password grant (RFC 6749 §4.3): a door of package signin, and tokens for the session that it has begun.
func (h *Handler) login(g *grantRequest) (engine.Tokens, error) {
	in, err := h.cfg.SignIn.Password(g.Request, signin.Login{Client: g.client, Username: g.Form.Get("username"), Password: g.Form.Get("password")})
	if err != nil {
		return engine.Tokens{}, err
	}
	g.signIn = signIn{at: in.Session.StartedAt, amr: in.AMR, acr: in.ACR}
	issued, err := g.issue(&in.User, &in.Session)
	if err != nil {
		h.cfg.SignIn.Abandon(g.Request, in)
		return engine.Tokens{}, err
	}
	h.cfg.SignIn.Confirm(g.Request, in)
	if slices.Contains(g.client.Grants, syntax.GrantRefreshToken) {
		begun := token.Refresh{UserID: in.User.ID, SessionID: in.Session.ID, AuthTime: in.Session.StartedAt, Scope: g.scope}
		if len(g.client.Audiences) > 0 || len(g.Form.Resources) > 0 { // else it follows the server's default
			begun.Audience, begun.Chosen = g.audience, g.onlyChosen()
		}
		issued.Refresh = h.cfg.Sealer.Seal(begun, g.client.ID)
	}
	return issued, nil
}

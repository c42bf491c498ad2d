package oauth

import (
	"log/slog"
	"slices"
	"time"

	"signet/server/edge"
	"signet/server/syntax"
	"signet/store"
)

// tokenResponse is the response of RFC 6749 §5.1.
type tokenResponse struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope,omitempty"`
	IDToken      string `json:"id_token,omitempty"`          // OpenID Connect Core §3.1.3.3
	Breached     bool   `json:"password_breached,omitempty"` // the user should choose another password
}

// Token is POST /token. Whatever can be refused is refused before anything is consumed: parse,
// client, grant type, the client's grants, then the grant's own checks and its one atomic step.
func (h *Handler) Token(r *edge.Request, client *store.Client) (edge.Response, error) {
	requested := r.Form.Get("grant_type")
	switch {
	case requested == "":
		return edge.Response{}, edge.InvalidRequest("grant_type is missing")
	case !slices.Contains(syntax.GrantTypes, requested):
		return edge.Response{}, errUnsupportedGrantType
	}
	r.GrantType = requested
	if r.Form.HasAudience {
		h.noteAudience(client.ID)
	}
	switch {
	case slices.Contains(client.Grants, requested):
	case r.DefaultClient:
		return edge.Response{}, errDefaultClient
	default:
		return edge.Response{}, errUnauthorizedClient
	}
	if err := h.checkPinned(client); err != nil {
		return edge.Response{}, err
	}
	g := &grantRequest{Request: r, handler: h, client: client}
	issued, err := g.run()
	if err != nil {
		return edge.Response{}, err
	}
	return edge.Response{Body: tokenResponse{AccessToken: issued.Access, TokenType: "Bearer", ExpiresIn: int64(issued.Life / time.Second),
		RefreshToken: issued.Refresh, Scope: g.scope, IDToken: g.idToken, Breached: g.breached}}, nil
}

// noteAudience writes once for each client that it sends a parameter that is ignored. Other servers call
// resource so; its value is not written down.
func (h *Handler) noteAudience(clientID string) {
	if _, again := h.audienceNoted.LoadOrStore(clientID, true); !again {
		h.cfg.Log.Info("a client sends the parameter audience, which is ignored; the parameter that chooses the audience is resource (RFC 8707)",
			slog.String("client_id", clientID))
	}
}

package oauth

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"signet/server/account"
	"signet/server/edge"
	"signet/server/syntax"
	"signet/server/token"
	"signet/store"
)

// signIn is how and when the user of a grant signed in, as the id_token has it.
type signIn struct {
	at    time.Time
	amr   []string // empty: not known
	acr   string   // empty: not known
	nonce string   // of the authorization request; empty: it had none, or this is a refresh (OpenID Connect Core §12.2)
}

var errNoIDToken = &edge.Error{Status: http.StatusBadRequest, Code: "invalid_scope",
	Description: "the client may not have the scope openid: its id is also an audience of access tokens, and an id_token for it could pass as one; ask the operator to register the client under another id"}

// NoIDToken is why some clients get no id_token.
const NoIDToken = "the client's id is also an audience of tokens, and many libraries would take an id_token, whose aud is the client's id, for an access token of that service"

// settleOpenID returns the scope without openid where the client can get no id_token, and refuses a request that names openid.
func (h *Handler) settleOpenID(g *grantRequest, scope string) (string, error) {
	if g.GrantType == syntax.GrantClientCredentials || !account.HasScope(scope, account.ScopeOpenID) {
		return scope, nil
	}
	switch service, err := h.NamesService(g.Context(), g.client.ID); {
	case err != nil:
		return "", edge.Unavailable(err)
	case !service:
		return scope, nil
	case g.Form.Get("scope") != "":
		return "", errNoIDToken
	}
	rest := slices.DeleteFunc(strings.Split(scope, " "), func(s string) bool { return s == account.ScopeOpenID })
	return strings.Join(rest, " "), nil
}

// forUser returns the audience of an access token with the scope openid: it can be used at /userinfo (OpenID Connect Core
// §5.3), so the issuer is one of its services unless the app has chosen the services by resource, now or at the login.
func (g *grantRequest) forUser() []string {
	chosen := g.presented.Chosen || len(g.Form.Resources) > 0 || len(g.audience) < len(g.handler.audienceOf(g.client))
	if chosen || g.handler.forUserinfo(g.audience) {
		return g.audience
	}
	return append(slices.Clip(g.audience), g.handler.cfg.Issuer)
}

// onlyChosen reports whether a refresh token of a login by password has to carry that the services were named: where its audience does
// not show it. Earlier versions cannot read such a token.
func (g *grantRequest) onlyChosen() bool {
	return len(g.Form.Resources) > 0 && account.HasScope(g.scope, account.ScopeOpenID) && !g.handler.forUserinfo(g.audience) &&
		len(g.audience) == len(g.handler.audienceOf(g.client))
}

// issueID signs the id_token that goes with the access token.
func (g *grantRequest) issueID(user *store.User, session *store.Session, access token.Issued) error {
	switch service, err := g.handler.NamesService(g.Context(), g.client.ID); {
	case err != nil:
		return edge.Unavailable(err)
	case service: // since the login: then the scope had openid, and the id was no audience
		g.handler.noteNoIDToken(g.client.ID)
		return nil
	}
	issued, err := g.handler.cfg.Tokens.IDToken(g.Context(), token.IDGrant{Client: g.client, User: user, Session: session,
		AuthTime: g.signIn.at, AMR: g.signIn.amr, ACR: g.signIn.acr, Nonce: g.signIn.nonce, Access: access})
	g.idToken = issued.Token
	return err
}

// noteNoIDToken writes once for each client that its sessions go on without id_tokens.
func (h *shared) noteNoIDToken(clientID string) {
	if _, again := h.noIDNoted.LoadOrStore(clientID, true); !again {
		h.cfg.Log.Warn("a client with the scope openid gets no id_token: "+NoIDToken, slog.String("client_id", clientID))
	}
}

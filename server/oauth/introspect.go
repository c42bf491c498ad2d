package oauth

import (
	"errors"
	"net/http"
	"slices"

	"signet/server/admin/api"
	"signet/server/clientauth"
	"signet/server/edge"
	"signet/server/syntax"
	"signet/server/token"
	"signet/store"
)

// introspection is a response of RFC 7662 §2.2. For a token that is not active it has Active alone.
type introspection struct {
	Active    bool           `json:"active"`
	Scope     string         `json:"scope,omitempty"`
	ClientID  string         `json:"client_id,omitempty"`
	Username  string         `json:"username,omitempty"`
	TokenType string         `json:"token_type,omitempty"`
	ExpiresAt int64          `json:"exp,omitempty"`
	IssuedAt  int64          `json:"iat,omitempty"`
	NotBefore int64          `json:"nbf,omitempty"`
	Subject   string         `json:"sub,omitempty"`
	Audience  token.Audience `json:"aud,omitempty"`
	Issuer    string         `json:"iss,omitempty"`
	ID        string         `json:"jti,omitempty"`
	SessionID string         `json:"sid,omitempty"`
	AuthTime  int64          `json:"auth_time,omitempty"`
}

// introspector answers introspection.
type introspector struct{ *shared }

var errNoIntrospectRight = &edge.Error{Status: http.StatusForbidden, Code: "unauthorized_client",
	Description: "this client may not introspect tokens; an operator can register it with the introspect right"}

// respond is POST /introspect (RFC 7662), with answers as JSON or signed (RFC 9701).
func (i *introspector) respond(r *edge.Request, client *store.Client) (edge.Response, error) {
	switch {
	case client.Public:
		return edge.Response{}, clientauth.ErrInvalidClient.Because("a public client asked to introspect")
	case !client.Introspect:
		return edge.Response{}, errNoIntrospectRight
	}
	presented := r.Form.Get("token")
	if presented == "" {
		return edge.Response{}, edge.InvalidRequest("token is missing")
	}
	answer, err := i.introspect(r, client, presented)
	if errors.Is(err, token.ErrInactive) {
		r.Outcome, r.Cause = "inactive", err
		return i.write(r, client, introspection{})
	}
	if err != nil {
		return edge.Response{}, err
	}
	r.Outcome, r.Subject = "active", answer.Subject
	return i.write(r, client, answer)
}

// introspect takes access tokens of every client, and the asking client's own refresh tokens:
// another client's do not even open.
//
// A token for other services than the one that asks is not active there (RFC 9701 §5, RFC 7662 §4).
// The operator lists with introspect_for which services a client introspects for. Its audiences are no such list, since
// they are where its own tokens go. A client without the list introspects for all services, as a gateway does: it distinguishes
// them by aud in the response.
func (i *introspector) introspect(r *edge.Request, client *store.Client, raw string) (introspection, error) {
	if refresh, err := i.cfg.Sealer.Open(raw, client.ID); err == nil {
		return i.introspectRefreshToken(r, client, refresh)
	}
	t, err := i.cfg.Checker.Check(r.Context(), raw)
	if err != nil {
		i.cfg.Foreign(raw)
		return introspection{}, err
	}
	if !mayIntrospect(client, t.Claims.Audience) {
		return introspection{}, token.Inactive("for none of the services that the client may ask for")
	}
	a := introspection{Active: true, Scope: t.Claims.Scope, ClientID: t.Claims.ClientID, TokenType: "Bearer",
		ExpiresAt: t.Claims.ExpiresAt, IssuedAt: t.Claims.IssuedAt, NotBefore: t.Claims.NotBefore, Subject: t.Claims.Subject,
		Audience: t.Claims.Audience, Issuer: t.Claims.Issuer, ID: t.Claims.ID, SessionID: t.Claims.SessionID, AuthTime: t.Claims.AuthTime}
	if t.User != nil {
		a.Username = t.User.Username
	}
	return a, nil
}

func mayIntrospect(client *store.Client, aud token.Audience) bool {
	return len(client.IntrospectFor) == 0 ||
		slices.ContainsFunc(aud, func(service string) bool { return slices.Contains(client.IntrospectFor, service) })
}

// introspectRefreshToken asks the session without moving it. A token is active where a refresh with it would go
// through. Only the newest generation is: a rotated token never is.
func (i *introspector) introspectRefreshToken(r *edge.Request, client *store.Client, refresh token.Refresh) (introspection, error) {
	if !slices.Contains(client.Grants, syntax.GrantRefreshToken) {
		return introspection{}, token.Inactive("the client has lost the refresh_token grant")
	}
	if why := i.revocationReason(client, refresh); why != "" {
		return introspection{}, token.Inactive("%s", why)
	}
	state, err := i.cfg.Store.TokenState(r.Context(), store.TokenRef{UserID: refresh.UserID, SessionID: refresh.SessionID})
	switch {
	case err != nil:
		return introspection{}, edge.Unavailable(err)
	case !state.Live || state.Session.ClientID != client.ID:
		return introspection{}, token.Inactive("its session has ended")
	case state.Session.Generation > refresh.Generation:
		return introspection{}, token.Inactive("it was rotated")
	}
	if why := i.cfg.Checker.SessionEnded(state.Session, &state.User, client, i.cfg.Now()); why != "" {
		return introspection{}, token.Inactive("%s", why)
	}
	ends := state.Session.RotatedAt.Add(i.cfg.Settings().Lifetimes.Idle)
	if absolute := state.Session.StartedAt.Add(i.cfg.Settings().Lifetimes.Absolute); absolute.Before(ends) {
		ends = absolute
	}
	return introspection{Active: true, Scope: api.Ordinary(refresh.Scope), ClientID: client.ID, Username: state.User.Username,
		ExpiresAt: ends.Unix(), IssuedAt: state.Session.RotatedAt.Unix(), Subject: refresh.UserID.String(),
		Audience: i.stillAllowed(client, refresh), Issuer: i.cfg.Issuer, SessionID: refresh.SessionID.String(), AuthTime: refresh.AuthTime.Unix()}, nil
}

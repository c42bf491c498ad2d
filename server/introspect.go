package server

import (
	"errors"
	"net/http"
	"slices"

	"signet/server/admin/api"
	"signet/server/edge"
	"signet/store"
)

// introspection is an answer of RFC 7662 §2.2. Of a token that is not live it says so and nothing else.
type introspection struct {
	Active    bool     `json:"active"`
	Scope     string   `json:"scope,omitempty"`
	ClientID  string   `json:"client_id,omitempty"`
	Username  string   `json:"username,omitempty"`
	TokenType string   `json:"token_type,omitempty"`
	ExpiresAt int64    `json:"exp,omitempty"`
	IssuedAt  int64    `json:"iat,omitempty"`
	NotBefore int64    `json:"nbf,omitempty"`
	Subject   string   `json:"sub,omitempty"`
	Audience  audience `json:"aud,omitempty"`
	Issuer    string   `json:"iss,omitempty"`
	ID        string   `json:"jti,omitempty"`
	SessionID string   `json:"sid,omitempty"`
	AuthTime  int64    `json:"auth_time,omitempty"`
}

var errNoIntrospectRight = &edge.Error{Status: http.StatusForbidden, Code: "unauthorized_client",
	Description: "this client may not introspect tokens; an operator can register it with the introspect right"}

// handleIntrospect is POST /introspect (RFC 7662), with answers as JSON or signed (RFC 9701).
func (s *Server) handleIntrospect(c *edge.Request, client *store.Client) (edge.Response, error) {
	switch {
	case client.Public:
		return edge.Response{}, errInvalidClient.Because("a public client asked to introspect")
	case !client.Introspect:
		return edge.Response{}, errNoIntrospectRight
	}
	token := c.Form.Get("token")
	if token == "" {
		return edge.Response{}, edge.InvalidRequest("token is missing")
	}
	answer, err := s.introspect(c, client, token)
	if errors.Is(err, errTokenNotLive) {
		c.Outcome, c.Cause = "inactive", err
		return s.replyIntrospection(c, client, introspection{})
	}
	if err != nil {
		return edge.Response{}, err
	}
	c.Outcome, c.Subject = "active", answer.Subject
	return s.replyIntrospection(c, client, answer)
}

// introspect takes access tokens of every client, and the asking client's own refresh tokens:
// another client's do not even open.
//
// A token for other services than the one that asks is not active there (RFC 9701 §5, RFC 7662 §4).
// Which services a client speaks for is for the operator to say, with introspect_for; its audiences
// do not say it, since they are where its own tokens go. A client that was given the right without
// that list speaks for all services, as a gateway does: it has aud in the answer to tell them apart.
func (s *Server) introspect(c *edge.Request, client *store.Client, token string) (introspection, error) {
	if refresh, err := s.sealer.Open(token, client.ID); err == nil {
		return s.introspectRefreshToken(c, client, refresh)
	}
	t, err := s.checkAccessToken(c.Context(), token)
	if err != nil {
		s.metrics.keys.refused(token)
		return introspection{}, err
	}
	if !speaksFor(client, t.claims.Audience) {
		return introspection{}, notLive("for none of the services that the client may ask for")
	}
	a := introspection{Active: true, Scope: t.claims.Scope, ClientID: t.claims.ClientID, TokenType: "Bearer",
		ExpiresAt: t.claims.ExpiresAt, IssuedAt: t.claims.IssuedAt, NotBefore: t.claims.NotBefore, Subject: t.claims.Subject,
		Audience: t.claims.Audience, Issuer: t.claims.Issuer, ID: t.claims.ID, SessionID: t.claims.SessionID, AuthTime: t.claims.AuthTime}
	if t.user != nil {
		a.Username = t.user.Username
	}
	return a, nil
}

func speaksFor(client *store.Client, aud audience) bool {
	return len(client.IntrospectFor) == 0 ||
		slices.ContainsFunc(aud, func(service string) bool { return slices.Contains(client.IntrospectFor, service) })
}

// introspectRefreshToken asks the session without moving it. A token is active where a refresh with it would go
// through. Only the newest generation is: a rotated token never is.
func (s *Server) introspectRefreshToken(c *edge.Request, client *store.Client, token refreshToken) (introspection, error) {
	if !slices.Contains(client.Grants, grantRefreshToken) {
		return introspection{}, notLive("the client has lost the refresh_token grant")
	}
	if why := s.withdrawn(client, token); why != "" {
		return introspection{}, notLive("%s", why)
	}
	state, err := s.store.TokenState(c.Context(), store.TokenRef{UserID: token.UserID, SessionID: token.SessionID})
	switch {
	case err != nil:
		return introspection{}, edge.Unavailable(err)
	case !state.Live || state.Session.ClientID != client.ID:
		return introspection{}, notLive("its session has ended")
	case state.Session.Generation > token.Generation:
		return introspection{}, notLive("it was rotated")
	}
	if why := s.sessionEnded(state.Session, &state.User, client, s.now()); why != "" {
		return introspection{}, notLive("%s", why)
	}
	ends := state.Session.RotatedAt.Add(s.settings().Lifetimes.Idle)
	if absolute := state.Session.StartedAt.Add(s.settings().Lifetimes.Absolute); absolute.Before(ends) {
		ends = absolute
	}
	return introspection{Active: true, Scope: api.Ordinary(token.Scope), ClientID: client.ID, Username: state.User.Username,
		ExpiresAt: ends.Unix(), IssuedAt: state.Session.RotatedAt.Unix(), Subject: token.UserID.String(),
		Audience: s.stillAllowed(client, token), Issuer: s.cfg.Issuer, SessionID: token.SessionID.String(), AuthTime: token.AuthTime.Unix()}, nil
}

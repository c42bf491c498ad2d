package server

import (
	"encoding/json"
	"errors"
	"time"

	"signet/keys"
	"signet/server/edge"
	"signet/store"
)

// handleRevoke is POST /revoke (RFC 7009). A refresh token, of whatever generation, ends its
// session, and with it every access token of the session wherever one asks; an access token ends
// alone. What is unknown, spent or another client's is answered 200 as well (§2.2) and nothing is
// revoked. The hint is not needed: a token's own form says what it is. The answer is an empty JSON object:
// RFC 7009 §2.2 gives the body no meaning, and some clients parse it.
func (s *Server) handleRevoke(c *edge.Request, client *store.Client) (edge.Response, error) {
	token := c.Form.Get("token")
	if token == "" {
		return edge.Response{}, edge.InvalidRequest("token is missing")
	}
	if refresh, err := s.sealer.Open(token, client.ID); err == nil {
		return s.revokeSession(c, refresh)
	}
	return s.revokeAccessToken(c, client, token)
}

// revokedReply is the answer to every revocation that is not refused.
var revokedReply = edge.Response{Body: struct{}{}}

func (s *Server) revokeSession(c *edge.Request, token refreshToken) (edge.Response, error) {
	c.Changing, c.Subject, c.SessionID = store.EventRevoke, token.UserID.String(), token.SessionID.String()
	e := store.Event{Type: store.EventRevoke, Outcome: store.OutcomeOK}
	existed, err := s.store.RevokeSession(s.audit.WithEvent(c, &e), token.UserID, token.SessionID)
	if err != nil {
		return edge.Response{}, edge.Unavailable(err)
	}
	c.Outcome = "unknown"
	if existed {
		c.Outcome = "revoked"
		s.audit.RateLimited(c, e)
	}
	return revokedReply, nil
}

func (s *Server) revokeAccessToken(c *edge.Request, client *store.Client, token string) (edge.Response, error) {
	t, err := s.checkAccessToken(c.Context(), token)
	if errors.Is(err, keys.ErrUnreadable) {
		return s.revokeUnreadable(c, client, token, err)
	}
	if errors.Is(err, errTokenNotLive) {
		c.Outcome, c.Cause = "unknown", err
		return revokedReply, nil
	}
	if err != nil {
		return edge.Response{}, err
	}
	c.Subject = t.claims.Subject
	return s.revokeJTI(c, client, t.claims.ClientID, t.claims.ID, time.Unix(t.claims.ExpiresAt, 0))
}

func (s *Server) revokeJTI(c *edge.Request, client *store.Client, clientID, jti string, until time.Time) (edge.Response, error) {
	if clientID != client.ID {
		c.Outcome = "foreign"
		s.audit.Refused(c, store.Event{Type: store.EventRevoke, Outcome: store.OutcomeRefused,
			Detail: map[string]string{store.DetailReason: "the token of client " + clientID}})
		return revokedReply, nil
	}
	c.Changing = store.EventRevoke
	e := store.Event{Type: store.EventRevoke, Outcome: store.OutcomeOK, Detail: map[string]string{store.DetailJTI: jti}}
	if err := s.store.RevokeToken(s.audit.WithEvent(c, &e), jti, until); err != nil {
		return edge.Response{}, edge.Unavailable(err)
	}
	c.Outcome = "revoked"
	s.audit.RateLimited(c, e)
	return revokedReply, nil
}

// revokeUnreadable revokes a token of ours of which only some claims can be read: it is inactive here, but
// services that verify it by themselves may take it, and a newer version may read it. Where not even its
// client and its jti can be read, the answer is an error and not a success.
func (s *Server) revokeUnreadable(c *edge.Request, client *store.Client, token string, why error) (edge.Response, error) {
	var claims map[string]json.RawMessage
	if _, err := s.cfg.Keys.Verify(token, accessTokenType, &claims); err != nil {
		return edge.Response{}, edge.Unavailable(why)
	}
	clientID, _ := claimText(claims["client_id"])
	jti, _ := claimText(claims["jti"])
	if clientID == "" || jti == "" {
		return edge.Response{}, edge.Unavailable(why)
	}
	until, err := claimTime(claims, "exp")
	if latest := s.now().Add(s.cfg.MaxTokenLife); err != nil || until.IsZero() || until.After(latest) {
		until = latest
	}
	return s.revokeJTI(c, client, clientID, jti, until)
}

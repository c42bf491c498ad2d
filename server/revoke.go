package server

import (
	"errors"
	"time"

	"signet/keys"
	"signet/server/edge"
	"signet/server/token"
	"signet/store"
)

// handleRevoke is POST /revoke (RFC 7009). A refresh token, of whatever generation, ends its
// session, and with it every access token of the session wherever one asks; an access token ends
// alone. What is unknown, spent or another client's is answered 200 as well (§2.2) and nothing is
// revoked. The hint is not needed: a token's own form says what it is. The answer is an empty JSON object:
// RFC 7009 §2.2 gives the body no meaning, and some clients parse it.
func (s *Server) handleRevoke(c *edge.Request, client *store.Client) (edge.Response, error) {
	presented := c.Form.Get("token")
	if presented == "" {
		return edge.Response{}, edge.InvalidRequest("token is missing")
	}
	if refresh, err := s.sealer.Open(presented, client.ID); err == nil {
		return s.revokeSession(c, refresh)
	}
	return s.revokeAccessToken(c, client, presented)
}

// revokedReply is the answer to every revocation that is not refused.
var revokedReply = edge.Response{Body: struct{}{}}

func (s *Server) revokeSession(c *edge.Request, refresh token.Refresh) (edge.Response, error) {
	c.Changing, c.Subject, c.SessionID = store.EventRevoke, refresh.UserID.String(), refresh.SessionID.String()
	e := store.Event{Type: store.EventRevoke, Outcome: store.OutcomeOK}
	existed, err := s.store.RevokeSession(s.audit.WithEvent(c, &e), refresh.UserID, refresh.SessionID)
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

func (s *Server) revokeAccessToken(c *edge.Request, client *store.Client, raw string) (edge.Response, error) {
	t, err := s.checker.Check(c.Context(), raw)
	if errors.Is(err, keys.ErrUnreadable) {
		return s.revokeUnreadable(c, client, raw, err)
	}
	if errors.Is(err, token.ErrInactive) {
		c.Outcome, c.Cause = "unknown", err
		return revokedReply, nil
	}
	if err != nil {
		return edge.Response{}, err
	}
	c.Subject = t.Claims.Subject
	return s.revokeJTI(c, client, t.Claims.ClientID, t.Claims.ID, time.Unix(t.Claims.ExpiresAt, 0))
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
func (s *Server) revokeUnreadable(c *edge.Request, client *store.Client, raw string, why error) (edge.Response, error) {
	clientID, jti, until, ok := s.checker.Partial(raw)
	if !ok {
		return edge.Response{}, edge.Unavailable(why)
	}
	if latest := s.now().Add(s.cfg.MaxTokenLife); until.IsZero() || until.After(latest) {
		until = latest
	}
	return s.revokeJTI(c, client, clientID, jti, until)
}

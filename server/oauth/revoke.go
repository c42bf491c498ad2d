package oauth

import (
	"errors"
	"time"

	"signet/keys/keyset"
	"signet/server/edge"
	"signet/server/token"
	"signet/store"
)

// revoker answers revocation.
type revoker struct{ *shared }

// respond is POST /revoke (RFC 7009). A refresh token, of whatever generation, ends its
// session, and with it every access token of the session wherever one asks; an access token ends
// alone. What is unknown, spent or another client's is answered 200 as well (§2.2) and nothing is
// revoked. The hint is not needed: refresh and access tokens differ in form. The response is an empty JSON object:
// RFC 7009 §2.2 gives the body no meaning, and some clients parse it.
func (v *revoker) respond(r *edge.Request, client *store.Client) (edge.Response, error) {
	presented := r.Form.Get("token")
	if presented == "" {
		return edge.Response{}, edge.InvalidRequest("token is missing")
	}
	if refresh, err := v.cfg.Sealer.Open(presented, client.ID); err == nil {
		return v.revokeSession(r, refresh)
	}
	return v.revokeAccessToken(r, client, presented)
}

// revokedResponse is the response to every revocation that is not refused.
var revokedResponse = edge.Response{Body: struct{}{}}

func (v *revoker) revokeSession(r *edge.Request, refresh token.Refresh) (edge.Response, error) {
	r.Changing, r.Subject, r.SessionID = store.EventRevoke, refresh.UserID.String(), refresh.SessionID.String()
	e := store.Event{Type: store.EventRevoke, Outcome: store.OutcomeOK}
	existed, err := v.cfg.Store.RevokeSession(v.cfg.Audit.WithEvent(r, &e), refresh.UserID, refresh.SessionID)
	if err != nil {
		return edge.Response{}, edge.Unavailable(err)
	}
	r.Outcome = "unknown"
	if existed {
		r.Outcome = "revoked"
		v.cfg.Audit.RateLimited(r, e)
	}
	return revokedResponse, nil
}

func (v *revoker) revokeAccessToken(r *edge.Request, client *store.Client, raw string) (edge.Response, error) {
	t, err := v.cfg.Checker.Check(r.Context(), raw)
	if errors.Is(err, keyset.ErrUnreadable) {
		return v.revokeUnreadable(r, client, raw, err)
	}
	if errors.Is(err, token.ErrInactive) {
		r.Outcome, r.Cause = "unknown", err
		return revokedResponse, nil
	}
	if err != nil {
		return edge.Response{}, err
	}
	r.Subject = t.Claims.Subject
	return v.revokeJTI(r, client, t.Claims.ClientID, t.Claims.ID, time.Unix(t.Claims.ExpiresAt, 0))
}

func (v *revoker) revokeJTI(r *edge.Request, client *store.Client, clientID, jti string, until time.Time) (edge.Response, error) {
	if clientID != client.ID {
		r.Outcome = "foreign"
		v.cfg.Audit.Refused(r, store.Event{Type: store.EventRevoke, Outcome: store.OutcomeRefused,
			Detail: map[string]string{store.DetailReason: "the token of client " + clientID}})
		return revokedResponse, nil
	}
	r.Changing = store.EventRevoke
	e := store.Event{Type: store.EventRevoke, Outcome: store.OutcomeOK, Detail: map[string]string{store.DetailJTI: jti}}
	if err := v.cfg.Store.RevokeToken(v.cfg.Audit.WithEvent(r, &e), jti, until); err != nil {
		return edge.Response{}, edge.Unavailable(err)
	}
	r.Outcome = "revoked"
	v.cfg.Audit.RateLimited(r, e)
	return revokedResponse, nil
}

// revokeUnreadable revokes a token of ours of which only some claims can be read: it is inactive here, but
// services that verify it by themselves may take it, and a newer version may read it. Where not even its
// client and its jti can be read, the answer is an error and not a success.
func (v *revoker) revokeUnreadable(r *edge.Request, client *store.Client, raw string, why error) (edge.Response, error) {
	clientID, jti, until, ok := v.cfg.Checker.Partial(raw)
	if !ok {
		return edge.Response{}, edge.Unavailable(why)
	}
	if latest := v.cfg.Now().Add(v.cfg.MaxTokenLife); until.IsZero() || until.After(latest) {
		until = latest
	}
	return v.revokeJTI(r, client, clientID, jti, until)
}

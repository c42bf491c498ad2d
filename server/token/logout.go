package token

import (
	"context"
	"time"

	"signet/store"
)

// LogoutEvent is the name of the one event of a logout token (OpenID Connect Back-Channel Logout §2.4).
const LogoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// logoutLife is how long a logout token can be used. §4 asks for at most two minutes; each delivery has its own token.
const logoutLife = 2 * time.Minute

// LogoutClaims are the claims of a logout token (OpenID Connect Back-Channel Logout §2.4). There is never a nonce: an app that takes one for an
// id_token notices that it is none.
type LogoutClaims struct {
	Issuer    string              `json:"iss"`
	Subject   string              `json:"sub"`
	Audience  Audience            `json:"aud"` // the client alone
	IssuedAt  int64               `json:"iat"`
	ExpiresAt int64               `json:"exp"`
	ID        string              `json:"jti"`
	SessionID string              `json:"sid"`
	Events    map[string]struct{} `json:"events"`
}

// LogoutToken signs the token with which the client is informed that a session of the user with it has ended.
func (i *Issuer) LogoutToken(ctx context.Context, client *store.Client, user store.UserID, session store.SessionID) (Issued, error) {
	now, life := i.cfg.Now(), min(logoutLife, i.cfg.MaxLife)
	claims := LogoutClaims{
		Issuer: i.cfg.Issuer, Subject: user.String(), Audience: Audience{client.ID}, IssuedAt: now.Unix(), ExpiresAt: now.Add(life).Unix(),
		ID: newID(), SessionID: session.String(), Events: map[string]struct{}{LogoutEvent: {}},
	}
	signed, kid, err := i.cfg.Keys.Sign(ctx, client.Alg, TypeLogout, &claims)
	return Issued{signed, life, kid}, err
}

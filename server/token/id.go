package token

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"signet/keys"
	"signet/keys/clockcheck"
	"signet/store"
)

// IDClaims are the claims of an id_token (OpenID Connect Core §2). It has neither jti, client_id nor scope, and its audience is
// the client, so it passes nowhere as an access token. What is known of the user is at /userinfo (§5.4).
type IDClaims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  Audience `json:"aud"` // the client alone
	IssuedAt  int64    `json:"iat"`
	ExpiresAt int64    `json:"exp"`
	AuthTime  int64    `json:"auth_time,omitempty"`
	Nonce     string   `json:"nonce,omitempty"`
	ACR       string   `json:"acr,omitempty"`
	AMR       []string `json:"amr,omitempty"` // RFC 8176
	SessionID string   `json:"sid,omitempty"` // OpenID Connect Back-Channel Logout §2.1
	// AccessHash binds the access token that was issued with this one (§3.1.3.6).
	AccessHash string `json:"at_hash,omitempty"`
}

// IDGrant is what an id_token is issued for.
type IDGrant struct {
	Client   *store.Client
	User     *store.User
	Session  *store.Session
	AuthTime time.Time // when the user proved who they are
	AMR      []string  // how; empty: not known
	ACR      string    // with which class of authentication; empty: not known
	Nonce    string    // of the authorization request; empty: it had none
	Access   Issued    // the access token in the same response
}

// IDToken signs an id_token. It expires with the access token of the same response.
func (i *Issuer) IDToken(ctx context.Context, g IDGrant) (Issued, error) {
	alg := i.algorithm(g.Client)
	now := i.cfg.Now()
	claims := IDClaims{
		Issuer: i.cfg.Issuer, Subject: g.User.ID.String(), Audience: Audience{g.Client.ID}, IssuedAt: now.Unix(), ExpiresAt: now.Add(g.Access.Life).Unix(),
		AuthTime: g.AuthTime.Unix(), Nonce: g.Nonce, ACR: g.ACR, AMR: g.AMR, SessionID: g.Session.ID.String(), AccessHash: accessHash(alg, g.Access.Token),
	}
	signed, kid, err := i.cfg.Keys.Sign(ctx, alg, TypeID, &claims)
	return Issued{signed, g.Access.Life, kid}, err
}

// algorithm returns the one that signs for the client: at_hash depends on it. It is empty where nothing can be signed now.
func (i *Issuer) algorithm(client *store.Client) string {
	if client.Alg != "" {
		return client.Alg
	}
	for _, primary := range i.cfg.Keys.Algorithms() {
		return primary
	}
	return ""
}

// accessHash is the left half of the hash that alg uses, over the access token (OpenID Connect Core §3.1.3.6). Ed25519 uses
// SHA-512 (RFC 8032 §5.1).
func accessHash(alg, access string) string {
	if strings.HasSuffix(alg, "256") {
		sum := sha256.Sum256([]byte(access))
		return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
	}
	sum := sha512.Sum512([]byte(access))
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}

// Hint reads an id_token that comes back as a hint (OpenID Connect RP-Initiated Logout §2). It must have been signed here with a key that
// is still published, and may have expired: an app keeps it for as long as it keeps the user. The session in it may be over. The error is
// ErrInactive or ErrUndecided.
func (c *Checker) Hint(raw string) (IDClaims, error) {
	var claims IDClaims
	_, err := c.cfg.Keys.Verify(raw, TypeID, &claims)
	switch {
	case errors.Is(err, keys.ErrStale), errors.Is(err, clockcheck.ErrClock):
		return IDClaims{}, undecided(err)
	case err != nil:
		return IDClaims{}, Inactive("id_token_hint: %w", err)
	case claims.Issuer != c.cfg.Issuer:
		return IDClaims{}, Inactive("id_token_hint: issued by another server")
	case len(claims.Audience) != 1 || claims.Audience[0] == "" || claims.Subject == "" || claims.SessionID == "":
		return IDClaims{}, Inactive("id_token_hint: lacks aud, sub or sid")
	}
	return claims, nil
}

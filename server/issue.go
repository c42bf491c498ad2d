package server

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"signet/server/edge"
	"signet/server/syntax"
	"signet/store"
)

// accessTokenType is the typ header of RFC 9068 §2.1.
const accessTokenType = "at+jwt"

// accessClaims are the claims of an access token (RFC 9068 §2.2). Scope is one string and a single
// audience is a plain one: some verifiers read nothing else.
type accessClaims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  audience `json:"aud"`
	ClientID  string   `json:"client_id"`
	Scope     string   `json:"scope,omitempty"`
	IssuedAt  int64    `json:"iat"`
	NotBefore int64    `json:"nbf"`
	ExpiresAt int64    `json:"exp"`
	ID        string   `json:"jti"`
	SessionID string   `json:"sid,omitempty"`
	AuthTime  int64    `json:"auth_time,omitempty"`
	// ClientEpoch is the client's epoch, in a token of its own; there is none in the first one. The token
	// is dead when the client has another. Tokens of users have it in their session's record.
	ClientEpoch uint32 `json:"client_epoch,omitempty"`
}

type audience []string

func (a audience) MarshalJSON() ([]byte, error) {
	if len(a) == 1 {
		return json.Marshal(a[0])
	}
	return json.Marshal([]string(a))
}

func (a *audience) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		*a = make(audience, 1)
		return json.Unmarshal(data, &(*a)[0])
	}
	return json.Unmarshal(data, (*[]string)(a))
}

// issueAccessToken signs an access token for what g was granted. user and session are nil for a
// token of the client's own. It also fills in what the log line says of it.
func (s *Server) issueAccessToken(g *granting, user *store.User, session *store.Session) (token string, ttl time.Duration, err error) {
	ttl = s.settings().AccessTokenTTL
	if own := g.client.AccessTokenTTL; own > 0 {
		ttl = own
	}
	ttl = min(ttl, s.cfg.MaxTokenLife) // retired keys are kept no longer than that needs
	now := s.now()
	claims := accessClaims{
		Issuer: s.cfg.Issuer, Subject: g.client.ID, Audience: g.audience, ClientID: g.client.ID, Scope: g.scope,
		IssuedAt: now.Unix(), NotBefore: now.Unix(), ExpiresAt: now.Add(ttl).Unix(), ID: edge.RandomText(16),
	}
	var payload any = &claims
	if user == nil {
		claims.ClientEpoch = g.client.Epoch
	} else {
		claims.Subject, claims.SessionID, claims.AuthTime = user.ID.String(), session.ID.String(), session.StartedAt.Unix()
		if own := claimsFor(g.client, user); len(own) > 0 {
			payload = withOwn{&claims, own}
		}
	}
	token, g.KeyID, err = s.cfg.Keys.Sign(g.Context(), g.client.Alg, accessTokenType, payload)
	return token, ttl, err
}

// claimsFor picks the user's own claims that the client asks for.
func claimsFor(client *store.Client, user *store.User) map[string]json.RawMessage {
	if len(client.Claims) == 0 {
		return nil
	}
	own := make(map[string]json.RawMessage, len(client.Claims))
	for _, name := range client.Claims {
		value, ok := user.Claims[name]
		switch {
		case name == syntax.UsernameClaim:
			own[name], _ = json.Marshal(user.Username) // a string always encodes
		case ok && !syntax.ReservedClaim(name):
			own[name] = value
		}
	}
	return own
}

// withOwn writes the standard claims and the user's own ones as one object. The standard ones come
// last and none of the others has their names, so nothing can stand in for them.
type withOwn struct {
	claims *accessClaims
	own    map[string]json.RawMessage
}

func (w withOwn) MarshalJSON() ([]byte, error) {
	standard, err := json.Marshal(w.claims)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	b.WriteByte('{')
	for _, name := range slices.Sorted(maps.Keys(w.own)) {
		key, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(w.own[name])
		b.WriteByte(',')
	}
	b.Write(standard[1:])
	return []byte(b.String()), nil
}

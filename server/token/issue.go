package token

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"signet/keys"
	"signet/server/syntax"
	"signet/store"
)

// Claims are the claims of an access token (RFC 9068 §2.2). Scope is one string and a single
// audience is a plain one: some verifiers read nothing else.
type Claims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  Audience `json:"aud"`
	ClientID  string   `json:"client_id"`
	Scope     string   `json:"scope,omitempty"`
	IssuedAt  int64    `json:"iat"`
	NotBefore int64    `json:"nbf"`
	ExpiresAt int64    `json:"exp"`
	ID        string   `json:"jti"`
	SessionID string   `json:"sid,omitempty"`
	AuthTime  int64    `json:"auth_time,omitempty"`
	AMR       []string `json:"amr,omitempty"` // RFC 8176
	ACR       string   `json:"acr,omitempty"`
	// ClientEpoch is the client's epoch, in a token of its own; there is none in the first one. The token
	// is dead when the client has another. Tokens of users have it in their session's record.
	ClientEpoch uint32 `json:"client_epoch,omitempty"`
}

// Audience is aud: a string where it has one entry, and an array otherwise.
type Audience []string

// MarshalJSON implements json.Marshaler.
func (a Audience) MarshalJSON() ([]byte, error) {
	if len(a) == 1 {
		return json.Marshal(a[0])
	}
	return json.Marshal([]string(a))
}

// UnmarshalJSON implements json.Unmarshaler.
func (a *Audience) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		*a = make(Audience, 1)
		return json.Unmarshal(data, &(*a)[0])
	}
	return json.Unmarshal(data, (*[]string)(a))
}

// IssuerConfig configures an Issuer. All fields are required.
type IssuerConfig struct {
	Issuer  string // absolute URL
	Keys    *keys.Manager
	Now     func() time.Time
	MaxLife time.Duration        // no token lives longer: retired keys are kept no longer than that needs
	Life    func() time.Duration // of tokens of clients without a time of their own
}

// Issuer signs access tokens.
type Issuer struct{ cfg IssuerConfig }

// NewIssuer returns an Issuer.
func NewIssuer(cfg IssuerConfig) *Issuer { return &Issuer{cfg} }

// Grant is what an access token is issued for. User and Session are nil for a token of the client's own.
type Grant struct {
	Client   *store.Client
	User     *store.User
	Session  *store.Session
	Scope    string
	Audience []string
	AMR      []string // how the user signed in; empty: not known
	ACR      string
}

// Issued is an access token.
type Issued struct {
	Token string
	Life  time.Duration
	KeyID string
}

// Issue signs an access token.
func (i *Issuer) Issue(ctx context.Context, g Grant) (Issued, error) {
	life := i.cfg.Life()
	if own := g.Client.AccessTokenTTL; own > 0 {
		life = own
	}
	life = min(life, i.cfg.MaxLife)
	now := i.cfg.Now()
	claims := Claims{
		Issuer: i.cfg.Issuer, Subject: g.Client.ID, Audience: g.Audience, ClientID: g.Client.ID, Scope: g.Scope,
		IssuedAt: now.Unix(), NotBefore: now.Unix(), ExpiresAt: now.Add(life).Unix(), ID: newID(),
	}
	var payload any = &claims
	if g.User == nil {
		claims.ClientEpoch = g.Client.Epoch
	} else {
		claims.Subject, claims.SessionID, claims.AuthTime = g.User.ID.String(), g.Session.ID.String(), g.Session.StartedAt.Unix()
		claims.AMR, claims.ACR = g.AMR, g.ACR
		if own := UserClaims(g.Client, g.User); len(own) > 0 {
			payload = mergedClaims{&claims, own}
		}
	}
	signed, kid, err := i.cfg.Keys.Sign(ctx, g.Client.Alg, TypeAccess, payload)
	return Issued{signed, life, kid}, err
}

// PinnedOut reports whether the client is pinned to an algorithm that nothing signs with, now or soon: its
// tokens cannot be signed, and another algorithm is not what its services verify.
func (i *Issuer) PinnedOut(client *store.Client) bool {
	return client.Alg != "" && !slices.Contains(i.cfg.Keys.Algorithms(), client.Alg) && !slices.Contains(i.cfg.Keys.Configured(), client.Alg)
}

// newID returns a jti.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the process instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// UserClaims returns those of the user's own claims that the client asks for.
func UserClaims(client *store.Client, user *store.User) map[string]json.RawMessage {
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

// mergedClaims writes the standard claims and the user's own ones as one object. The standard ones come
// last and none of the others has their names, so nothing can stand in for them.
type mergedClaims struct {
	claims *Claims
	own    map[string]json.RawMessage
}

// MarshalJSON implements json.Marshaler.
func (m mergedClaims) MarshalJSON() ([]byte, error) {
	standard, err := json.Marshal(m.claims)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	b.WriteByte('{')
	for _, name := range slices.Sorted(maps.Keys(m.own)) {
		key, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(m.own[name])
		b.WriteByte(',')
	}
	b.Write(standard[1:])
	return []byte(b.String()), nil
}

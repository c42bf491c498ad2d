package store

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"time"
)

// Client is an OAuth 2.0 client (RFC 6749 §2): an app that asks for tokens.
type Client struct {
	ID             string          `json:"client_id"`
	Public         bool            `json:"public"`                     // cannot keep a secret; authenticates with "none"
	Secrets        []Secret        `json:"secrets,omitempty"`          // at most two live ones, newest first
	AuthMethods    []string        `json:"auth_methods,omitempty"`     // client_secret_basic, client_secret_post, private_key_jwt, none
	JWKS           json.RawMessage `json:"jwks,omitempty"`             // its public keys as a JWK Set, for private_key_jwt
	Grants         []string        `json:"grants"`                     // grant types it may use; nothing else
	Scopes         []string        `json:"scopes,omitempty"`           // scopes it may be given; all of them when it asks for none
	Audiences      []string        `json:"audiences,omitempty"`        // resources its tokens may be for; empty: the server's default
	Origins        []string        `json:"origins,omitempty"`          // browser origins that may call for it (CORS), exact
	Claims         []string        `json:"claims,omitempty"`           // user claims copied into its access tokens
	Introspect     bool            `json:"introspect,omitempty"`       // may ask /introspect
	IntrospectFor  []string        `json:"introspect_for,omitempty"`   // about tokens for one of these audiences alone; empty: about any token
	Alg            string          `json:"alg,omitempty"`              // pins the signing algorithm; empty: the server's first
	AccessTokenTTL time.Duration   `json:"access_token_ttl,omitempty"` // in nanoseconds; 0: the server's
	Disabled       bool            `json:"disabled,omitempty"`

	RedirectURIs         []string `json:"redirect_uris,omitempty"`                         // where a browser may take its codes (RFC 6749 §3.1.2)
	PostLogoutURIs       []string `json:"post_logout_redirect_uris,omitempty"`             // where a browser may go after a logout
	BackchannelLogoutURI string   `json:"backchannel_logout_uri,omitempty"`                // where it is notified of logouts; empty: it is not
	RequirePAR           bool     `json:"require_pushed_authorization_requests,omitempty"` // its authorization requests must be pushed (RFC 9126)

	Epoch     uint32    `json:"epoch,omitempty"`     // its sessions and own tokens of another one are dead; see EndSessions
	Revision  uint32    `json:"revision,omitempty"`  // raised by the store at each change of the record
	NotBefore time.Time `json:"not_before,omitzero"` // its sessions and tokens from before this are dead; kept for stores of format 1
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// Secret is one live client secret, kept as its SHA-256. Signet makes client secrets itself, from
// 256 random bits, so that a fast hash is enough.
type Secret struct {
	Hash      []byte    `json:"hash"`
	CreatedAt time.Time `json:"created_at"`
	Unused    bool      `json:"unused,omitempty"` // it was never used to authenticate; false where that is not known
}

// Fingerprint is a short name for the secret: the first 8 hexadecimal digits of the SHA-256 of its text.
func (s Secret) Fingerprint() string { return hex.EncodeToString(s.Hash[:min(len(s.Hash), 4)]) }

// EndSessions raises the epoch: every session and every token of the client from before is dead once
// the record is written, whatever time it is from.
func (c *Client) EndSessions() { c.Epoch = NextEpoch(c.Epoch) }

// Clients keeps the registered clients.
type Clients interface {
	// CreateClient registers c, or answers ErrExists. Its epoch becomes at least one above that of any
	// client that was deleted, so that nothing of an earlier client with the same id works for it; a
	// store of format 1 sets NotBefore to its own time instead.
	CreateClient(ctx context.Context, c Client) error
	// Client returns the client with that id, or ErrNotFound.
	Client(ctx context.Context, id string) (Client, error)
	// UpdateClient changes one client in one step and returns it as it then is. The function may run
	// more than once; its error comes back as it is and nothing is changed. ErrNotFound if there is none.
	UpdateClient(ctx context.Context, id string, change func(*Client) error) (Client, error)
	// DeleteClient removes one client in one step, or answers ErrNotFound. check, which may be nil, is called with the
	// client and may run more than once; its error comes back as it is and nothing is deleted.
	DeleteClient(ctx context.Context, id string, check func(Client) error) error
	// ClientsVersion is another one whenever a client is another one: while it stays the same, what
	// was read of the clients is still true.
	ClientsVersion(ctx context.Context) (string, error)
	// ListClients returns up to limit clients whose ids sort after the given one, in order.
	ListClients(ctx context.Context, after string, limit int) ([]Client, error)
}

// ChangedClient is ChangedUser for a client.
func ChangedClient(was Client, change func(*Client) error, format int, now time.Time) (Client, error) {
	c := was
	if err := change(&c); err != nil {
		return Client{}, err
	}
	c.ID, c.Revision = was.ID, was.Revision+1
	if c.Epoch != was.Epoch && format < Format2 {
		c.Epoch, c.NotBefore = was.Epoch, clientNotBefore(c, now)
	}
	return c, nil
}

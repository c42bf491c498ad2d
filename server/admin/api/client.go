package api

import (
	"encoding/json"
	"time"
)

// ClientSpec is what can be set of a client.
type ClientSpec struct {
	ID             string          `json:"client_id"`
	Public         bool            `json:"public"`
	AuthMethods    []string        `json:"auth_methods"`
	JWKS           json.RawMessage `json:"jwks,omitempty"` // public keys as a JWK Set, for private_key_jwt; null: none
	Grants         []string        `json:"grants"`
	Scopes         []string        `json:"scopes"`
	Audiences      []string        `json:"audiences"`
	Origins        []string        `json:"origins"`
	Claims         []string        `json:"claims"`
	Introspect     bool            `json:"introspect"`
	IntrospectFor  []string        `json:"introspect_for"`
	Alg            string          `json:"alg"`
	AccessTokenTTL string          `json:"access_token_ttl"` // such as 5m0s; empty: the server's

	RedirectURIs         []string `json:"redirect_uris"`
	PostLogoutURIs       []string `json:"post_logout_redirect_uris"`
	BackchannelLogoutURI string   `json:"backchannel_logout_uri"` // empty: none
	RequirePAR           bool     `json:"require_pushed_authorization_requests"`
}

// NewClient is the request of CreateClient.
type NewClient struct {
	ClientSpec
	Secret string `json:"client_secret,omitempty"` // made elsewhere, in the form of Signet's own; empty: Signet makes one
}

// Client is a client as the API shows it.
type Client struct {
	ClientSpec
	Disabled  bool           `json:"disabled"`
	Secrets   []SecretRecord `json:"secrets"` // newest first
	CreatedAt time.Time      `json:"created_at"`
	UpdatedAt time.Time      `json:"updated_at"`
	Revision  string         `json:"revision"`                // another one after each change of a setting, the state or a secret; for IfMatch
	Secret    string         `json:"client_secret,omitempty"` // only in the answer that creates the client, if Signet made it
	Warnings  []string       `json:"warnings,omitempty"`      // about the change that was just made
}

// SecretRecord describes a secret without showing it.
type SecretRecord struct {
	CreatedAt   time.Time `json:"created_at"`
	Fingerprint string    `json:"fingerprint"` // the first 8 hexadecimal digits of the secret's SHA-256
	Unused      bool      `json:"unused"`      // the client has not authenticated with it yet
}

// ClientList is a page of clients in the order of their ids.
type ClientList struct {
	Clients []Client `json:"clients"`
	Next    string   `json:"next"` // the after of the next page; empty: this is the last
}

// SecretRotation is the request of RotateSecret.
type SecretRotation struct {
	RevokeOld bool   `json:"revoke_old"`              // end the older secrets at once
	Secret    string `json:"client_secret,omitempty"` // made elsewhere, as in NewClient; empty: Signet makes one
}

// ClientSecret is a new secret. It is shown this once.
type ClientSecret struct {
	ClientID string `json:"client_id"`
	Secret   string `json:"client_secret,omitempty"` // empty: it was in the request
}

// Names that RevokeSecret takes instead of a fingerprint.
const (
	OldestSecret = "oldest"
	NewestSecret = "newest"
)

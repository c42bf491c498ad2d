package store

import (
	"context"
	"time"
)

// TokenRef names an access token to the store. UserID and SessionID are zero for a token of the
// client credentials grant.
type TokenRef struct {
	JTI       string
	UserID    UserID
	SessionID SessionID
}

// TokenState is what the store has at this moment about an access token that was signed earlier.
type TokenState struct {
	Revoked bool    // its jti was revoked by itself
	Live    bool    // its user and session are there; always true without a user
	User    User    // zero without a user
	Session Session // zero without a session
}

// Revocations keeps the ids of access tokens that were revoked one by one, and answers for tokens.
type Revocations interface {
	// RevokeToken marks the token id until the token itself has run out.
	RevokeToken(ctx context.Context, jti string, until time.Time) error
	// TokenState looks a token up, in as few round trips as the backend can. It judges neither
	// lifetimes nor NotBefore: the caller has the clock and the client.
	TokenState(ctx context.Context, ref TokenRef) (TokenState, error)
}

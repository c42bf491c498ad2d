package store

import "time"

// CodeLife is the longest life of an authorization code.
const CodeLife = time.Minute

// UsedCode is an authorization code that was redeemed, named by the session that began with it. It moves so that the code cannot
// be redeemed once more in the other backend; see Sessions.RedeemCode.
type UsedCode struct {
	UserID    UserID    `json:"sub"`
	SessionID SessionID `json:"sid"`
	Until     time.Time `json:"until"`
}

// MayHaveUsed reports whether a code that expires at a time may have been redeemed before the loss, in a write that was lost.
func (l Loss) MayHaveUsed(expires time.Time) bool {
	return !l.At.IsZero() && !expires.Add(-CodeLife).After(Millis(l.At))
}

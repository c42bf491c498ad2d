package store

import (
	"context"
	"time"
)

// HealWithin is how long after a loss a session may still be moved on to a refresh token that is newer than
// its record. An app that comes later logs in again.
const HealWithin = 7 * 24 * time.Hour

// Loss is the last time that a store lost writes that it had acknowledged: a restored backup, or a server
// that was restarted or took over without all of them.
type Loss struct {
	At time.Time `json:"at"` // when it was noticed or, for a restore, made; by the store's clock
}

// Heals reports whether a session that was last rotated at a time may have lost a rotation in the loss.
func (l Loss) Heals(rotatedAt, now time.Time) bool {
	return !l.At.IsZero() && !rotatedAt.After(Millis(l.At)) && now.Sub(Millis(l.At)) <= HealWithin
}

// Losses keeps the last loss.
type Losses interface {
	// Loss looks whether the backend has lost writes since it was asked last, and returns the last loss. The
	// zero Loss means that none is known. It may ask every server: it is for the rare case that a refresh token
	// is newer than its record.
	Loss(ctx context.Context) (Loss, error)
}

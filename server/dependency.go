package server

import (
	"errors"

	"signet/keys"
	"signet/keys/clockcheck"
	"signet/keys/privatekey"
	"signet/keys/rotation"
	"signet/server/edge"
	"signet/server/oauth"
	"signet/server/outage"
	"signet/server/password"
	"signet/server/upstream"
	"signet/store"
)

// dependencyOf returns which dependency has failed.
func dependencyOf(err error) string {
	switch {
	case errors.Is(err, store.ErrUnavailable):
		return outage.Store
	case errors.Is(err, clockcheck.ErrClock):
		return outage.Clock
	case errors.Is(err, keys.ErrStale), errors.Is(err, rotation.ErrAlgorithm), errors.Is(err, privatekey.ErrSigner):
		return outage.Signing
	case errors.Is(err, password.ErrBusy):
		return outage.Hashing
	case errors.Is(err, upstream.ErrUnavailable), errors.Is(err, upstream.ErrAnswer):
		return outage.Upstream
	}
	return outage.Other
}

// asError words an error of the server.
func asError(err error) *edge.Error { return oauth.Error(err, dependencyOf) }

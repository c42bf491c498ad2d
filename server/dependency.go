package server

import (
	"errors"

	"signet/keys"
	"signet/keys/clockcheck"
	"signet/keys/privatekey"
	"signet/keys/rotation"
	"signet/server/edge"
	"signet/server/oauth"
	"signet/server/password"
	"signet/store"
)

// dependencyOf returns which dependency has failed.
func dependencyOf(err error) string {
	switch {
	case errors.Is(err, store.ErrUnavailable):
		return edge.DependencyStore
	case errors.Is(err, clockcheck.ErrClock):
		return edge.DependencyClock
	case errors.Is(err, keys.ErrStale), errors.Is(err, rotation.ErrAlgorithm), errors.Is(err, privatekey.ErrSigner):
		return edge.DependencySigning
	case errors.Is(err, password.ErrBusy):
		return edge.DependencyHashing
	}
	return edge.DependencyOther
}

// asError words an error of the server.
func asError(err error) *edge.Error { return oauth.Error(err, dependencyOf) }

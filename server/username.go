package server

import (
	"context"
	"errors"
	"fmt"

	"signet/server/password"
	"signet/store"
)

// storedName returns the spelling under which the user of a typed name is stored: the canonical one, or, where
// nobody has that, the one under which earlier versions stored the name. The two are the same for nearly all
// names, and the store is then not asked. It returns password.ErrUsername for what can be no name.
func (s *Server) storedName(ctx context.Context, typed string) (string, error) {
	name, err := password.CanonicalUsername(typed)
	if err != nil {
		return "", err
	}
	former, err := password.FormerUsername(typed)
	if err != nil || former == name {
		return name, nil
	}
	switch _, err := s.store.UserByName(ctx, name); {
	case err == nil:
		return name, nil
	case errors.Is(err, store.ErrNotFound):
		return former, nil
	default:
		return "", fmt.Errorf("looking for a user name: %w", err)
	}
}

// createUser creates the user, unless somebody has the name in the spelling of earlier versions.
func (s *Server) createUser(ctx context.Context, u store.User, typed string) error {
	if former, err := password.FormerUsername(typed); err == nil && former != u.Username {
		switch _, err := s.store.UserByName(ctx, former); {
		case err == nil:
			return store.ErrExists
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
	}
	return s.store.CreateUser(ctx, u)
}

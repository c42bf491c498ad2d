package account

import (
	"context"
	"errors"
	"fmt"

	"signet/server/password"
	"signet/store"
)

// MaxName is how long a username may be, in bytes. Longer names cannot exist and are refused before any work.
const MaxName = 320

// StoredName returns the spelling under which the user of a typed name is stored: the canonical one, or, where
// no user has that, the one under which earlier versions stored the name. The two are the same for nearly all
// names, and the store is then not asked. It returns password.ErrUsername for what can be no name.
func StoredName(ctx context.Context, s store.Users, typed string) (string, error) {
	name, err := password.CanonicalUsername(typed)
	if err != nil {
		return "", err
	}
	former, err := password.FormerUsername(typed)
	if err != nil || former == name {
		return name, nil
	}
	switch _, err := s.UserByName(ctx, name); {
	case err == nil:
		return name, nil
	case errors.Is(err, store.ErrNotFound):
		return former, nil
	default:
		return "", fmt.Errorf("looking for a user name: %w", err)
	}
}

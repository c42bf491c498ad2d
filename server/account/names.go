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

// StoredName returns the spelling under which the user of a typed name is stored: the one as it was typed, else the canonical
// one, else one of those in which earlier versions stored the name. It is the canonical one where no user has any of
// them. Nearly all names have one spelling, and the store is then not asked. It returns password.ErrUsername for what can be no name.
func StoredName(ctx context.Context, s store.Users, typed string) (string, error) {
	spellings, err := password.UsernameSpellings(typed)
	if err != nil || len(spellings) == 1 {
		return first(spellings), err
	}
	taken, err := Taken(ctx, s, spellings)
	if err != nil {
		return "", err
	}
	if len(taken) > 0 {
		return taken[0], nil
	}
	return password.CanonicalUsername(typed)
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// Taken returns those of the names that users have. It looks for all, so that it takes no longer where there is none.
func Taken(ctx context.Context, s store.Users, names []string) (taken []string, err error) {
	for _, name := range names {
		switch _, err := s.UserByName(ctx, name); {
		case err == nil:
			taken = append(taken, name)
		case !errors.Is(err, store.ErrNotFound):
			return nil, fmt.Errorf("looking for a user name: %w", err)
		}
	}
	return taken, nil
}

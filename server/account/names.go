package account

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"signet/server/password"
	"signet/store"
)

// MaxName is how long a username may be, in bytes. Longer names cannot exist and are refused before any work.
const MaxName = 320

// Find returns the user of a typed name: by the spelling as it was typed, else by the canonical one, else by one of those in
// which earlier versions stored the name. It is a username or an alias. It returns store.ErrNotFound where no user has any of
// them, and password.ErrUsername for what can be no name.
func Find(ctx context.Context, s store.Users, typed string) (store.User, error) {
	spellings, err := password.UsernameSpellings(typed)
	if err != nil {
		return store.User{}, err
	}
	users, err := Holders(ctx, s, spellings)
	if err != nil || len(users) == 0 {
		return store.User{}, cmp.Or(err, fmt.Errorf("user by name: %w", store.ErrNotFound))
	}
	return users[0], nil
}

// Name returns the username by which logins with a typed name are counted and checked: that of the user whom Find returns,
// so that a user with many names has one count, or the canonical one where there is no such user. An unknown name takes
// as many steps of the store. It returns password.ErrUsername for what can be no name.
func Name(ctx context.Context, s store.Users, typed string) (string, error) {
	u, err := Find(ctx, s, typed)
	if !errors.Is(err, store.ErrNotFound) {
		return u.Username, err
	}
	if _, err := s.User(ctx, noUser); err != nil && !errors.Is(err, store.ErrNotFound) {
		return "", err
	}
	return password.CanonicalUsername(typed)
}

// noUser is the id of no user.
var noUser = store.UserID{0: 0xff, 15: 0xff}

// Holders returns the users who have the names, in order. It looks for all, so that it takes no longer where there is none.
func Holders(ctx context.Context, s store.Users, names []string) (users []store.User, err error) {
	for _, name := range names {
		switch u, err := s.UserByName(ctx, name); {
		case err == nil:
			users = append(users, u)
		case !errors.Is(err, store.ErrNotFound):
			return nil, fmt.Errorf("looking for a user name: %w", err)
		}
	}
	return users, nil
}

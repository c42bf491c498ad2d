package users

import (
	"errors"

	"signet/server/admin/call"
	"signet/store"
)

// Error words an error of the store about a user.
func Error(err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return call.NotFound("there is no user of that name; GET /v1/users lists them")
	case errors.Is(err, store.ErrExists):
		return call.Exists("a user of that name exists already; choose another name, or change the one that is there")
	}
	return err
}

package users

import (
	"context"
	"errors"
	"slices"
	"strings"

	"signet/server/admin/api"
	"signet/server/admin/call"
	"signet/server/admin/input"
	"signet/server/edge"
	"signet/server/password"
	"signet/store"
)

// List answers a page of the users in the order of their names. Filters apply to one page of users, so a page may be
// empty. The last page has no next.
func (h *Users) List(r *call.Request) (edge.Response, error) {
	q, err := input.ReadQuery(r.Request, "after", "limit", "prefix", "disabled", "weak")
	if err != nil {
		return edge.Response{}, err
	}
	limit, err := q.Limit()
	if err != nil {
		return edge.Response{}, err
	}
	if after := q["after"]; after != "" {
		if spellings, err := password.UsernameSpellings(after); err != nil || spellings[0] != after { // a stored name may be in a former spelling
			return edge.Response{}, input.Invalid("after must be a username: the next of the page before")
		}
	}
	prefix := q["prefix"]
	if prefix != "" {
		spellings, err := password.UsernameSpellings(prefix)
		if err != nil {
			return edge.Response{}, input.Invalid("prefix must be the beginning of a username: %s", err)
		}
		prefix = spellings[0]
	}
	disabled, err := q.Flag("disabled")
	if err != nil {
		return edge.Response{}, err
	}
	weak, err := q.Flag("weak")
	if err != nil {
		return edge.Response{}, err
	}
	all, err := h.usersAfter(r.Context(), q["after"], prefix, limit+1)
	if err != nil {
		return edge.Response{}, err
	}
	all, next := input.Page(all, limit, func(u store.User) string { return u.Username })
	views := make([]api.User, 0, len(all))
	for _, user := range all {
		view := h.view(user)
		if (q["disabled"] == "" || user.Disabled == disabled) && (q["weak"] == "" || weak == (view.PasswordWeak || view.PasswordBreached)) {
			views = append(views, view)
		}
	}
	return edge.Response{Body: api.UserList{Users: views, Next: next}}, nil
}

// usersAfter returns up to limit users whose names sort after the given one and begin with the prefix.
func (h *Users) usersAfter(ctx context.Context, after, prefix string, limit int) (all []store.User, err error) {
	if after < prefix { // begin at the prefix itself, which at most one user has as a name
		exact, err := h.store.UserByName(ctx, prefix)
		switch {
		case err == nil:
			all = append(all, exact)
		case !errors.Is(err, store.ErrNotFound):
			return nil, err
		}
		after = prefix
	}
	more, err := h.store.ListUsers(ctx, after, limit-len(all))
	if err != nil {
		return nil, err
	}
	all = append(all, more...)
	if end := slices.IndexFunc(all, func(u store.User) bool { return !strings.HasPrefix(u.Username, prefix) }); end >= 0 {
		all = all[:end]
	}
	return all, nil
}

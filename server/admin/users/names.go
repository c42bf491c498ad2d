package users

import (
	"context"
	"errors"
	"slices"
	"strings"

	"signet/server/account"
	"signet/server/admin/api"
	"signet/server/admin/call"
	"signet/server/admin/input"
	"signet/server/audit"
	"signet/server/edge"
	"signet/server/password"
	"signet/server/syntax"
	"signet/store"
)

// newName returns the canonical spelling of a name that a user is given. member is where it was sent.
func newName(member, typed string) (string, error) {
	name, err := password.CanonicalUsername(typed)
	if err != nil {
		return "", input.Invalid("%s: %s", member, err)
	}
	if strings.HasPrefix(name, syntax.UserPrefix) {
		return "", input.Invalid("%s must not begin with %s, as subjects do", member, syntax.UserPrefix)
	}
	return name, nil
}

// newAliases returns the canonical spellings of the aliases of a new user, in order.
func newAliases(typed []string, username string) (aliases []string, err error) {
	for _, t := range typed {
		name, err := newName("aliases", t)
		if err != nil {
			return nil, err
		}
		if name != username && !slices.Contains(aliases, name) {
			aliases = append(aliases, name)
		}
	}
	if len(aliases) > store.MaxAliases {
		return nil, input.Invalid("a user has at most %d aliases", store.MaxAliases)
	}
	return aliases, nil
}

// Rename gives a user another username. The old one is free at once: apps identify a user by sub, which no
// other user ever gets. The old one may also stay, as an alias.
func (h *Users) Rename(r *call.Request) (edge.Response, error) {
	var in api.NewName
	if _, err := input.JSON(r.Request, &in); err != nil {
		return edge.Response{}, err
	}
	user, err := h.find(r)
	if err != nil {
		return edge.Response{}, err
	}
	name, err := newName("username", in.Username)
	if err != nil {
		return edge.Response{}, err
	}
	if err := h.checkFree(r.Context(), in.Username, user.ID); err != nil {
		return edge.Response{}, nameError(err)
	}
	e := store.Event{Type: store.EventUserRename, Detail: map[string]string{"from": user.Username, "to": name}}
	return h.rename(r, user, e, func(u *store.User) {
		if in.KeepOld {
			u.Aliases = append(u.Aliases, user.Username)
		}
		u.Username = name
	})
}

// AddAlias gives a user one more name to log in with.
func (h *Users) AddAlias(r *call.Request) (edge.Response, error) {
	user, err := h.find(r)
	if err != nil {
		return edge.Response{}, err
	}
	typed := r.PathValue("alias")
	name, err := newName("the alias", typed)
	if err != nil {
		return edge.Response{}, err
	}
	if err := h.checkFree(r.Context(), typed, user.ID); err != nil {
		return edge.Response{}, nameError(err)
	}
	e := store.Event{Type: store.EventUserAddAlias, Detail: map[string]string{"alias": name}}
	return h.rename(r, user, e, func(u *store.User) { u.Aliases = append(u.Aliases, name) })
}

// RemoveAlias takes a name to log in with away.
func (h *Users) RemoveAlias(r *call.Request) (edge.Response, error) {
	user, err := h.find(r)
	if err != nil {
		return edge.Response{}, err
	}
	spellings, _ := password.UsernameSpellings(r.PathValue("alias"))
	at := slices.IndexFunc(user.Aliases, func(a string) bool { return slices.Contains(spellings, a) })
	if at < 0 {
		if slices.Contains(spellings, user.Username) {
			return edge.Response{}, input.Invalid("this is the username, which stays until the user is renamed")
		}
		return edge.Response{}, call.NotFound("the user has no such alias")
	}
	name := user.Aliases[at]
	e := store.Event{Type: store.EventUserRemoveAlias, Detail: map[string]string{"alias": name}}
	return h.rename(r, user, e, func(u *store.User) {
		u.Aliases = slices.DeleteFunc(u.Aliases, func(a string) bool { return a == name })
	})
}

// rename changes the names of a user.
func (h *Users) rename(r *call.Request, user store.User, e store.Event, change func(*store.User)) (edge.Response, error) {
	now := store.Millis(h.now())
	user, err := h.store.RenameUser(h.rec.WithEvent(r, &e), user.ID, func(u *store.User) error {
		u.UpdatedAt = now
		change(u)
		if n := distinct(u.Aliases, u.Username); n > store.MaxAliases {
			return input.Invalid("a user has at most %d aliases; remove one first", store.MaxAliases)
		}
		audit.SetRevision(&e, u.Revision+1, u.Epoch)
		return nil
	})
	if err != nil {
		return edge.Response{}, nameError(err)
	}
	audit.SetRevision(&e, user.Revision, user.Epoch)
	r.Username = user.Username
	h.rec.OK(r, e)
	return edge.Response{Body: h.view(user)}, nil
}

// distinct counts the aliases that are not the username.
func distinct(aliases []string, username string) int {
	all := slices.Clone(aliases)
	slices.Sort(all)
	return len(slices.DeleteFunc(slices.Compact(all), func(a string) bool { return a == username }))
}

// aliasTaken returns the response where an alias of u is another user's; nil: none is. The typed spellings name those of earlier
// versions too.
func (h *Users) aliasTaken(ctx context.Context, u store.User, typed []string) error {
	for _, name := range typed {
		spellings, err := password.UsernameSpellings(name)
		if err != nil {
			return err
		}
		holders, err := account.Holders(ctx, h.store, spellings)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(holders, func(holder store.User) bool { return holder.ID != u.ID }) {
			return call.Exists("another user has the alias " + edge.QuoteShort(spellings[0]) + "; leave it out, or take it away from them first")
		}
	}
	return nil
}

// nameError words an error of a change of names.
func nameError(err error) error {
	if errors.Is(err, store.ErrExists) {
		return call.Exists("another user has that name; choose another one")
	}
	return Error(err)
}

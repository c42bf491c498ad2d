package users

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"signet/server/account"
	"signet/server/admin/api"
	"signet/server/admin/call"
	"signet/server/admin/input"
	"signet/server/audit"
	"signet/server/edge"
	"signet/server/password"
	"signet/store"
)

// Config configures Users. Every field is required.
type Config struct {
	Store     store.Store
	Passwords *password.Pool
	Policy    func() password.Policy // of new passwords, in force now
	Recorder  call.Recorder
	Now       func() time.Time
}

// Users has the verbs of one user, and the list of all.
type Users struct {
	store     store.Store
	passwords *password.Pool
	policy    func() password.Policy
	rec       call.Recorder
	now       func() time.Time
}

// New returns the verbs.
func New(cfg Config) *Users {
	return &Users{store: cfg.Store, passwords: cfg.Passwords, policy: cfg.Policy, rec: cfg.Recorder, now: cfg.Now}
}

// view never shows the password hash.
func (h *Users) view(u store.User) api.User {
	claims := u.Claims
	if claims == nil {
		claims = map[string]json.RawMessage{}
	}
	scheme, weak := "", false
	if u.PasswordHash != "" {
		var ok bool
		if scheme, weak, ok = h.passwords.Scheme(u.PasswordHash); !ok {
			scheme = api.SchemeUnusable
		}
	}
	return api.User{PasswordScheme: scheme, PasswordWeak: weak, PasswordBreached: u.Breached,
		Subject: u.ID.String(), Username: u.Username, Aliases: u.Aliases, Claims: claims, Disabled: u.Disabled,
		HasPassword: u.PasswordHash != "", Move: moveName(u.Move),
		CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt}
}

// Create makes a user, with a password or without one.
func (h *Users) Create(r *call.Request) (edge.Response, error) {
	var in api.NewUser
	if _, err := input.JSON(r.Request, &in); err != nil {
		return edge.Response{}, err
	}
	user, err := h.newUser(in.Username, in.Claims)
	if err == nil {
		user.Aliases, err = newAliases(in.Aliases, user.Username)
	}
	if err != nil {
		return edge.Response{}, err
	}
	if in.Password != nil {
		if user.PasswordHash, err = h.hash(r, user.Username, *in.Password); err != nil {
			return edge.Response{}, err
		}
	}
	r.Subject, r.Username = user.ID.String(), user.Username
	e := store.Event{Type: store.EventUserCreate}
	if err := h.add(h.rec.WithEvent(r, &e), user, append(in.Aliases, in.Username)...); err != nil {
		if errors.Is(err, store.ErrExists) {
			err = cmp.Or(h.aliasTaken(r.Context(), user, in.Aliases), err)
		}
		return edge.Response{}, Error(err)
	}
	h.rec.OK(r, e)
	return edge.Response{Status: http.StatusCreated, Body: h.view(user)}, nil
}

// add creates the user, unless another has one of the names in a spelling of earlier versions.
func (h *Users) add(ctx context.Context, u store.User, typed ...string) error {
	for _, name := range typed {
		if err := h.checkFree(ctx, name, u.ID); err != nil {
			return err
		}
	}
	return h.store.CreateUser(ctx, u)
}

// checkFree returns store.ErrExists where another user has the typed name in any spelling. The store itself looks for the
// canonical one alone.
func (h *Users) checkFree(ctx context.Context, typed string, id store.UserID) error {
	spellings, err := password.UsernameSpellings(typed)
	if err != nil || len(spellings) == 1 {
		return err
	}
	holders, err := account.Holders(ctx, h.store, spellings)
	if err == nil && slices.ContainsFunc(holders, func(u store.User) bool { return u.ID != id }) {
		err = store.ErrExists
	}
	return err
}

// newUser makes the record of a new user.
func (h *Users) newUser(username string, claims map[string]json.RawMessage) (store.User, error) {
	name, err := newName("username", username)
	if err != nil {
		return store.User{}, err
	}
	merged, err := mergeClaims(nil, claims)
	if err != nil {
		return store.User{}, err
	}
	now := store.Millis(h.now())
	user := store.User{Username: name, Claims: merged, CreatedAt: now, UpdatedAt: now}
	_, _ = rand.Read(user.ID[:]) // never fails: it ends the process instead
	return user, nil
}

// find returns the user that the path names, by sub or by any spelling of the username.
func (h *Users) find(r *call.Request) (store.User, error) {
	name := r.PathValue("username")
	var user store.User
	id, err := store.ParseUserID(name)
	if err == nil {
		user, err = h.store.User(r.Context(), id)
	} else if user, err = account.Find(r.Context(), h.store, name); errors.Is(err, password.ErrUsername) {
		err = store.ErrNotFound // no user can have that name
	}
	if err != nil {
		return store.User{}, Error(err)
	}
	r.Subject, r.Username = user.ID.String(), user.Username
	return user, nil
}

// Show shows a user.
func (h *Users) Show(r *call.Request) (edge.Response, error) {
	user, err := h.find(r)
	if err != nil {
		return edge.Response{}, err
	}
	return edge.Response{Body: h.view(user)}, nil
}

// change changes an existing user. All changes of users go through it.
func (h *Users) change(r *call.Request, id store.UserID, e store.Event, change func(u *store.User, now time.Time) error) (edge.Response, error) {
	now := store.Millis(h.now())
	user, err := h.store.UpdateUser(h.rec.WithEvent(r, &e), id, func(u *store.User) error {
		u.UpdatedAt = now
		if err := change(u, now); err != nil {
			return err
		}
		audit.SetRevision(&e, u.Revision+1, u.Epoch)
		return nil
	})
	if err != nil {
		return edge.Response{}, Error(err)
	}
	audit.SetRevision(&e, user.Revision, user.Epoch)
	h.rec.OK(r, e)
	return edge.Response{Body: h.view(user)}, nil
}

// Update merges claims: null removes one, and one that is not named stays (RFC 7396).
func (h *Users) Update(r *call.Request) (edge.Response, error) {
	var in api.UserChanges
	if _, err := input.JSON(r.Request, &in); err != nil {
		return edge.Response{}, err
	}
	user, err := h.find(r)
	if err != nil {
		return edge.Response{}, err
	}
	e := store.Event{Type: store.EventUserUpdate, Detail: map[string]string{"claims": call.MemberNames(in.Claims)}}
	return h.change(r, user.ID, e, func(u *store.User, _ time.Time) (err error) {
		u.Claims, err = mergeClaims(u.Claims, in.Claims)
		return err
	})
}

// Delete deletes a user and ends their sessions.
func (h *Users) Delete(r *call.Request) (edge.Response, error) {
	user, err := h.find(r)
	if err != nil {
		return edge.Response{}, err
	}
	e := store.Event{Type: store.EventUserDelete}
	if err := h.store.DeleteUser(h.rec.WithEvent(r, &e), user.ID); err != nil {
		return edge.Response{}, Error(err)
	}
	h.rec.OK(r, e)
	return edge.Response{Status: http.StatusNoContent}, nil
}

// hash checks a new password and hashes it, in the same bounded pool as logins.
func (h *Users) hash(r *call.Request, username, secret string) (string, error) {
	if err := h.policy().Check(username, secret); err != nil {
		return "", passwordError(err)
	}
	waiting, cancel := r.WhileCallerWaits()
	defer cancel()
	hash, err := h.passwords.Hash(waiting, secret)
	if err != nil {
		return "", passwordError(err)
	}
	return hash, nil
}

// SetPassword ends every session, because the old password may be known to others.
func (h *Users) SetPassword(r *call.Request) (edge.Response, error) {
	var in api.NewPassword
	if _, err := input.JSON(r.Request, &in); err != nil {
		return edge.Response{}, err
	}
	user, err := h.find(r)
	if err != nil {
		return edge.Response{}, err
	}
	hash, err := h.hash(r, user.Username, in.Password)
	if err != nil {
		return edge.Response{}, err
	}
	_, err = h.change(r, user.ID, store.Event{Type: store.EventUserSetPassword}, func(u *store.User, _ time.Time) error {
		u.SetPassword(hash)
		u.EndSessions()
		return nil
	})
	if err != nil {
		return edge.Response{}, err
	}
	return edge.Response{Status: http.StatusNoContent}, nil
}

// Disable ends every session as well. A user who is enabled again logs in anew.
func (h *Users) Disable(r *call.Request) (edge.Response, error) {
	return h.switchState(r, store.Event{Type: store.EventUserDisable}, func(u *store.User, _ time.Time) error {
		u.Disabled = true
		u.EndSessions()
		return nil
	})
}

// Enable lets a user log in again.
func (h *Users) Enable(r *call.Request) (edge.Response, error) {
	return h.switchState(r, store.Event{Type: store.EventUserEnable}, func(u *store.User, _ time.Time) error {
		u.Disabled = false
		return nil
	})
}

func (h *Users) switchState(r *call.Request, e store.Event, change func(*store.User, time.Time) error) (edge.Response, error) {
	user, err := h.find(r)
	if err != nil {
		return edge.Response{}, err
	}
	return h.change(r, user.ID, e, change)
}

// mergeClaims is account.MergeClaims with its error as a response.
func mergeClaims(claims, changes map[string]json.RawMessage) (map[string]json.RawMessage, error) {
	merged, err := account.MergeClaims(claims, changes)
	if err != nil {
		return nil, input.Invalid("%s", err)
	}
	return merged, nil
}

// passwordError words a password that cannot be chosen. A busy pool is another error.
func passwordError(err error) error {
	for _, fault := range []error{password.ErrPassword, password.ErrTooShort, password.ErrTooLong, password.ErrCommon, password.ErrContext} {
		if errors.Is(err, fault) {
			return input.Invalid("%s", err)
		}
	}
	return err
}

package server

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"signet/server/admin/api"
	"signet/server/audit"
	"signet/server/edge"
	"signet/server/password"
	"signet/server/syntax"
	"signet/server/users"
	"signet/store"
)

// viewUser never shows the password hash.
func viewUser(u store.User) api.User {
	claims := u.Claims
	if claims == nil {
		claims = map[string]json.RawMessage{}
	}
	return api.User{Subject: u.ID.String(), Username: u.Username, Claims: claims, Disabled: u.Disabled, HasPassword: u.PasswordHash != "", CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt}
}

func (s *Server) adminCreateUser(c *adminRequest) (edge.Response, error) {
	var in api.NewUser
	if _, err := readJSON(c, &in); err != nil {
		return edge.Response{}, err
	}
	user, err := s.newUser(in.Username, in.Claims)
	if err != nil {
		return edge.Response{}, err
	}
	if in.Password != nil {
		if user.PasswordHash, err = s.hashChosen(c, user.Username, *in.Password); err != nil {
			return edge.Response{}, err
		}
	}
	c.Subject, c.Username = user.ID.String(), user.Username
	e := store.Event{Type: store.EventUserCreate}
	if err := users.Create(s.doing(c, &e), s.store, user, in.Username); err != nil {
		return edge.Response{}, userProblem(err)
	}
	s.did(c, e)
	return edge.Response{Status: http.StatusCreated, Body: viewUser(user)}, nil
}

// newUser makes the record of somebody new.
func (s *Server) newUser(username string, claims map[string]json.RawMessage) (store.User, error) {
	name, err := password.CanonicalUsername(username)
	if err != nil {
		return store.User{}, adminInvalid("username: %s", err)
	}
	if strings.HasPrefix(name, syntax.UserPrefix) {
		return store.User{}, adminInvalid("username must not begin with %s, as subjects do", syntax.UserPrefix)
	}
	merged, err := mergeClaims(nil, claims)
	if err != nil {
		return store.User{}, err
	}
	now := store.Millis(s.now())
	user := store.User{Username: name, Claims: merged, CreatedAt: now, UpdatedAt: now}
	rand.Read(user.ID[:])
	return user, nil
}

// findUser finds the user that the path names, by sub or by any spelling of the username.
func (s *Server) findUser(c *adminRequest) (store.User, error) {
	name := c.PathValue("username")
	var user store.User
	id, err := store.ParseUserID(name)
	if err == nil {
		user, err = s.store.User(c.Context(), id)
	} else if name, err = users.StoredName(c.Context(), s.store, name); err == nil {
		user, err = s.store.UserByName(c.Context(), name)
	} else if errors.Is(err, password.ErrUsername) {
		err = store.ErrNotFound // nobody can have that name
	}
	if err != nil {
		return store.User{}, userProblem(err)
	}
	c.Subject, c.Username = user.ID.String(), user.Username
	return user, nil
}

func (s *Server) adminShowUser(c *adminRequest) (edge.Response, error) {
	user, err := s.findUser(c)
	if err != nil {
		return edge.Response{}, err
	}
	return edge.Response{Body: viewUser(user)}, nil
}

// changeUser is the one way in which an existing user changes.
func (s *Server) changeUser(c *adminRequest, id store.UserID, e store.Event, change func(u *store.User, now time.Time) error) (edge.Response, error) {
	now := store.Millis(s.now())
	user, err := s.store.UpdateUser(s.doing(c, &e), id, func(u *store.User) error {
		u.UpdatedAt = now
		if err := change(u, now); err != nil {
			return err
		}
		audit.SetRevision(&e, u.Revision+1, u.Epoch)
		return nil
	})
	if err != nil {
		return edge.Response{}, userProblem(err)
	}
	audit.SetRevision(&e, user.Revision, user.Epoch)
	s.did(c, e)
	return edge.Response{Body: viewUser(user)}, nil
}

// adminUpdateUser merges claims: one that is null is removed, one that is not named stays (RFC 7396).
func (s *Server) adminUpdateUser(c *adminRequest) (edge.Response, error) {
	var in api.UserChanges
	if _, err := readJSON(c, &in); err != nil {
		return edge.Response{}, err
	}
	user, err := s.findUser(c)
	if err != nil {
		return edge.Response{}, err
	}
	e := store.Event{Type: store.EventUserUpdate, Detail: map[string]string{"claims": claimNames(in.Claims)}}
	return s.changeUser(c, user.ID, e, func(u *store.User, _ time.Time) (err error) {
		u.Claims, err = mergeClaims(u.Claims, in.Claims)
		return err
	})
}

func (s *Server) adminDeleteUser(c *adminRequest) (edge.Response, error) {
	user, err := s.findUser(c)
	if err != nil {
		return edge.Response{}, err
	}
	e := store.Event{Type: store.EventUserDelete}
	if err := s.store.DeleteUser(s.doing(c, &e), user.ID); err != nil {
		return edge.Response{}, userProblem(err)
	}
	s.did(c, e)
	return edge.Response{Status: http.StatusNoContent}, nil
}

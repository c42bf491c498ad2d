package server

import (
	"errors"
	"net/http"
	"time"

	"signet/server/admin/api"
	"signet/server/edge"
	"signet/server/password"
	"signet/store"
)

// hashChosen checks a new password and hashes it, in the same bounded pool as logins.
func (s *Server) hashChosen(c *adminRequest, username, secret string) (string, error) {
	if err := s.settings().Policy.Check(username, secret); err != nil {
		return "", passwordProblem(err)
	}
	waiting, cancel := c.WhileCallerWaits()
	defer cancel()
	hash, err := s.cfg.Passwords.Hash(waiting, secret)
	if err != nil {
		return "", passwordProblem(err)
	}
	return hash, nil
}

// adminSetPassword ends every session: whoever knew the old password is out.
func (s *Server) adminSetPassword(c *adminRequest) (edge.Response, error) {
	var in api.NewPassword
	if _, err := readJSON(c, &in); err != nil {
		return edge.Response{}, err
	}
	user, err := s.findUser(c)
	if err != nil {
		return edge.Response{}, err
	}
	hash, err := s.hashChosen(c, user.Username, in.Password)
	if err != nil {
		return edge.Response{}, err
	}
	_, err = s.changeUser(c, user.ID, store.Event{Type: "user.set_password"}, func(u *store.User, _ time.Time) error {
		u.PasswordHash = hash
		u.EndSessions()
		return nil
	})
	if err != nil {
		return edge.Response{}, err
	}
	return edge.Response{Status: http.StatusNoContent}, nil
}

// adminDisableUser ends every session as well: enabling the user again is a new start.
func (s *Server) adminDisableUser(c *adminRequest) (edge.Response, error) {
	return s.switchUser(c, store.Event{Type: "user.disable"}, func(u *store.User, _ time.Time) error {
		u.Disabled = true
		u.EndSessions()
		return nil
	})
}

func (s *Server) adminEnableUser(c *adminRequest) (edge.Response, error) {
	return s.switchUser(c, store.Event{Type: "user.enable"}, func(u *store.User, _ time.Time) error {
		u.Disabled = false
		return nil
	})
}

func (s *Server) switchUser(c *adminRequest, e store.Event, change func(*store.User, time.Time) error) (edge.Response, error) {
	user, err := s.findUser(c)
	if err != nil {
		return edge.Response{}, err
	}
	return s.changeUser(c, user.ID, e, change)
}

// passwordProblem tells a password that cannot be chosen from a pool that is busy.
func passwordProblem(err error) error {
	for _, fault := range []error{password.ErrPassword, password.ErrTooShort, password.ErrTooLong, password.ErrCommon, password.ErrContext} {
		if errors.Is(err, fault) {
			return adminInvalid("%s", err)
		}
	}
	return err
}

package server

import (
	"errors"
	"net/http"
	"time"

	"signet/server/admin/api"
	"signet/server/password"
	"signet/store"
)

// hashChosen checks a new password and hashes it, in the same bounded pool as logins.
func (s *Server) hashChosen(c *call, username, secret string) (string, error) {
	if err := s.settings().Policy.Check(username, secret); err != nil {
		return "", passwordProblem(err)
	}
	waiting, cancel := c.whileCallerWaits()
	defer cancel()
	hash, err := s.cfg.Passwords.Hash(waiting, secret)
	if err != nil {
		return "", passwordProblem(err)
	}
	return hash, nil
}

// adminSetPassword ends every session: whoever knew the old password is out.
func (s *Server) adminSetPassword(c *call) (reply, error) {
	var in api.NewPassword
	if _, err := readJSON(c, &in); err != nil {
		return reply{}, err
	}
	user, err := s.findUser(c)
	if err != nil {
		return reply{}, err
	}
	hash, err := s.hashChosen(c, user.Username, in.Password)
	if err != nil {
		return reply{}, err
	}
	_, err = s.changeUser(c, user.ID, event{Type: "user.set_password"}, func(u *store.User, _ time.Time) error {
		u.PasswordHash = hash
		u.EndSessions()
		return nil
	})
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusNoContent}, nil
}

// adminDisableUser ends every session as well: enabling the user again is a new start.
func (s *Server) adminDisableUser(c *call) (reply, error) {
	return s.switchUser(c, event{Type: "user.disable"}, func(u *store.User, _ time.Time) error {
		u.Disabled = true
		u.EndSessions()
		return nil
	})
}

func (s *Server) adminEnableUser(c *call) (reply, error) {
	return s.switchUser(c, event{Type: "user.enable"}, func(u *store.User, _ time.Time) error {
		u.Disabled = false
		return nil
	})
}

func (s *Server) switchUser(c *call, e event, change func(*store.User, time.Time) error) (reply, error) {
	user, err := s.findUser(c)
	if err != nil {
		return reply{}, err
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

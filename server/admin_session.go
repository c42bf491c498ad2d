package server

import (
	"errors"
	"net/http"

	"signet/server/admin/api"
	"signet/store"
)

// adminListSessions shows the sessions that a refresh would go through for, oldest first.
func (s *Server) adminListSessions(c *call) (reply, error) {
	user, err := s.findUser(c)
	if err != nil {
		return reply{}, err
	}
	now := s.now()
	all, err := s.store.ListSessions(c.Context(), user.ID, now, s.settings().Lifetimes)
	if err != nil {
		return reply{}, err
	}
	views := make([]api.Session, 0, len(all))
	for _, session := range all {
		client, err := s.clients.get(c.Context(), session.ClientID)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return reply{}, err
		}
		if s.sessionEnded(session, &user, client, now) == "" {
			views = append(views, s.viewSession(session))
		}
	}
	return reply{body: api.SessionList{Sessions: views}}, nil
}

func (s *Server) viewSession(session store.Session) api.Session {
	limits := s.settings().Lifetimes
	expires := session.RotatedAt.Add(limits.Idle)
	if end := session.StartedAt.Add(limits.Absolute); end.Before(expires) {
		expires = end
	}
	return api.Session{ID: session.ID.String(), ClientID: session.ClientID, Generation: session.Generation, StartedAt: session.StartedAt, RotatedAt: session.RotatedAt, ExpiresAt: expires}
}

func (s *Server) adminRevokeSessions(c *call) (reply, error) {
	user, err := s.findUser(c)
	if err != nil {
		return reply{}, err
	}
	e := event{Type: store.EventSessionRevokeAll}
	revoked, err := s.store.RevokeSessions(s.doing(c, &e), user.ID)
	if err != nil {
		return reply{}, userProblem(err)
	}
	s.did(c, e)
	return reply{body: api.SessionsRevoked{Revoked: revoked}}, nil
}

func (s *Server) adminRevokeSession(c *call) (reply, error) {
	user, err := s.findUser(c)
	if err != nil {
		return reply{}, err
	}
	id, err := store.ParseSessionID(c.PathValue("sid"))
	e, existed := event{Type: store.EventSessionRevoke}, false
	if err == nil {
		c.session = id
		if existed, err = s.store.RevokeSession(s.doing(c, &e), user.ID, id); err != nil {
			return reply{}, err
		}
	}
	if !existed {
		return reply{}, adminNotFound("this user has no such session, or no longer; GET …/sessions lists them")
	}
	s.did(c, e)
	return reply{status: http.StatusNoContent}, nil
}

package server

import (
	"errors"
	"net/http"

	"signet/server/admin/api"
	"signet/server/edge"
	"signet/store"
)

// adminListSessions shows the sessions that a refresh would go through for, oldest first.
func (s *Server) adminListSessions(c *adminRequest) (edge.Response, error) {
	user, err := s.findUser(c)
	if err != nil {
		return edge.Response{}, err
	}
	now := s.now()
	all, err := s.store.ListSessions(c.Context(), user.ID, now, s.settings().Lifetimes)
	if err != nil {
		return edge.Response{}, err
	}
	views := make([]api.Session, 0, len(all))
	for _, session := range all {
		client, err := s.clients.Get(c.Context(), session.ClientID)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return edge.Response{}, err
		}
		if s.checker.SessionEnded(session, &user, client, now) == "" {
			views = append(views, s.viewSession(session))
		}
	}
	return edge.Response{Body: api.SessionList{Sessions: views}}, nil
}

func (s *Server) viewSession(session store.Session) api.Session {
	limits := s.settings().Lifetimes
	expires := session.RotatedAt.Add(limits.Idle)
	if end := session.StartedAt.Add(limits.Absolute); end.Before(expires) {
		expires = end
	}
	return api.Session{ID: session.ID.String(), ClientID: session.ClientID, Generation: session.Generation, StartedAt: session.StartedAt, RotatedAt: session.RotatedAt, ExpiresAt: expires}
}

func (s *Server) adminRevokeSessions(c *adminRequest) (edge.Response, error) {
	user, err := s.findUser(c)
	if err != nil {
		return edge.Response{}, err
	}
	e := store.Event{Type: store.EventSessionRevokeAll}
	revoked, err := s.store.RevokeSessions(s.doing(c, &e), user.ID)
	if err != nil {
		return edge.Response{}, userProblem(err)
	}
	s.did(c, e)
	return edge.Response{Body: api.SessionsRevoked{Revoked: revoked}}, nil
}

func (s *Server) adminRevokeSession(c *adminRequest) (edge.Response, error) {
	user, err := s.findUser(c)
	if err != nil {
		return edge.Response{}, err
	}
	id, err := store.ParseSessionID(c.PathValue("sid"))
	e, existed := store.Event{Type: store.EventSessionRevoke}, false
	if err == nil {
		c.SessionID = id.String()
		if existed, err = s.store.RevokeSession(s.doing(c, &e), user.ID, id); err != nil {
			return edge.Response{}, err
		}
	}
	if !existed {
		return edge.Response{}, adminNotFound("this user has no such session, or no longer; GET …/sessions lists them")
	}
	s.did(c, e)
	return edge.Response{Status: http.StatusNoContent}, nil
}

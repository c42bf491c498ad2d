package server

import (
	"errors"
	"net/http"
	"time"

	"signet/server/edge"
	"signet/store"
)

type sessionView struct {
	ID         store.SessionID `json:"sid"`
	ClientID   string          `json:"client_id"`
	Generation uint32          `json:"generation"`
	StartedAt  time.Time       `json:"started_at"`
	RotatedAt  time.Time       `json:"rotated_at"`
	ExpiresAt  time.Time       `json:"expires_at"` // unless it is refreshed before
}

type sessionList struct {
	Sessions []sessionView `json:"sessions"`
}

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
	views := make([]sessionView, 0, len(all))
	for _, session := range all {
		client, err := s.clients.get(c.Context(), session.ClientID)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return edge.Response{}, err
		}
		if s.sessionEnded(session, &user, client, now) == "" {
			views = append(views, s.viewSession(session))
		}
	}
	return edge.Response{Body: sessionList{views}}, nil
}

func (s *Server) viewSession(session store.Session) sessionView {
	limits := s.settings().Lifetimes
	expires := session.RotatedAt.Add(limits.Idle)
	if end := session.StartedAt.Add(limits.Absolute); end.Before(expires) {
		expires = end
	}
	return sessionView{session.ID, session.ClientID, session.Generation, session.StartedAt, session.RotatedAt, expires}
}

func (s *Server) adminRevokeSessions(c *adminRequest) (edge.Response, error) {
	user, err := s.findUser(c)
	if err != nil {
		return edge.Response{}, err
	}
	revoked, err := s.store.RevokeSessions(c.Context(), user.ID)
	if err != nil {
		return edge.Response{}, userProblem(err)
	}
	s.did(c, event{Type: "session.revoke_all"})
	return edge.Response{Body: map[string]int{"revoked": revoked}}, nil
}

func (s *Server) adminRevokeSession(c *adminRequest) (edge.Response, error) {
	user, err := s.findUser(c)
	if err != nil {
		return edge.Response{}, err
	}
	id, err := store.ParseSessionID(c.PathValue("sid"))
	existed := false
	if err == nil {
		c.SessionID = id.String()
		if existed, err = s.store.RevokeSession(c.Context(), user.ID, id); err != nil {
			return edge.Response{}, err
		}
	}
	if !existed {
		return edge.Response{}, adminNotFound("this user has no such session, or no longer; GET …/sessions lists them")
	}
	s.did(c, event{Type: "session.revoke"})
	return edge.Response{Status: http.StatusNoContent}, nil
}

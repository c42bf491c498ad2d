package server

import (
	"errors"
	"net/http"
	"time"

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
	views := make([]sessionView, 0, len(all))
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
	return reply{body: sessionList{views}}, nil
}

func (s *Server) viewSession(session store.Session) sessionView {
	limits := s.settings().Lifetimes
	expires := session.RotatedAt.Add(limits.Idle)
	if end := session.StartedAt.Add(limits.Absolute); end.Before(expires) {
		expires = end
	}
	return sessionView{session.ID, session.ClientID, session.Generation, session.StartedAt, session.RotatedAt, expires}
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
	return reply{body: map[string]int{"revoked": revoked}}, nil
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

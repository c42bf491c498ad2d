package users

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"signet/server/admin/api"
	"signet/server/admin/call"
	"signet/server/clientauth"
	"signet/server/edge"
	"signet/server/syntax"
	"signet/server/token"
	"signet/store"
)

// SessionsConfig configures Sessions. Every field is required.
type SessionsConfig struct {
	Users     *Users
	Clients   *clientauth.Cache
	Lifetimes func() store.Lifetimes // of sessions, in force now
	Checker   *token.Checker
	Error     func(error) *edge.Error // returns the response for any error
}

// Sessions has the verbs of the sessions of users.
type Sessions struct {
	store     store.Store
	users     *Users
	cache     *clientauth.Cache
	lifetimes func() store.Lifetimes
	checker   *token.Checker
	rec       call.Recorder
	now       func() time.Time
	asError   func(error) *edge.Error
}

// NewSessions returns the verbs.
func NewSessions(cfg SessionsConfig) *Sessions {
	return &Sessions{store: cfg.Users.store, users: cfg.Users, cache: cfg.Clients, lifetimes: cfg.Lifetimes, checker: cfg.Checker,
		rec: cfg.Users.rec, now: cfg.Users.now, asError: cfg.Error}
}

// List shows the sessions that a refresh would succeed for, oldest first.
func (h *Sessions) List(r *call.Request) (edge.Response, error) {
	user, err := h.users.find(r)
	if err != nil {
		return edge.Response{}, err
	}
	now := h.now()
	all, err := h.store.ListSessions(r.Context(), user.ID, now, h.lifetimes())
	if err != nil {
		return edge.Response{}, err
	}
	views := make([]api.Session, 0, len(all))
	for _, session := range all {
		client, err := h.cache.Get(r.Context(), session.ClientID)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return edge.Response{}, err
		}
		if h.checker.SessionEnded(session, &user, client, now) == "" {
			views = append(views, h.viewSession(session))
		}
	}
	return edge.Response{Body: api.SessionList{Sessions: views}}, nil
}

func (h *Sessions) viewSession(session store.Session) api.Session {
	limits := h.lifetimes()
	expires := session.RotatedAt.Add(limits.Idle)
	if end := session.StartedAt.Add(limits.Absolute); end.Before(expires) {
		expires = end
	}
	return api.Session{ID: session.ID.String(), ClientID: session.ClientID, Generation: session.Generation, StartedAt: session.StartedAt,
		RotatedAt: session.RotatedAt, ExpiresAt: expires}
}

// RevokeAll ends every session of a user.
func (h *Sessions) RevokeAll(r *call.Request) (edge.Response, error) {
	user, err := h.users.find(r)
	if err != nil {
		return edge.Response{}, err
	}
	e := store.Event{Type: store.EventSessionRevokeAll}
	revoked, err := h.store.RevokeSessions(h.rec.WithEvent(r, &e), user.ID)
	if err != nil {
		return edge.Response{}, Error(err)
	}
	h.rec.OK(r, e)
	return edge.Response{Body: api.SessionsRevoked{Revoked: revoked}}, nil
}

// Revoke ends one session of a user.
func (h *Sessions) Revoke(r *call.Request) (edge.Response, error) {
	user, err := h.users.find(r)
	if err != nil {
		return edge.Response{}, err
	}
	id, err := store.ParseSessionID(r.PathValue("sid"))
	e, existed := store.Event{Type: store.EventSessionRevoke}, false
	if err == nil {
		r.SessionID = id.String()
		if existed, err = h.store.RevokeSession(h.rec.WithEvent(r, &e), user.ID, id); err != nil {
			return edge.Response{}, err
		}
	}
	if !existed {
		return edge.Response{}, call.NotFound("this user has no such session, or no longer; GET …/sessions lists them")
	}
	h.rec.OK(r, e)
	return edge.Response{Status: http.StatusNoContent}, nil
}

// RevokeEverybody ends every session of every user, and every token that was issued so far, by one write for each
// client, which raises the client's epoch. After an interruption it can be done again; the clients that it reached are
// done.
func (h *Sessions) RevokeEverybody(r *call.Request) (edge.Response, error) {
	guard := call.NewGuard(r)
	defer guard.Close()
	if err := h.rec.Begin(r, store.Event{Type: store.EventSessionRevokeEverybodyBegin}); err != nil {
		return edge.Response{}, err
	}
	ended := 0
	err := h.eachClient(r, guard, func(id string) error {
		now := store.Millis(h.now())
		_, err := h.store.UpdateClient(r.Context(), id, func(client *store.Client) error {
			client.UpdatedAt = now
			client.EndSessions()
			return nil
		})
		h.cache.Drop(id)
		if errors.Is(err, store.ErrNotFound) {
			return nil // deleted meanwhile: its sessions are over
		}
		if id != syntax.BrowserClient { // it is none that an operator has made
			ended++
		}
		return err
	})
	detail := map[string]string{"clients": strconv.Itoa(ended)}
	if err != nil {
		detail[store.DetailReason] = h.asError(err).Reason()
		h.rec.Audit.Change(r.Request, store.Event{Type: store.EventSessionRevokeEverybody, Outcome: store.OutcomeUnknown, Actor: r.Actor, Detail: detail})
		return edge.Response{}, err
	}
	h.rec.OK(r, store.Event{Type: store.EventSessionRevokeEverybody, Detail: detail})
	return edge.Response{Body: api.ClientsEnded{Clients: ended}}, nil
}

// eachClient calls do for every client.
func (h *Sessions) eachClient(r *call.Request, guard *call.Guard, do func(id string) error) error {
	const page = 500
	for after := ""; ; {
		clients, err := h.store.ListClients(r.Context(), after, page)
		if err != nil {
			return err
		}
		for _, client := range clients {
			if err := guard.Step(); err != nil {
				return err
			}
			if err := do(client.ID); err != nil {
				return err
			}
		}
		if len(clients) < page {
			return nil
		}
		after = clients[len(clients)-1].ID
	}
}

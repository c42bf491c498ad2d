package admin

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"signet/server/admin/api"
	"signet/server/clientauth"
	"signet/server/edge"
	"signet/server/token"
	"signet/store"
)

// sessions are the sessions of users.
type sessions struct {
	store    store.Store
	users    *users
	cache    *clientauth.Cache
	settings func() Settings
	checker  *token.Checker
	rec      recorder
	now      func() time.Time
	asError  func(error) *edge.Error
}

// list shows the sessions that a refresh would succeed for, oldest first.
func (h *sessions) list(r *Request) (edge.Response, error) {
	user, err := h.users.find(r)
	if err != nil {
		return edge.Response{}, err
	}
	now := h.now()
	all, err := h.store.ListSessions(r.Context(), user.ID, now, h.settings().Lifetimes)
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

func (h *sessions) viewSession(session store.Session) api.Session {
	limits := h.settings().Lifetimes
	expires := session.RotatedAt.Add(limits.Idle)
	if end := session.StartedAt.Add(limits.Absolute); end.Before(expires) {
		expires = end
	}
	return api.Session{ID: session.ID.String(), ClientID: session.ClientID, Generation: session.Generation, StartedAt: session.StartedAt,
		RotatedAt: session.RotatedAt, ExpiresAt: expires}
}

func (h *sessions) revokeAll(r *Request) (edge.Response, error) {
	user, err := h.users.find(r)
	if err != nil {
		return edge.Response{}, err
	}
	e := store.Event{Type: store.EventSessionRevokeAll}
	revoked, err := h.store.RevokeSessions(h.rec.withEvent(r, &e), user.ID)
	if err != nil {
		return edge.Response{}, userError(err)
	}
	h.rec.ok(r, e)
	return edge.Response{Body: api.SessionsRevoked{Revoked: revoked}}, nil
}

func (h *sessions) revoke(r *Request) (edge.Response, error) {
	user, err := h.users.find(r)
	if err != nil {
		return edge.Response{}, err
	}
	id, err := store.ParseSessionID(r.PathValue("sid"))
	e, existed := store.Event{Type: store.EventSessionRevoke}, false
	if err == nil {
		r.SessionID = id.String()
		if existed, err = h.store.RevokeSession(h.rec.withEvent(r, &e), user.ID, id); err != nil {
			return edge.Response{}, err
		}
	}
	if !existed {
		return edge.Response{}, notFound("this user has no such session, or no longer; GET …/sessions lists them")
	}
	h.rec.ok(r, e)
	return edge.Response{Status: http.StatusNoContent}, nil
}

// revokeEverybody ends every session of every user, and every token that was issued so far, by one write for each
// client, which raises the client's epoch. After an interruption it can be done again; the clients that it reached are
// done.
func (h *sessions) revokeEverybody(r *Request) (edge.Response, error) {
	guard := guardStream(r)
	defer guard.close()
	if err := h.rec.begin(r, store.Event{Type: store.EventSessionRevokeEverybodyBegin}); err != nil {
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
		ended++
		return err
	})
	detail := map[string]string{"clients": strconv.Itoa(ended)}
	if err != nil {
		detail[store.DetailReason] = h.asError(err).Reason()
		h.rec.audit.Change(r.Request, store.Event{Type: store.EventSessionRevokeEverybody, Outcome: store.OutcomeUnknown, Actor: r.Actor, Detail: detail})
		return edge.Response{}, err
	}
	h.rec.ok(r, store.Event{Type: store.EventSessionRevokeEverybody, Detail: detail})
	return edge.Response{Body: api.ClientsEnded{Clients: ended}}, nil
}

// eachClient calls do for every client.
func (h *sessions) eachClient(r *Request, guard *streamGuard, do func(id string) error) error {
	const page = 500
	for after := ""; ; {
		clients, err := h.store.ListClients(r.Context(), after, page)
		if err != nil {
			return err
		}
		for _, client := range clients {
			if err := guard.step(); err != nil {
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

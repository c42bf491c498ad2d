package admin

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"signet/keys"
	"signet/server/admin/api"
	"signet/server/audit"
	"signet/server/clientauth"
	"signet/server/edge"
	"signet/server/syntax"
	"signet/store"
)

// clients are the apps that ask for tokens.
type clients struct {
	store        store.Store
	keys         *keys.Manager
	cache        *clientauth.Cache
	floors       *clientauth.Floors
	auth         *auth
	rec          recorder
	now          func() time.Time
	maxTokenLife time.Duration
	warnings     func(ctx context.Context, client store.Client, warnings []string) []string
}

func (h *clients) list(r *Request) (edge.Response, error) {
	q, err := readQuery(r, "after", "limit")
	if err != nil {
		return edge.Response{}, err
	}
	limit, err := q.limit()
	if err != nil {
		return edge.Response{}, err
	}
	if after := q["after"]; after != "" && !syntax.ClientID(after) {
		return edge.Response{}, invalid("after must be a client_id: the next of the page before")
	}
	all, err := h.store.ListClients(r.Context(), q["after"], limit+1)
	if err != nil {
		return edge.Response{}, err
	}
	all, next := pageOf(all, limit, func(r store.Client) string { return r.ID })
	views := make([]api.Client, 0, len(all))
	for _, client := range all {
		views = append(views, viewClient(client))
	}
	return edge.Response{Body: api.ClientList{Clients: views, Next: next}}, nil
}

func (h *clients) create(r *Request) (edge.Response, error) {
	var spec api.ClientSpec
	if _, err := readJSON(r, &spec); err != nil {
		return edge.Response{}, err
	}
	setDefaults(&spec)
	now := store.Millis(h.now())
	client := store.Client{ID: spec.ID, Public: spec.Public, CreatedAt: now}
	warnings, err := h.applySpec(spec, &client, now)
	if err != nil {
		return edge.Response{}, err
	}
	if err := h.auth.mayHandle(r, client.Scopes); err != nil {
		return edge.Response{}, err
	}
	secret := ""
	if hasSecret(client.AuthMethods) {
		secret = clientauth.NewSecret()
		client.Secrets = []store.Secret{secretRecord(secret, now)}
	}
	client.Revision = max(client.Revision, h.keys.Records().Floors[client.ID]) // a client of this id was deleted
	e := store.Event{Type: store.EventClientCreate, ClientID: client.ID}
	err = h.store.CreateClient(h.rec.withEvent(r, &e), client)
	h.cache.Drop(client.ID)
	if err != nil {
		return edge.Response{}, clientError(err)
	}
	h.floors.Raise(r.Context(), client)
	h.rec.ok(r, e)
	view := viewClient(client)
	view.Secret, view.Warnings = secret, h.warnings(r.Context(), client, warnings)
	return edge.Response{Status: http.StatusCreated, Body: view}, nil
}

func (h *clients) show(r *Request) (edge.Response, error) {
	client, err := h.store.Client(r.Context(), r.PathValue("id"))
	if err == nil {
		err = h.floors.Check(client)
	}
	if err != nil {
		return edge.Response{}, clientError(err)
	}
	return edge.Response{Body: viewClient(client)}, nil
}

// modify changes an existing client. All changes of clients go through it. change may add to the event. The caller must
// have all scopes of the admin API that the client has before and after the change.
func (h *clients) modify(r *Request, e *store.Event, change func(client *store.Client, now time.Time) error) (store.Client, error) {
	id, now := r.PathValue("id"), store.Millis(h.now())
	e.ClientID = id
	client, err := h.store.UpdateClient(h.rec.withEvent(r, e), id, func(client *store.Client) error {
		if err := h.floors.Check(*client); err != nil {
			return err
		}
		if err := h.auth.mayHandle(r, client.Scopes); err != nil {
			return err
		}
		client.UpdatedAt = now
		if err := change(client, now); err != nil {
			return err
		}
		audit.SetRevision(e, client.Revision+1, client.Epoch)
		return h.auth.mayHandle(r, client.Scopes)
	})
	h.cache.Drop(id)
	if err != nil {
		return store.Client{}, clientError(err)
	}
	h.floors.Raise(r.Context(), client)
	audit.SetRevision(e, client.Revision, client.Epoch)
	h.rec.ok(r, *e)
	return client, nil
}

// update applies the members of the body to the client. Members that are not named stay.
func (h *clients) update(r *Request) (edge.Response, error) {
	body, err := readJSON(r, &api.ClientSpec{})
	if err != nil {
		return edge.Response{}, err
	}
	e := store.Event{Type: store.EventClientUpdate, Detail: map[string]string{"members": memberNames(body)}}
	var warnings []string
	client, err := h.modify(r, &e, func(client *store.Client, now time.Time) (err error) {
		spec := specOf(*client)
		if err := decodeJSON(body, &spec); err != nil {
			return err
		}
		warnings, err = h.applySpec(spec, client, now)
		return err
	})
	if err != nil {
		return edge.Response{}, err
	}
	view := viewClient(client)
	view.Warnings = h.warnings(r.Context(), client, warnings)
	return edge.Response{Body: view}, nil
}

func memberNames(object []byte) string {
	var members map[string]json.RawMessage
	_ = json.Unmarshal(object, &members) // it was decoded without an error before
	return strings.Join(slices.Sorted(maps.Keys(members)), " ")
}

func (h *clients) delete(r *Request) (edge.Response, error) {
	id := r.PathValue("id")
	client, err := h.store.Client(r.Context(), id)
	if err != nil {
		return edge.Response{}, clientError(err)
	}
	if err := h.auth.mayHandle(r, client.Scopes); err != nil {
		return edge.Response{}, err
	}
	e := store.Event{Type: store.EventClientDelete, ClientID: id}
	err = h.store.DeleteClient(h.rec.withEvent(r, &e), id)
	h.cache.Drop(id)
	if err != nil {
		return edge.Response{}, clientError(err)
	}
	h.floors.Raise(r.Context(), store.Client{ID: id, Scopes: client.Scopes, Revision: client.Revision + 1})
	h.rec.ok(r, e)
	return edge.Response{Status: http.StatusNoContent}, nil
}

// disable ends the client's sessions and tokens as well. When it is enabled again its users log in anew.
func (h *clients) disable(r *Request) (edge.Response, error) {
	return h.switchState(r, store.Event{Type: store.EventClientDisable}, func(client *store.Client, _ time.Time) error {
		client.Disabled = true
		client.EndSessions()
		return nil
	})
}

func (h *clients) enable(r *Request) (edge.Response, error) {
	return h.switchState(r, store.Event{Type: store.EventClientEnable}, func(client *store.Client, _ time.Time) error {
		client.Disabled = false
		return nil
	})
}

func (h *clients) switchState(r *Request, e store.Event, change func(*store.Client, time.Time) error) (edge.Response, error) {
	client, err := h.modify(r, &e, change)
	if err != nil {
		return edge.Response{}, err
	}
	return edge.Response{Body: viewClient(client)}, nil
}

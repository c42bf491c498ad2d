package server

import (
	"crypto/sha256"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"signet/server/admin/api"
	"signet/server/audit"
	"signet/server/clientauth"
	"signet/server/edge"
	"signet/server/syntax"
	"signet/store"
)

func (s *Server) adminListClients(c *adminRequest) (edge.Response, error) {
	q, err := readQuery(c, "after", "limit")
	if err != nil {
		return edge.Response{}, err
	}
	limit, err := q.limit()
	if err != nil {
		return edge.Response{}, err
	}
	if after := q["after"]; after != "" && !syntax.ClientID(after) {
		return edge.Response{}, adminInvalid("after must be a client_id: the next of the page before")
	}
	all, err := s.store.ListClients(c.Context(), q["after"], limit+1)
	if err != nil {
		return edge.Response{}, err
	}
	all, next := pageOf(all, limit, func(c store.Client) string { return c.ID })
	views := make([]api.Client, 0, len(all))
	for _, client := range all {
		views = append(views, viewClient(client))
	}
	return edge.Response{Body: api.ClientList{Clients: views, Next: next}}, nil
}

func (s *Server) adminCreateClient(c *adminRequest) (edge.Response, error) {
	var spec api.ClientSpec
	if _, err := readJSON(c, &spec); err != nil {
		return edge.Response{}, err
	}
	setDefaults(&spec)
	now := store.Millis(s.now())
	client := store.Client{ID: spec.ID, Public: spec.Public, CreatedAt: now}
	warnings, err := s.applySpec(spec, &client, now)
	if err != nil {
		return edge.Response{}, err
	}
	if err := s.mayHandle(c, client.Scopes); err != nil {
		return edge.Response{}, err
	}
	secret := ""
	if hasSecret(client.AuthMethods) {
		secret = clientauth.NewSecret()
		client.Secrets = []store.Secret{newSecret(secret, now)}
	}
	client.Revision = max(client.Revision, s.cfg.Keys.Records().Floors[client.ID]) // one of this name was deleted
	e := store.Event{Type: store.EventClientCreate, ClientID: client.ID}
	err = s.store.CreateClient(s.doing(c, &e), client)
	s.clients.Drop(client.ID)
	if err != nil {
		return edge.Response{}, clientProblem(err)
	}
	s.floors.Raise(c.Context(), client)
	s.did(c, e)
	view := viewClient(client)
	view.Secret, view.Warnings = secret, s.clientWarnings(c.Context(), client, warnings)
	return edge.Response{Status: http.StatusCreated, Body: view}, nil
}

func newSecret(secret string, now time.Time) store.Secret {
	sum := sha256.Sum256([]byte(secret))
	return store.Secret{Hash: sum[:], CreatedAt: now, Unused: true}
}

func (s *Server) adminShowClient(c *adminRequest) (edge.Response, error) {
	client, err := s.store.Client(c.Context(), c.PathValue("id"))
	if err == nil {
		err = s.floors.Check(client)
	}
	if err != nil {
		return edge.Response{}, clientProblem(err)
	}
	return edge.Response{Body: viewClient(client)}, nil
}

// changeClient is the one way in which an existing client changes. change may add to the event. Neither as it was nor as it is to be may it
// have scopes of the admin API that the caller has not.
func (s *Server) changeClient(c *adminRequest, e *store.Event, change func(client *store.Client, now time.Time) error) (store.Client, error) {
	id, now := c.PathValue("id"), store.Millis(s.now())
	e.ClientID = id
	client, err := s.store.UpdateClient(s.doing(c, e), id, func(client *store.Client) error {
		if err := s.floors.Check(*client); err != nil {
			return err
		}
		if err := s.mayHandle(c, client.Scopes); err != nil {
			return err
		}
		client.UpdatedAt = now
		if err := change(client, now); err != nil {
			return err
		}
		audit.SetRevision(e, client.Revision+1, client.Epoch)
		return s.mayHandle(c, client.Scopes)
	})
	s.clients.Drop(id)
	if err != nil {
		return store.Client{}, clientProblem(err)
	}
	s.floors.Raise(c.Context(), client)
	audit.SetRevision(e, client.Revision, client.Epoch)
	s.did(c, *e)
	return client, nil
}

// adminUpdateClient lays the body over what the client is: members that are not named stay.
func (s *Server) adminUpdateClient(c *adminRequest) (edge.Response, error) {
	body, err := readJSON(c, &api.ClientSpec{})
	if err != nil {
		return edge.Response{}, err
	}
	e := store.Event{Type: "client.update", Detail: map[string]string{"members": memberNames(body)}}
	var warnings []string
	client, err := s.changeClient(c, &e, func(client *store.Client, now time.Time) (err error) {
		spec := specOf(*client)
		if err := decodeJSON(body, &spec); err != nil {
			return err
		}
		warnings, err = s.applySpec(spec, client, now)
		return err
	})
	if err != nil {
		return edge.Response{}, err
	}
	view := viewClient(client)
	view.Warnings = s.clientWarnings(c.Context(), client, warnings)
	return edge.Response{Body: view}, nil
}

func memberNames(object []byte) string {
	var members map[string]json.RawMessage
	_ = json.Unmarshal(object, &members) // it was decoded before
	return strings.Join(slices.Sorted(maps.Keys(members)), " ")
}

func (s *Server) adminDeleteClient(c *adminRequest) (edge.Response, error) {
	id := c.PathValue("id")
	client, err := s.store.Client(c.Context(), id)
	if err != nil {
		return edge.Response{}, clientProblem(err)
	}
	if err := s.mayHandle(c, client.Scopes); err != nil {
		return edge.Response{}, err
	}
	e := store.Event{Type: store.EventClientDelete, ClientID: id}
	err = s.store.DeleteClient(s.doing(c, &e), id)
	s.clients.Drop(id)
	if err != nil {
		return edge.Response{}, clientProblem(err)
	}
	s.floors.Raise(c.Context(), store.Client{ID: id, Scopes: client.Scopes, Revision: client.Revision + 1})
	s.did(c, e)
	return edge.Response{Status: http.StatusNoContent}, nil
}

// adminDisableClient ends the client's sessions and tokens as well: enabling it again is a new start.
func (s *Server) adminDisableClient(c *adminRequest) (edge.Response, error) {
	return s.switchClient(c, store.Event{Type: "client.disable"}, func(client *store.Client, _ time.Time) error {
		client.Disabled = true
		client.EndSessions()
		return nil
	})
}

func (s *Server) adminEnableClient(c *adminRequest) (edge.Response, error) {
	return s.switchClient(c, store.Event{Type: "client.enable"}, func(client *store.Client, _ time.Time) error {
		client.Disabled = false
		return nil
	})
}

func (s *Server) switchClient(c *adminRequest, e store.Event, change func(*store.Client, time.Time) error) (edge.Response, error) {
	client, err := s.changeClient(c, &e, change)
	if err != nil {
		return edge.Response{}, err
	}
	return edge.Response{Body: viewClient(client)}, nil
}

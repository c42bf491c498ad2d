package admin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"signet/keys"
	"signet/server/admin/api"
	"signet/server/admin/call"
	"signet/server/admin/clientspec"
	"signet/server/admin/input"
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
	rec          call.Recorder
	now          func() time.Time
	maxTokenLife time.Duration
	warnings     func(ctx context.Context, client store.Client, warnings []string) []string
}

// viewClient never shows a secret or its hash.
func viewClient(c store.Client) api.Client {
	view := api.Client{ClientSpec: clientspec.Of(c), Disabled: c.Disabled, Secrets: make([]api.SecretRecord, 0, liveSecrets),
		CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt, Revision: revision(c)}
	for _, secret := range c.Secrets {
		view.Secrets = append(view.Secrets, api.SecretRecord{CreatedAt: secret.CreatedAt, Fingerprint: secret.Fingerprint(), Unused: secret.Unused})
	}
	return view
}

// revision names what an operator can set on the client: another value is another revision. The first use of a secret is
// none, because it would be taken for the change of another operator. Stores of format 1 have no number to take instead.
func revision(c store.Client) string {
	hashes := make([][]byte, 0, liveSecrets)
	for _, secret := range c.Secrets {
		hashes = append(hashes, secret.Hash)
	}
	set, _ := json.Marshal([]any{clientspec.Of(c), c.Disabled, hashes, c.CreatedAt.UnixMilli()}) // the JWKS in it is that of the store
	sum := sha256.Sum256(set)
	return hex.EncodeToString(sum[:12])
}

// unchanged refuses a request whose If-Match names other revisions than that of the client (RFC 9110 §13.1.1).
func unchanged(r *call.Request, client store.Client) error {
	wanted := r.Header.Values("If-Match")
	if len(wanted) == 0 {
		return nil
	}
	for tag := range strings.SplitSeq(strings.Join(wanted, ","), ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || tag == `"`+revision(client)+`"` {
			return nil
		}
	}
	return &edge.Error{Status: http.StatusPreconditionFailed, Code: api.CodeChanged,
		Description: "the client was changed since it was read, and nothing was changed now: read it again"}
}

func (h *clients) list(r *call.Request) (edge.Response, error) {
	q, err := input.ReadQuery(r.Request, "after", "limit")
	if err != nil {
		return edge.Response{}, err
	}
	limit, err := q.Limit()
	if err != nil {
		return edge.Response{}, err
	}
	if after := q["after"]; after != "" && !syntax.ClientID(after) {
		return edge.Response{}, input.Invalid("after must be a client_id: the next of the page before")
	}
	all, err := h.store.ListClients(r.Context(), q["after"], limit+1)
	if err != nil {
		return edge.Response{}, err
	}
	all, next := input.Page(all, limit, func(r store.Client) string { return r.ID })
	views := make([]api.Client, 0, len(all))
	for _, client := range all {
		if client.ID == syntax.BrowserClient {
			continue
		}
		views = append(views, viewClient(client))
	}
	return edge.Response{Body: api.ClientList{Clients: views, Next: next}}, nil
}

func (h *clients) create(r *call.Request) (edge.Response, error) {
	var in api.NewClient
	if _, err := input.JSON(r.Request, &in); err != nil {
		return edge.Response{}, err
	}
	spec := in.ClientSpec
	clientspec.SetDefaults(&spec)
	now := store.Millis(h.now())
	client := store.Client{ID: spec.ID, Public: spec.Public, CreatedAt: now, UpdatedAt: now}
	warnings, err := h.apply(spec, &client)
	if err != nil {
		return edge.Response{}, err
	}
	if err := h.auth.mayHandle(r, client.Scopes); err != nil {
		return edge.Response{}, err
	}
	secret, err := firstSecret(&client, in.Secret)
	if err != nil {
		return edge.Response{}, err
	}
	client.Revision = max(client.Revision, h.keys.Records().Floors[client.ID]) // a client of this id was deleted
	e := store.Event{Type: store.EventClientCreate, ClientID: client.ID}
	err = h.store.CreateClient(h.rec.WithEvent(r, &e), client)
	h.cache.Drop(client.ID)
	if err != nil {
		return edge.Response{}, clientError(err)
	}
	h.floors.Raise(r.Context(), client)
	h.rec.OK(r, e)
	view := viewClient(client)
	if in.Secret == "" {
		view.Secret = secret
	}
	view.Warnings = h.warnings(r.Context(), client, warnings)
	return edge.Response{Status: http.StatusCreated, Body: view}, nil
}

// firstSecret gives a new client the secret that the caller has made, or one that it makes and returns, if it has one.
func firstSecret(client *store.Client, given string) (string, error) {
	if !clientspec.HasSecret(client.AuthMethods) {
		if given != "" {
			return "", input.Invalid("client_secret: this client has no secret; leave it out")
		}
		return "", nil
	}
	secret, err := secretOr(given)
	if err == nil {
		client.Secrets = []store.Secret{secretRecord(secret, client.CreatedAt)}
	}
	return secret, err
}

// apply is clientspec.Apply with the rules of this server.
func (h *clients) apply(spec api.ClientSpec, client *store.Client) (warnings []string, err error) {
	warnings, err = clientspec.Apply(spec, client, clientspec.Rules{Algorithms: h.keys.Algorithms(), MaxTokenLife: h.maxTokenLife})
	if err != nil {
		return nil, input.Invalid("%s", err)
	}
	return warnings, nil
}

// registered refuses the id of the browsers that are signed in at the login page. It is not registered, and cannot
// be changed.
func registered(id string) error {
	if id == syntax.BrowserClient {
		return clientError(store.ErrNotFound)
	}
	return nil
}

func (h *clients) show(r *call.Request) (edge.Response, error) {
	if err := registered(r.PathValue("id")); err != nil {
		return edge.Response{}, err
	}
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
func (h *clients) modify(r *call.Request, e *store.Event, change func(client *store.Client, now time.Time) error) (store.Client, error) {
	id, now := r.PathValue("id"), store.Millis(h.now())
	e.ClientID = id
	if err := registered(id); err != nil {
		return store.Client{}, err
	}
	client, err := h.store.UpdateClient(h.rec.WithEvent(r, e), id, func(client *store.Client) error {
		if err := h.floors.Check(*client); err != nil {
			return err
		}
		if err := h.auth.mayHandle(r, client.Scopes); err != nil {
			return err
		}
		if err := unchanged(r, *client); err != nil {
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
	h.rec.OK(r, *e)
	return client, nil
}

// update applies the members of the body to the client. Members that are not named stay.
func (h *clients) update(r *call.Request) (edge.Response, error) {
	body, err := input.JSON(r.Request, &api.ClientSpec{})
	if err != nil {
		return edge.Response{}, err
	}
	var members map[string]json.RawMessage
	_ = json.Unmarshal(body, &members) // it was decoded without an error before
	e := store.Event{Type: store.EventClientUpdate, Detail: map[string]string{"members": call.MemberNames(members)}}
	var warnings []string
	client, err := h.modify(r, &e, func(client *store.Client, _ time.Time) (err error) {
		spec := clientspec.Of(*client)
		if err := input.DecodeJSON(body, &spec); err != nil {
			return err
		}
		warnings, err = h.apply(spec, client)
		return err
	})
	if err != nil {
		return edge.Response{}, err
	}
	view := viewClient(client)
	view.Warnings = h.warnings(r.Context(), client, warnings)
	return edge.Response{Body: view}, nil
}

func (h *clients) delete(r *call.Request) (edge.Response, error) {
	id := r.PathValue("id")
	if err := registered(id); err != nil {
		return edge.Response{}, err
	}
	var client store.Client
	e := store.Event{Type: store.EventClientDelete, ClientID: id}
	err := h.store.DeleteClient(h.rec.WithEvent(r, &e), id, func(c store.Client) error {
		client = c
		if err := h.auth.mayHandle(r, c.Scopes); err != nil {
			return err
		}
		return unchanged(r, c)
	})
	h.cache.Drop(id)
	if err != nil {
		return edge.Response{}, clientError(err)
	}
	h.floors.Raise(r.Context(), store.Client{ID: id, Scopes: client.Scopes, Revision: client.Revision + 1})
	h.rec.OK(r, e)
	return edge.Response{Status: http.StatusNoContent}, nil
}

// disable ends the client's sessions and tokens as well. When it is enabled again its users log in anew.
func (h *clients) disable(r *call.Request) (edge.Response, error) {
	return h.switchState(r, store.Event{Type: store.EventClientDisable}, func(client *store.Client, _ time.Time) error {
		client.Disabled = true
		client.EndSessions()
		return nil
	})
}

func (h *clients) enable(r *call.Request) (edge.Response, error) {
	return h.switchState(r, store.Event{Type: store.EventClientEnable}, func(client *store.Client, _ time.Time) error {
		client.Disabled = false
		return nil
	})
}

func (h *clients) switchState(r *call.Request, e store.Event, change func(*store.Client, time.Time) error) (edge.Response, error) {
	client, err := h.modify(r, &e, change)
	if err != nil {
		return edge.Response{}, err
	}
	return edge.Response{Body: viewClient(client)}, nil
}

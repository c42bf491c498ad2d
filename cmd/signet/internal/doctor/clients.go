package doctor

import (
	"context"
	"slices"
	"strings"

	"signet/cmd/signet/internal/connect"
	"signet/config"
	"signet/server/admin/api"
	"signet/store"
)

// examineClients finds clients whose introspection responses cannot be signed: the aud of a response is the id of the
// client. If tokens for a service have that aud too, the response could be used as such a token.
func (d *doctor) examineClients(ctx context.Context, s store.Clients, cfg config.Config) {
	services := map[string]bool{}
	for _, audience := range cfg.Audience {
		services[audience] = true
	}
	var introspecting []string
	err := forEachClient(ctx, s, func(client store.Client) {
		for _, audience := range slices.Concat(client.Audiences, client.IntrospectFor) {
			services[audience] = true
		}
		if client.Introspect {
			introspecting = append(introspecting, client.ID)
		}
	})
	if err != nil {
		d.check("clients", err, "")
		return
	}
	for _, id := range introspecting {
		if services[id] {
			d.note("clients", stateWarning, "the client "+id+" may introspect, and its id is also an audience of tokens: it is answered with plain JSON, never signed; register it under another id")
		}
	}
}

func forEachClient(ctx context.Context, s store.Clients, each func(store.Client)) error {
	const page = 500
	for after := ""; ; {
		clients, err := s.ListClients(ctx, after, page)
		if err != nil {
			return err
		}
		for _, client := range clients {
			each(client)
		}
		if len(clients) < page {
			return nil
		}
		after = clients[len(clients)-1].ID
	}
}

// adminClients collects clients that may use the admin API, and those whose tokens /userinfo refuses.
type adminClients struct {
	all      []string // with signet:admin
	beside   []string // with scopes of the admin API and others; the former must be requested by name
	userinfo []string // with the password grant and without the audience of the server
}

func (f *adminClients) add(id string, grants, scopes, audiences []string, cfg config.Config) {
	isAdmin := api.IsScope
	if slices.Contains(scopes, api.ScopeAdmin) {
		f.all = append(f.all, id)
	}
	if slices.ContainsFunc(scopes, isAdmin) && slices.ContainsFunc(scopes, func(scope string) bool { return !isAdmin(scope) }) {
		f.beside = append(f.beside, id)
	}
	own := append([]string{cfg.Issuer}, cfg.Audience...)
	if slices.Contains(grants, "password") && len(audiences) > 0 && !slices.ContainsFunc(audiences, func(aud string) bool { return slices.Contains(own, aud) }) {
		f.userinfo = append(f.userinfo, id)
	}
}

func (f *adminClients) report(d *findings) {
	for _, id := range f.all {
		d.note("clients", stateWarning, id+" has the scope signet:admin, which is everything: narrow it to what it does, such as `signet client update "+
			id+" --scope signet:users`. It must name the scope in its request: none is given by default")
	}
	for _, id := range f.beside {
		d.note("clients", stateWarning, id+" has scopes of the admin API beside others: its requests must name them, and a token for one is for the admin API alone; a client of its own is better")
	}
	if len(f.userinfo) > 0 {
		d.note("clients", stateOK, "/userinfo refuses the tokens of "+strings.Join(f.userinfo, ", ")+", which are for other services; add the issuer to their audiences if their apps call it")
	}
}

// examineAdminClients reads the clients from an open store.
func (d *doctor) examineAdminClients(ctx context.Context, s store.Clients, cfg config.Config) {
	var found adminClients
	err := forEachClient(ctx, s, func(c store.Client) { found.add(c.ID, c.Grants, c.Scopes, c.Audiences, cfg) })
	if err != nil {
		d.check("clients", err, "")
		return
	}
	found.report(&d.findings)
}

// examineServing reads the clients from the running server.
func (d *doctor) examineServing(ctx context.Context, cfg config.Config) {
	var found adminClients
	err := connect.Socket(d.app, cfg.Admin.Socket).Clients(ctx, func(c api.Client) error {
		found.add(c.ID, c.Grants, c.Scopes, c.Audiences, cfg)
		return nil
	})
	if err != nil {
		d.note("clients", stateWarning, "they were not checked: "+err.Error())
		return
	}
	found.report(&d.findings)
}

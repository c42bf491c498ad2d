package doctor

import (
	"context"
	"slices"
	"strings"

	"signet/cmd/signet/internal/connect"
	"signet/config"
	"signet/server/admin/api"
	"signet/server/admin/clientspec"
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

// adminClients collects clients that may use the admin API, those whose tokens /userinfo refuses, and those that read passwords in
// browsers.
type adminClients struct {
	all      []string // with signet:admin
	beside   []string // with scopes of the admin API and others; the former must be requested by name
	userinfo []string // whose users' tokens are not for the server
	password []string // in browsers, with the password grant

	informed []api.ClientSpec // of logouts
}

func (f *adminClients) add(c api.ClientSpec, cfg config.Config) {
	isAdmin := api.IsScope
	if slices.Contains(c.Scopes, api.ScopeAdmin) {
		f.all = append(f.all, c.ID)
	}
	if slices.ContainsFunc(c.Scopes, isAdmin) && slices.ContainsFunc(c.Scopes, func(scope string) bool { return !isAdmin(scope) }) {
		f.beside = append(f.beside, c.ID)
	}
	own := append([]string{cfg.Issuer}, cfg.Audience...)
	isOwn := func(aud string) bool { return slices.Contains(own, aud) }
	if clientspec.BeginsSessions(c.Grants) && len(c.Audiences) > 0 && !slices.ContainsFunc(c.Audiences, isOwn) {
		f.userinfo = append(f.userinfo, c.ID)
	}
	if c.BackchannelLogoutURI != "" {
		f.informed = append(f.informed, c)
	}
	if clientspec.PasswordInBrowser(c) {
		f.password = append(f.password, c.ID)
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
	if len(f.password) > 0 {
		d.note("clients", stateWarning, "with the grant password, whatever runs in the pages of "+strings.Join(f.password, ", ")+
			" reads the passwords of users; move these apps to authorization_code (`signet client update ID --grant authorization_code,refresh_token --redirect-uri URI`)")
	}
	if len(f.userinfo) > 0 {
		d.note("clients", stateOK, "/userinfo refuses the tokens of "+strings.Join(f.userinfo, ", ")+", which are for other services; add the issuer to their audiences if their apps call it")
	}
}

// examineAdminClients reads the clients from an open store.
func (d *doctor) examineAdminClients(ctx context.Context, s store.Clients, cfg config.Config) {
	var found adminClients
	err := forEachClient(ctx, s, func(c store.Client) { found.add(clientspec.Of(c), cfg) })
	if err != nil {
		d.check("clients", err, "")
		return
	}
	found.report(&d.findings)
	d.examineLogoutURIs(ctx, found.informed, cfg)
}

// examineServing reads the clients from the running server.
func (d *doctor) examineServing(ctx context.Context, cfg config.Config) {
	var found adminClients
	err := connect.Socket(d.app, cfg.Admin.Socket).Clients(ctx, func(c api.Client) error {
		found.add(c.ClientSpec, cfg)
		return nil
	})
	if err != nil {
		d.note("clients", stateWarning, "they were not checked: "+err.Error())
		return
	}
	found.report(&d.findings)
	d.examineLogoutURIs(ctx, found.informed, cfg)
}

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

func (f *adminClients) report(d *doctor) {
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
	found.report(d)
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
	found.report(d)
}

package doctor

import (
	"context"
	"slices"

	"signet/config"
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

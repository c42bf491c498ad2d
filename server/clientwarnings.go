package server

import (
	"context"
	"slices"
	"strings"

	"signet/server/account"
	"signet/server/edge"
	"signet/server/oauth"
	"signet/store"
)

// clientWarnings adds what an operator should know of a client that was just written. A store that fails
// leaves the rest out: the change was made.
func (s *Server) clientWarnings(ctx context.Context, client store.Client, warnings []string) []string {
	if s.issuer.PinnedOut(&client) {
		warnings = append(warnings, "alg: no key signs with "+client.Alg+" any more, so this client can get no tokens; give it one of "+strings.Join(s.cfg.Keys.Algorithms(), ", ")+", or none")
	}
	if client.Introspect {
		if service, err := s.oauth.NamesService(ctx, client.ID); err == nil && service {
			warnings = append(warnings, "introspection answers this client with plain JSON, never signed: "+oauth.AnswersUnsigned+"; register it under another id")
		}
	}
	if slices.Contains(client.Scopes, account.ScopeOpenID) {
		if service, err := s.oauth.NamesService(ctx, client.ID); err == nil && service {
			warnings = append(warnings, "this client gets no id_token: "+oauth.NoIDToken+"; register it under another id")
		}
	}
	for _, audience := range slices.Concat(client.Audiences, client.IntrospectFor) {
		other, err := s.clients.Get(ctx, audience)
		if err == nil && other.Introspect && other.ID != client.ID {
			warnings = append(warnings, "the audience "+edge.QuoteShort(audience)+" is also the id of a client that may introspect: that client is answered with plain JSON now, never signed")
		}
	}
	return slices.Compact(warnings)
}

package server

import (
	"errors"
	"strconv"

	"signet/server/admin/api"
	"signet/server/edge"
	"signet/store"
)

// adminEndAllSessions ends every session of every user, and every token that was given out up to
// now, by one write for each client: each client's epoch rises. Broken off it can be
// done again; the clients that it came to are done.
func (s *Server) adminEndAllSessions(c *adminRequest) (edge.Response, error) {
	guard := guardStream(c)
	defer guard.close()
	if err := s.beginning(c, store.Event{Type: store.EventSessionRevokeEverybodyBegin}); err != nil {
		return edge.Response{}, err
	}
	ended := 0
	err := s.eachClient(c, guard, func(id string) error {
		now := store.Millis(s.now())
		_, err := s.store.UpdateClient(c.Context(), id, func(client *store.Client) error {
			client.UpdatedAt = now
			client.EndSessions()
			return nil
		})
		s.clients.Drop(id)
		if errors.Is(err, store.ErrNotFound) {
			return nil // deleted meanwhile: its sessions are over
		}
		ended++
		return err
	})
	detail := map[string]string{"clients": strconv.Itoa(ended)}
	if err != nil {
		detail[store.DetailReason] = asError(err).Reason()
		s.audit.Change(c.Request, store.Event{Type: store.EventSessionRevokeEverybody, Outcome: store.OutcomeUnknown, Actor: c.Actor, Detail: detail})
		return edge.Response{}, err
	}
	s.did(c, store.Event{Type: store.EventSessionRevokeEverybody, Detail: detail})
	return edge.Response{Body: api.ClientsEnded{Clients: ended}}, nil
}

// eachClient calls do for every client, which may take as long as there are clients.
func (s *Server) eachClient(c *adminRequest, guard *streamGuard, do func(id string) error) error {
	const page = 500
	for after := ""; ; {
		clients, err := s.store.ListClients(c.Context(), after, page)
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

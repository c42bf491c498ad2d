package server

import (
	"errors"
	"strconv"

	"signet/store"
)

// adminEndAllSessions ends every session of every user, and every token that was given out up to
// now, by one write for each client: each client's not-before moves to now. Broken off it can be
// done again; the clients that it came to are done.
func (s *Server) adminEndAllSessions(c *call) (reply, error) {
	ended := 0
	err := s.eachClient(c, func(id string) error {
		now := store.Millis(s.now())
		_, err := s.store.UpdateClient(c.Context(), id, func(client *store.Client) error {
			client.UpdatedAt, client.NotBefore = now, justAfter(now, client.NotBefore)
			return nil
		})
		s.clients.drop(id)
		if errors.Is(err, store.ErrNotFound) {
			return nil // deleted meanwhile: its sessions are over
		}
		ended++
		return err
	})
	if err != nil {
		return reply{}, err
	}
	s.did(c, event{Type: "session.revoke_everybody", Detail: map[string]string{"clients": strconv.Itoa(ended)}})
	return reply{body: map[string]int{"clients": ended}}, nil
}

// eachClient calls do for every client, which may take as long as there are clients.
func (s *Server) eachClient(c *call, do func(id string) error) error {
	const page = 500
	for after := ""; ; {
		clients, err := s.store.ListClients(c.Context(), after, page)
		if err != nil {
			return err
		}
		for _, client := range clients {
			c.extendDeadlines()
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

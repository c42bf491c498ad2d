package server

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"signet/server/edge"
	"signet/store"
)

// pinnedOut reports whether the client is pinned to an algorithm that nothing signs with, now or soon: its
// tokens cannot be signed, and another algorithm is not what its services verify.
func (s *Server) pinnedOut(client *store.Client) bool {
	return client.Alg != "" && !slices.Contains(s.cfg.Keys.Algorithms(), client.Alg) && !slices.Contains(s.cfg.Keys.Configured(), client.Alg)
}

// checkPinned refuses a token request of such a client before anything is consumed. No retry would help.
func (s *Server) checkPinned(client *store.Client) error {
	if !s.pinnedOut(client) {
		return nil
	}
	cause := fmt.Errorf("client %s is pinned to %s, and no key signs with it: change the client (`signet client update %s --alg ALG`), or add %s to algorithms",
		client.ID, client.Alg, client.ID, client.Alg)
	if _, again := s.pinnedNoted.LoadOrStore(client.ID+" "+client.Alg, true); !again {
		s.log.Error("a client cannot get tokens", slog.String("client_id", client.ID), slog.Any("error", cause))
	}
	return &edge.Error{Status: http.StatusBadRequest, Code: "unauthorized_client", Cause: cause,
		Description: "this client's tokens are to be signed with " + client.Alg + ", and this server no longer does; ask its operator to change the client"}
}

const (
	pinnedPage  = 1000
	pinnedNamed = 10 // of the clients, in one line of the log
)

// notePinned warns of clients that can get no tokens, before they ask.
func (s *Server) notePinned(ctx context.Context) {
	out, err := s.pinnedClients(ctx)
	if err != nil || len(out) == 0 {
		return // the store is watched elsewhere
	}
	named := out[:min(len(out), pinnedNamed)]
	s.log.WarnContext(ctx, "clients are pinned to an algorithm that no key signs with, and can get no tokens: change them with `signet client update ID --alg ALG`, or add it to algorithms",
		slog.Int("clients", len(out)), slog.String("client_ids", strings.Join(named, " ")))
}

func (s *Server) pinnedClients(ctx context.Context) (ids []string, err error) {
	for after := ""; ; {
		page, err := s.store.ListClients(ctx, after, pinnedPage)
		if err != nil {
			return nil, err
		}
		for i := range page {
			if s.pinnedOut(&page[i]) {
				ids = append(ids, page[i].ID)
			}
		}
		if len(page) < pinnedPage {
			return ids, nil
		}
		after = page[len(page)-1].ID
	}
}

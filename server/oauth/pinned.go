package oauth

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"signet/server/edge"
	"signet/store"
)

// checkPinned refuses a token request of such a client before anything is consumed. No retry would help.
func (h *shared) checkPinned(client *store.Client) error {
	if !h.cfg.Tokens.PinnedOut(client) {
		return nil
	}
	cause := fmt.Errorf("client %s is pinned to %s, and no key signs with it: change the client (`signet client update %s --alg ALG`), or add %s to algorithms",
		client.ID, client.Alg, client.ID, client.Alg)
	if _, again := h.pinnedNoted.LoadOrStore(client.ID+" "+client.Alg, true); !again {
		h.cfg.Log.Error("a client cannot get tokens", slog.String("client_id", client.ID), slog.Any("error", cause))
	}
	return &edge.Error{Status: http.StatusBadRequest, Code: "unauthorized_client", Cause: cause,
		Description: "this client's tokens are to be signed with " + client.Alg + ", and this server no longer does; ask its operator to change the client"}
}

const (
	pinnedPage  = 1000
	pinnedNamed = 10 // of the clients, in one line of the log
)

// WarnPinned warns of clients that can get no tokens, before they ask.
func (h *shared) WarnPinned(ctx context.Context) {
	out, err := h.pinnedClients(ctx)
	if err != nil || len(out) == 0 {
		return // the store is watched elsewhere
	}
	named := out[:min(len(out), pinnedNamed)]
	h.cfg.Log.WarnContext(ctx, "clients are pinned to an algorithm that no key signs with, and can get no tokens: change them with `signet client update ID --alg ALG`, or add it to algorithms",
		slog.Int("clients", len(out)), slog.String("client_ids", strings.Join(named, " ")))
}

func (h *shared) pinnedClients(ctx context.Context) (ids []string, err error) {
	for after := ""; ; {
		page, err := h.cfg.Store.ListClients(ctx, after, pinnedPage)
		if err != nil {
			return nil, err
		}
		for i := range page {
			if h.cfg.Tokens.PinnedOut(&page[i]) {
				ids = append(ids, page[i].ID)
			}
		}
		if len(page) < pinnedPage {
			return ids, nil
		}
		after = page[len(page)-1].ID
	}
}

package clientauth

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"signet/keys"
	"signet/server/admin/api"
	"signet/store"
)

// Floors keep old records of clients out. A client with rights over Signet itself must not come back as it was: an old
// record of it verifies, and may have a secret that was revoked or a right that was taken. So the keyring has the least
// revision that counts of each such client, which rises with each change of it.
type Floors struct {
	keys  *keys.Manager
	store store.Clients
	log   *slog.Logger
}

// NewFloors returns the Floors of a keyring.
func NewFloors(keyring *keys.Manager, clients store.Clients, log *slog.Logger) *Floors {
	return &Floors{keyring, clients, log}
}

func hasRights(c store.Client) bool {
	return slices.ContainsFunc(c.Scopes, api.IsScope)
}

// Check refuses a record that is older than it must be.
func (f *Floors) Check(c store.Client) error {
	floor, known := f.keys.Records().Floors[c.ID]
	if !known || c.Revision >= floor {
		return nil
	}
	f.log.Error("a client's record is older than it must be: it is refused. An older copy was put back into the store",
		slog.String("client_id", c.ID), slog.Uint64("revision", uint64(c.Revision)), slog.Uint64("least", uint64(floor)))
	return fmt.Errorf("%w: client %q has revision %d, and at least %d is known", store.ErrUnavailable, c.ID, c.Revision, floor)
}

// Raise notes a change of a client that has, or had, such rights.
func (f *Floors) Raise(ctx context.Context, c store.Client) {
	records := f.keys.Records()
	if _, known := records.Floors[c.ID]; !records.Sealed || !known && !hasRights(c) {
		return
	}
	if err := f.keys.Edit().RaiseFloors(ctx, map[string]uint32{c.ID: c.Revision}); err != nil {
		f.log.Warn("noting the revision of a client", slog.String("client_id", c.ID), slog.Any("error", err)) // RaiseAll does it later
	}
}

// RaiseAll does what Raise could not do.
func (f *Floors) RaiseAll(ctx context.Context) error {
	records := f.keys.Records()
	if !records.Sealed {
		return nil
	}
	floors := map[string]uint32{}
	const page = 500
	for after := ""; ; {
		clients, err := f.store.ListClients(ctx, after, page)
		if err != nil {
			return err
		}
		for _, c := range clients {
			if _, known := records.Floors[c.ID]; known || hasRights(c) {
				floors[c.ID] = c.Revision
			}
		}
		if len(clients) < page {
			break
		}
		after = clients[len(clients)-1].ID
	}
	return f.keys.Edit().RaiseFloors(ctx, floors)
}

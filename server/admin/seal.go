package admin

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"signet/keys"
	"signet/server/admin/api"
	"signet/server/admin/call"
	"signet/server/clientauth"
	"signet/server/edge"
	"signet/server/replica"
	"signet/store"
)

// sealWait bounds how long the other replicas may take to follow a raised format: several polls and
// heartbeats.
const sealWait = 2 * time.Minute

// sealing seals the records of the store.
type sealing struct {
	store   store.Store
	sealed  bool // the store's records can have seals
	keys    *keys.Manager
	replica *replica.Replica
	floors  *clientauth.Floors
	rec     call.Recorder
	log     *slog.Logger
}

// start gives every record of the store a seal under the master key in use, and has records without one refused from
// then on. It refuses while a replica of an older version runs, which could not read the records any more. After an
// interruption it can be started again, and where nothing is to be done it does nothing.
func (h *sealing) start(r *call.Request) (edge.Response, error) {
	sealer, ok := h.store.(store.Sealer)
	if !ok || !h.sealed {
		return edge.Response{}, &edge.Error{Status: http.StatusNotImplemented, Code: api.CodeUnsupported, Description: "this store has no seals"}
	}
	beats, err := h.replica.Live(r.Context())
	if err != nil {
		return edge.Response{}, err
	}
	var older []string
	for _, b := range beats {
		if b.Replica != h.replica.ID() && b.Format == 0 {
			older = append(older, b.Replica)
		}
	}
	if len(older) > 0 {
		return edge.Response{}, call.Conflict("replicas of an older version run, which cannot read sealed records: bring %s up to date first "+
			"(one that has stopped is forgotten within a minute); nothing was changed", strings.Join(older, ", "))
	}
	header := http.Header{"Content-Type": {"application/x-ndjson"}}
	return edge.Response{Header: header, Stream: func(w http.ResponseWriter) error { return h.run(r, w, sealer) }}, nil
}

// run seals and sends its progress.
func (h *sealing) run(r *call.Request, w http.ResponseWriter, sealer store.Sealer) error {
	guard := call.NewGuard(r)
	defer guard.Close()
	guard.Send()
	out := json.NewEncoder(w)
	send := func(p api.SealProgress) {
		_ = guard.Extend()
		_ = out.Encode(p) // the caller may have gone; the step that has begun goes on
		_ = http.NewResponseController(w).Flush()
	}
	done, err := h.steps(r.Context(), sealer, send)
	if err != nil {
		h.log.Error("sealing the store", "error", err)
		send(api.SealProgress{Step: "seal", Looked: done.Looked, Sealed: done.Sealed, Error: err.Error()})
		return nil // the last line has the error
	}
	h.rec.OK(r, store.Event{Type: store.EventStoreSeal, Detail: map[string]string{"records": strconv.Itoa(done.Looked), "sealed": strconv.Itoa(done.Sealed)}})
	send(api.SealProgress{Step: "done", Looked: done.Looked, Sealed: done.Sealed, Done: true})
	return nil
}

func (h *sealing) steps(ctx context.Context, sealer store.Sealer, send func(api.SealProgress)) (done store.Sealing, err error) {
	if err := sealer.RaiseFormat(ctx, store.Format2); err != nil {
		return done, err
	}
	h.replica.Beat(ctx)
	if err := h.awaitFormat(ctx, send); err != nil {
		return done, err
	}
	progress := func(now store.Sealing) {
		send(api.SealProgress{Step: "seal", Looked: done.Looked + now.Looked, Sealed: done.Sealed + now.Sealed})
	}
	for { // until a walk finds nothing: a replica may have written one more record in the old format
		walk, err := sealer.SealRecords(ctx, progress)
		done.Looked, done.Sealed = max(done.Looked, walk.Looked), done.Sealed+walk.Sealed
		if err != nil {
			return done, err
		}
		if walk.Sealed == 0 {
			break
		}
	}
	if err := h.keys.Edit().SealRecords(ctx); err != nil {
		return done, err
	}
	h.replica.Beat(ctx)
	return done, h.floors.RaiseAll(ctx)
}

// awaitFormat waits until every live replica writes the new format.
func (h *sealing) awaitFormat(ctx context.Context, send func(api.SealProgress)) error {
	for deadline := time.Now().Add(sealWait); ; {
		beats, err := h.replica.Live(ctx)
		if err != nil {
			return err
		}
		var waiting []string
		for _, b := range beats {
			if b.Format < store.Format2 {
				waiting = append(waiting, b.Replica)
			}
		}
		if len(waiting) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return call.Conflict("these replicas do not write the new format yet: %s; see their logs, and run this again", strings.Join(waiting, ", "))
		}
		send(api.SealProgress{Step: "wait", Waiting: waiting})
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

package server

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"signet/server/admin/api"
	"signet/server/edge"
	"signet/store"
)

// sealWait bounds how long the other replicas may take to follow a raised format: several polls and
// heartbeats.
const sealWait = 2 * time.Minute

// adminSeal gives every record of the store a seal under the master key in use, and has records without one
// refused from then on. It refuses while a replica of an older version runs, which could not read the
// records any more. It may be broken off and begun again, and does nothing where nothing is to be done.
func (s *Server) adminSeal(c *adminRequest) (edge.Response, error) {
	if _, err := readJSON(c, &struct{}{}); err != nil {
		return edge.Response{}, err
	}
	sealer, ok := s.store.(store.Sealer)
	if !ok || s.cfg.Seals == nil {
		return edge.Response{}, &edge.Error{Status: http.StatusNotImplemented, Code: api.CodeUnsupported, Description: "this store has no seals"}
	}
	beats, err := s.replica.Live(c.Context())
	if err != nil {
		return edge.Response{}, err
	}
	var older []string
	for _, b := range beats {
		if b.Replica != s.replica.ID() && b.Format == 0 {
			older = append(older, b.Replica)
		}
	}
	if len(older) > 0 {
		return edge.Response{}, adminRefused("replicas of an older version run, which cannot read sealed records: bring %s up to date first "+
			"(one that has stopped is forgotten within a minute); nothing was changed", strings.Join(older, ", "))
	}
	h := http.Header{"Content-Type": {"application/x-ndjson"}}
	return edge.Response{Header: h, Stream: func(w http.ResponseWriter) error { return s.seal(c, w, sealer) }}, nil
}

func (s *Server) seal(c *adminRequest, w http.ResponseWriter, sealer store.Sealer) error {
	guard := guardStream(c)
	defer guard.close()
	guard.send()
	out := json.NewEncoder(w)
	send := func(p api.SealProgress) {
		_ = guard.extend()
		_ = out.Encode(p) // whoever asked may have gone; what has begun goes on until the next step
		_ = http.NewResponseController(w).Flush()
	}
	done, err := s.sealSteps(c.Context(), sealer, send)
	if err != nil {
		s.log.Error("sealing the store", "error", err)
		send(api.SealProgress{Step: "seal", Looked: done.Looked, Sealed: done.Sealed, Error: err.Error()})
		return nil // the line tells it
	}
	s.did(c, store.Event{Type: store.EventStoreSeal, Detail: map[string]string{"records": strconv.Itoa(done.Looked), "sealed": strconv.Itoa(done.Sealed)}})
	send(api.SealProgress{Step: "done", Looked: done.Looked, Sealed: done.Sealed, Done: true})
	return nil
}

func (s *Server) sealSteps(ctx context.Context, sealer store.Sealer, send func(api.SealProgress)) (done store.Sealing, err error) {
	if err := sealer.RaiseFormat(ctx, store.Format2); err != nil {
		return done, err
	}
	s.replica.Beat(ctx)
	if err := s.awaitFormat(ctx, send); err != nil {
		return done, err
	}
	progress := func(now store.Sealing) {
		send(api.SealProgress{Step: "seal", Looked: done.Looked + now.Looked, Sealed: done.Sealed + now.Sealed})
	}
	for { // until a walk finds nothing: a replica may have written one record more in the old format
		walk, err := sealer.SealRecords(ctx, progress)
		done.Looked, done.Sealed = max(done.Looked, walk.Looked), done.Sealed+walk.Sealed
		if err != nil {
			return done, err
		}
		if walk.Sealed == 0 {
			break
		}
	}
	if err := s.cfg.Keys.Edit().SealRecords(ctx); err != nil {
		return done, err
	}
	s.replica.Beat(ctx)
	return done, s.floors.RaiseAll(ctx)
}

// awaitFormat waits until every replica that runs says that it writes the new format.
func (s *Server) awaitFormat(ctx context.Context, send func(api.SealProgress)) error {
	for deadline := time.Now().Add(sealWait); ; {
		beats, err := s.replica.Live(ctx)
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
			return adminRefused("these replicas do not write the new format yet: %s; see their logs, and run this again", strings.Join(waiting, ", "))
		}
		send(api.SealProgress{Step: "wait", Waiting: waiting})
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

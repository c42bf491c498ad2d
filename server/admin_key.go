package server

import (
	"context"
	"net/http"
	"time"

	"signet/server/admin/api"
	"signet/server/edge"
	"signet/store"
)

func (s *Server) adminListKeys(c *adminRequest) (edge.Response, error) {
	list, err := s.listKeys(c.Context())
	if err != nil {
		return edge.Response{}, err
	}
	return edge.Response{Body: list}, nil
}

func (s *Server) listKeys(ctx context.Context) (api.KeyList, error) {
	beats, err := s.replica.Live(ctx)
	if err != nil {
		return api.KeyList{}, err
	}
	list := api.KeyList{Version: s.cfg.Keys.Version(), Keys: []api.Key{}, Replicas: make([]api.Replica, 0, len(beats))}
	for _, b := range beats {
		list.Replicas = append(list.Replicas, api.Replica(b))
	}
	for _, k := range s.cfg.Keys.Keys() {
		list.Keys = append(list.Keys, api.Key{KID: k.KID, Alg: k.Alg, State: string(k.State), Held: k.Held, Since: k.Since, CreatedAt: k.CreatedAt,
			PublishedAt: k.PublishAt, ActivatesAt: k.ActivateAt, RetiresAt: k.RetireAt, RemovedAt: k.RemoveAt, Next: k.Next, NextAt: k.NextAt})
	}
	return list, nil
}

// adminRotateKeys has the next key sign as soon as every verifier must have it, and says when that
// is. Without an alg it does so for all of them. Asked twice it answers the same. In an emergency the
// next key signs at once, and asked twice it rotates twice.
func (s *Server) adminRotateKeys(c *adminRequest) (edge.Response, error) {
	var in api.KeyRotation
	if _, err := readJSON(c, &in); err != nil {
		return edge.Response{}, err
	}
	algs := s.cfg.Keys.Algorithms()
	if in.Alg != "" {
		algs = []string{in.Alg}
	}
	var now []api.Rotation
	var activates time.Time
	var err error
	if in.Emergency {
		now, err = s.rotateKeysNow(c, algs)
	} else {
		activates, err = s.rotateKeys(c, algs)
	}
	if err != nil {
		return edge.Response{}, err
	}
	list, err := s.listKeys(c.Context())
	if err != nil {
		return edge.Response{}, err
	}
	return edge.Response{Status: http.StatusAccepted, Body: api.RotatedKeys{KeyList: list, ActivatesAt: activates, Rotations: now}}, nil
}

// rotateKeys returns when the last of the new keys signs.
func (s *Server) rotateKeys(c *adminRequest, algs []string) (activates time.Time, err error) {
	for _, alg := range algs {
		e := store.Event{Type: store.EventKeysRotate, Detail: map[string]string{"alg": alg}}
		at, err := s.cfg.Keys.Edit().Rotate(s.doing(c, &e), alg)
		if err != nil {
			return time.Time{}, s.rotationProblem(err)
		}
		e.Detail["activates_at"] = at.UTC().Format(time.RFC3339)
		s.did(c, e)
		activates = laterOf(activates, at)
	}
	s.replica.Beat(c.Context())
	return activates, nil
}

func laterOf(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

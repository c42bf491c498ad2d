package server

import (
	"context"
	"net/http"
	"time"

	"signet/keys"
	"signet/server/edge"
	"signet/store"
)

// keyView is what an operator sees of a signing key. A time that is not planned is left out.
type keyView struct {
	KID         string     `json:"kid"`
	Alg         string     `json:"alg"`
	State       keys.State `json:"state"`
	Held        string     `json:"held"`  // where the private half is: local, or hsm
	Since       time.Time  `json:"since"` // in that state
	CreatedAt   time.Time  `json:"created_at"`
	PublishedAt time.Time  `json:"published_at,omitzero"`
	ActivatesAt time.Time  `json:"activates_at,omitzero"`
	RetiresAt   time.Time  `json:"retires_at,omitzero"`
	RemovedAt   time.Time  `json:"removed_at,omitzero"`
	Next        string     `json:"next,omitempty"`
	NextAt      time.Time  `json:"next_at,omitzero"`
}

type keyList struct {
	Version     uint64            `json:"version"`
	Keys        []keyView         `json:"keys"`
	Replicas    []store.Heartbeat `json:"replicas"`
	ActivatesAt time.Time         `json:"activates_at,omitzero"` // of the key that a rotation brings on
	Rotations   []keys.Rotation   `json:"rotations,omitempty"`   // what an emergency rotation did
}

func (s *Server) adminListKeys(c *adminRequest) (edge.Response, error) {
	list, err := s.listKeys(c.Context())
	if err != nil {
		return edge.Response{}, err
	}
	return edge.Response{Body: list}, nil
}

func (s *Server) listKeys(ctx context.Context) (keyList, error) {
	beats, err := s.liveBeats(ctx)
	if err != nil {
		return keyList{}, err
	}
	list := keyList{Version: s.cfg.Keys.Version(), Keys: []keyView{}, Replicas: append([]store.Heartbeat{}, beats...)}
	for _, k := range s.cfg.Keys.Keys() {
		list.Keys = append(list.Keys, keyView{k.KID, k.Alg, k.State, k.Held, k.Since, k.CreatedAt, k.PublishAt, k.ActivateAt, k.RetireAt, k.RemoveAt, k.Next, k.NextAt})
	}
	return list, nil
}

// adminRotateKeys has the next key sign as soon as every verifier must have it, and says when that
// is. Without an alg it does so for all of them. Asked twice it answers the same. In an emergency the
// next key signs at once, and asked twice it rotates twice.
func (s *Server) adminRotateKeys(c *adminRequest) (edge.Response, error) {
	var in struct {
		Alg       string `json:"alg"`
		Emergency bool   `json:"emergency"`
	}
	if _, err := readJSON(c, &in); err != nil {
		return edge.Response{}, err
	}
	algs := s.cfg.Keys.Algorithms()
	if in.Alg != "" {
		algs = []string{in.Alg}
	}
	var now []keys.Rotation
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
	list.ActivatesAt, list.Rotations = activates, now
	return edge.Response{Status: http.StatusAccepted, Body: list}, nil
}

// rotateKeys returns when the last of the new keys signs.
func (s *Server) rotateKeys(c *adminRequest, algs []string) (activates time.Time, err error) {
	for _, alg := range algs {
		at, err := s.cfg.Keys.Rotate(c.Context(), alg)
		if err != nil {
			return time.Time{}, s.rotationProblem(err)
		}
		s.did(c, event{Type: "keys.rotate", Detail: map[string]string{"alg": alg, "activates_at": at.UTC().Format(time.RFC3339)}})
		activates = laterOf(activates, at)
	}
	s.beat(c.Context())
	return activates, nil
}

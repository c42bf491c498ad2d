package server

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"signet/keys/rotation"
	"signet/server/admin/api"
	"signet/server/edge"
	"signet/store"
)

// adminRevokeKey takes a key out of service in one step. Whether the other replicas have followed is
// in GET /v1/keys: those whose keyring_version is not below the version of this answer have.
func (s *Server) adminRevokeKey(c *adminRequest) (edge.Response, error) {
	var in api.KeyRevocation
	if _, err := readJSON(c, &in); err != nil {
		return edge.Response{}, err
	}
	e := store.Event{Type: store.EventKeysRevoke}
	ctx := s.doing(c, &e)
	e.KeyID = c.PathValue("kid")
	done, err := s.cfg.Keys.Edit().Revoke(ctx, e.KeyID, rotation.RevokeOptions{Emergency: in.Emergency})
	if err != nil {
		return edge.Response{}, keyProblem(err)
	}
	e.Detail = map[string]string{"alg": done.Alg, "was": string(done.Was)}
	if done.Signer != nil {
		e.Detail["signer"] = done.Signer.KID
	}
	c.KeyID = done.KID
	s.did(c, e)
	s.replica.Beat(c.Context()) // so that a caller who waits need not wait for this replica
	return edge.Response{Body: viewRevocation(done, s.cfg.Keys.Timetable())}, nil
}

func viewRevocation(r rotation.Revocation, tt rotation.Timetable) api.RevokedKey {
	return api.RevokedKey{KID: r.KID, Alg: r.Alg, Was: string(r.Was), At: r.At, Version: r.Version,
		Signer: (*api.Successor)(r.Signer), Standby: (*api.Successor)(r.Standby), Exposure: api.Exposure(r.Exposure), Unread: api.Exposure(r.Unread),
		Aged:      r.Signer == nil || r.Signer.Aged(r.At),
		CacheTime: (tt.CDN + tt.Cache).String(), PublishTime: tt.Publish.String(),
		ServeStale: tt.ServeStale.String(), SignStale: tt.SignStale.String(), MaxTokenLife: tt.MaxTokenLife.String()}
}

// rotateKeysNow is adminRotateKeys in an emergency.
func (s *Server) rotateKeysNow(c *adminRequest, algs []string) ([]api.Rotation, error) {
	done := []api.Rotation{}
	for _, alg := range algs {
		e := store.Event{Type: store.EventKeysRotate, Detail: map[string]string{"alg": alg, "emergency": "true"}}
		r, err := s.cfg.Keys.Edit().RotateNow(s.doing(c, &e), alg)
		if err != nil {
			return nil, s.rotationProblem(err)
		}
		c.KeyID = r.Signer.KID
		e.Detail["retired"] = r.Retired
		s.did(c, e)
		done = append(done, api.Rotation{Alg: r.Alg, At: r.At, Version: r.Version, Retired: r.Retired,
			Signer: (*api.Successor)(r.Signer), Standby: (*api.Successor)(r.Standby)})
	}
	s.replica.Beat(c.Context())
	return done, nil
}

func (s *Server) rotationProblem(err error) error {
	if errors.Is(err, rotation.ErrAlgorithm) {
		return adminInvalid("alg must be empty or one of the server's: %s", strings.Join(s.cfg.Keys.Algorithms(), ", "))
	}
	return keyProblem(err)
}

// keyProblem puts what the keyring says of a key in words.
func keyProblem(err error) error {
	var young *rotation.NotAgedError
	var crowded *rotation.CrowdedError
	switch {
	case errors.Is(err, rotation.ErrUnknownKey):
		return adminNotFound("there is no key of that kid; GET /v1/keys lists them")
	case errors.Is(err, rotation.ErrRevoked):
		return adminRefused("this key was revoked already; nothing was changed")
	case errors.Is(err, rotation.ErrGone):
		return adminRefused("this key has left the key set already, at the end of its life; nothing was changed")
	case errors.As(err, &young):
		return adminRefused("%s", notAged(young))
	case errors.As(err, &crowded):
		return adminRefused("there are as many %s keys in the key set as verifiers are known to keep, and one leaves at %s: "+
			"rotate after that, or revoke a retired one; nothing was changed", crowded.Alg, crowded.Until.UTC().Format(time.RFC3339))
	}
	return err
}

// notAged says what will happen to whom if the operator goes on, and what it takes to.
func notAged(e *rotation.NotAgedError) string {
	const harm = "revoked now, verifiers that fetch the key set for an unknown kid go on, and others refuse new tokens until they fetch it; " +
		"to do that all the same, repeat it as an emergency (--emergency); nothing was changed"
	if e.KID == "" {
		return "this is the only " + e.Alg + " key and nothing has been published that could sign in its place: " + harm
	}
	return "the next " + e.Alg + " key, " + e.KID + ", is published since " + e.PublishedAt.UTC().Format(time.RFC3339) +
		" and not every verifier has it before " + e.KnownAt.UTC().Format(time.RFC3339) + ": " + harm
}

// adminRefused is for what makes sense but cannot be done as things are.
func adminRefused(format string, args ...any) *edge.Error {
	e := adminInvalid(format, args...)
	e.Status, e.Code = http.StatusConflict, api.CodeRefused
	return e
}

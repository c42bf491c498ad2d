package keyring

import (
	"errors"
	"strings"
	"time"

	"signet/keys/rotation"
	"signet/keys/timetable"
	"signet/server/admin/api"
	"signet/server/admin/call"
	"signet/server/admin/input"
	"signet/server/edge"
	"signet/store"
)

// Revoke takes a key out of service in one step. GET /v1/keys shows whether the other replicas have followed: those
// whose keyring_version is at least the version of this response.
func (h *Keyring) Revoke(r *call.Request) (edge.Response, error) {
	var in api.KeyRevocation
	if _, err := input.JSON(r.Request, &in); err != nil {
		return edge.Response{}, err
	}
	e := store.Event{Type: store.EventKeysRevoke}
	ctx := h.rec.WithEvent(r, &e)
	e.KeyID = r.PathValue("kid")
	done, err := h.keys.Edit().Revoke(ctx, e.KeyID, rotation.RevokeOptions{Emergency: in.Emergency})
	if err != nil {
		return edge.Response{}, keyError(err)
	}
	e.Detail = map[string]string{"alg": done.Alg, "was": string(done.Was)}
	if done.Signer != nil {
		e.Detail["signer"] = done.Signer.KID
	}
	r.KeyID = done.KID
	h.rec.OK(r, e)
	h.replica.Beat(r.Context()) // so that a caller who waits need not wait for this replica
	return edge.Response{Body: viewRevocation(done, h.keys.Timetable())}, nil
}

func viewRevocation(r rotation.Revocation, tt timetable.Timetable) api.RevokedKey {
	return api.RevokedKey{KID: r.KID, Alg: r.Alg, Was: string(r.Was), At: r.At, Version: r.Version,
		Signer: (*api.Successor)(r.Signer), Standby: (*api.Successor)(r.Standby), Exposure: api.Exposure(r.Exposure), Unread: api.Exposure(r.Unread),
		Aged:      r.Signer == nil || r.Signer.Aged(r.At),
		CacheTime: (tt.CDN + tt.Cache).String(), PublishTime: tt.Publish.String(),
		ServeStale: tt.ServeStale.String(), SignStale: tt.SignStale.String(), MaxTokenLife: tt.MaxTokenLife.String()}
}

// rotateKeysNow is Rotate in an emergency.
func (h *Keyring) rotateKeysNow(r *call.Request, algs []string) ([]api.Rotation, error) {
	done := []api.Rotation{}
	for _, alg := range algs {
		e := store.Event{Type: store.EventKeysRotate, Detail: map[string]string{"alg": alg, "emergency": "true"}}
		rotated, err := h.keys.Edit().RotateNow(h.rec.WithEvent(r, &e), alg)
		if err != nil {
			return nil, h.rotationError(err)
		}
		r.KeyID = rotated.Signer.KID
		e.Detail["retired"] = rotated.Retired
		h.rec.OK(r, e)
		done = append(done, api.Rotation{Alg: rotated.Alg, At: rotated.At, Version: rotated.Version, Retired: rotated.Retired,
			Signer: (*api.Successor)(rotated.Signer), Standby: (*api.Successor)(rotated.Standby)})
	}
	h.replica.Beat(r.Context())
	return done, nil
}

func (h *Keyring) rotationError(err error) error {
	if errors.Is(err, rotation.ErrAlgorithm) {
		return input.Invalid("alg must be empty or one of the server's: %s", strings.Join(h.keys.Algorithms(), ", "))
	}
	return keyError(err)
}

// keyError words an error of the keyring about a key.
func keyError(err error) error {
	var young *rotation.NotAgedError
	var crowded *rotation.CrowdedError
	switch {
	case errors.Is(err, rotation.ErrUnknownKey):
		return call.NotFound("there is no key of that kid; GET /v1/keys lists them")
	case errors.Is(err, rotation.ErrRevoked):
		return call.Conflict("this key was revoked already; nothing was changed")
	case errors.Is(err, rotation.ErrGone):
		return call.Conflict("this key has left the key set already, at the end of its life; nothing was changed")
	case errors.As(err, &young):
		return call.Conflict("%s", notAged(young))
	case errors.As(err, &crowded):
		return call.Conflict("there are as many %s keys in the key set as verifiers are known to keep, and one leaves at %s: "+
			"rotate after that, or revoke a retired one; nothing was changed", crowded.Alg, crowded.Until.UTC().Format(time.RFC3339))
	}
	return err
}

// notAged words what will happen if the operator goes on, and how to do so.
func notAged(e *rotation.NotAgedError) string {
	const harm = "revoked now, verifiers that fetch the key set for an unknown kid go on, and others refuse new tokens until they fetch it; " +
		"to do that all the same, repeat it as an emergency (--emergency); nothing was changed"
	if e.KID == "" {
		return "this is the only " + e.Alg + " key and nothing has been published that could sign in its place: " + harm
	}
	return "the next " + e.Alg + " key, " + e.KID + ", is published since " + e.PublishedAt.UTC().Format(time.RFC3339) +
		" and not every verifier has it before " + e.KnownAt.UTC().Format(time.RFC3339) + ": " + harm
}

// Rewrap seals the keyring under the first master key, and with it the refresh tokens that are made from now on. It
// refuses while any replica lacks that key: it would lock that one out.
func (h *Keyring) Rewrap(r *call.Request) (edge.Response, error) {
	hints := h.keys.MasterKeyHints()
	if h.keys.MasterKeyInUse() != 0 {
		if err := h.allHave(r, hints[0]); err != nil {
			return edge.Response{}, err
		}
	}
	e := store.Event{Type: store.EventKeysRewrap, Detail: map[string]string{"master_key": hints[0]}}
	done, err := h.keys.Edit().Rewrap(h.rec.WithEvent(r, &e))
	if err != nil {
		return edge.Response{}, err
	}
	if done.Changed {
		h.rec.OK(r, e)
	} else {
		h.rec.Audit.Drop(e) // the keyring was written for another reason
	}
	h.replica.Beat(r.Context())
	view := api.RewrappedKeys{At: done.At, Version: done.Version, Changed: done.Changed, MasterKeys: hints}
	if len(hints) > 1 {
		view.NeededUntil = done.At.Add(h.lifetimes().Absolute)
	}
	return edge.Response{Body: view}, nil
}

// allHave refuses while a live replica lacks the master key.
func (h *Keyring) allHave(r *call.Request, hint string) error {
	beats, err := h.replica.Live(r.Context())
	if err != nil {
		return err
	}
	var without []string
	for _, b := range beats {
		if b.Replica != h.replica.ID() && !strings.Contains(b.MasterKeys, hint) {
			without = append(without, b.Replica)
		}
	}
	if len(without) > 0 {
		return call.Conflict("not every replica has the new master key %s: give it to %s first, in front of the old one "+
			"(one that has stopped is forgotten within a minute); nothing was changed", hint, strings.Join(without, ", "))
	}
	return nil
}

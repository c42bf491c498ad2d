package admin

import (
	"bytes"
	"crypto/sha256"
	"net/http"
	"slices"
	"time"

	"signet/server/admin/api"
	"signet/server/admin/call"
	"signet/server/admin/clientspec"
	"signet/server/admin/input"
	"signet/server/clientauth"
	"signet/server/edge"
	"signet/store"
)

// liveSecrets is how many secrets of one client are valid at once: the new one, and the one before it while that is
// still in use somewhere.
const liveSecrets = 2

// rotateSecret gives the client a new secret, shown this once. The one before it stays valid. Beyond liveSecrets the
// oldest is dropped, but not while the newest has never been used: its response was lost or it was not deployed, and to
// drop the oldest would lock the app out.
func (h *clients) rotateSecret(r *call.Request) (edge.Response, error) {
	var in api.SecretRotation
	if _, err := input.JSON(r.Request, &in); err != nil {
		return edge.Response{}, err
	}
	secret, err := secretOr(in.Secret)
	if err != nil {
		return edge.Response{}, err
	}
	e := store.Event{Type: store.EventClientRotateSecret}
	client, err := h.modify(r, &e, func(client *store.Client, now time.Time) error {
		if client.Public {
			return input.Invalid("a public client has no secret; create a confidential client for an app that can keep one")
		}
		if !clientspec.HasSecret(client.AuthMethods) {
			return input.Invalid("this client signs with a key of its own and has no secret; change its key by jwks, or give it %s or %s in auth_methods first", clientauth.SecretBasic, clientauth.SecretPost)
		}
		old := client.Secrets
		e.Detail = nil
		if slices.ContainsFunc(old, func(s store.Secret) bool { return bytes.Equal(s.Hash, secretRecord(secret, now).Hash) }) {
			return call.Conflict("the client has this secret already")
		}
		switch {
		case in.RevokeOld:
			old, e.Detail = nil, map[string]string{"revoke_old": "true"}
		case len(old) >= liveSecrets && old[0].Unused:
			e.Detail = map[string]string{store.DetailDropped: old[0].Fingerprint()}
			old = old[1:]
		}
		fresh := append([]store.Secret{secretRecord(secret, now)}, old...)
		client.Secrets = fresh[:min(len(fresh), liveSecrets)]
		return nil
	})
	if err != nil {
		return edge.Response{}, err
	}
	body := api.ClientSecret{ClientID: client.ID}
	if in.Secret == "" {
		body.Secret = secret
	}
	return edge.Response{Body: body}, nil
}

// secretOr returns the secret that the caller has made, or a new one.
func secretOr(given string) (string, error) {
	if given == "" {
		return clientauth.NewSecret(), nil
	}
	if why := clientauth.CheckSecret(given); why != "" {
		return "", input.Invalid("client_secret %s", why)
	}
	return given, nil
}

// revokeSecret drops one of two secrets at once. The path names it by its fingerprint, or as the oldest or the newest.
func (h *clients) revokeSecret(r *call.Request) (edge.Response, error) {
	name := r.PathValue("secret")
	e := store.Event{Type: store.EventClientRevokeSecret}
	client, err := h.modify(r, &e, func(client *store.Client, _ time.Time) error {
		at := slices.IndexFunc(client.Secrets, func(secret store.Secret) bool { return secret.Fingerprint() == name })
		switch {
		case len(client.Secrets) == 0:
			return call.NotFound("this client has no secret")
		case name == api.OldestSecret:
			at = len(client.Secrets) - 1
		case name == api.NewestSecret:
			at = 0
		case at < 0:
			return call.NotFound("this client has no such secret; GET …/clients/{id} shows the fingerprints of those it has")
		}
		if len(client.Secrets) == 1 {
			return &edge.Error{Status: http.StatusConflict, Code: api.CodeRefused,
				Description: "it is the client's only secret: rotate it with revoke_old, or disable the client"}
		}
		e.Detail = map[string]string{store.DetailDropped: client.Secrets[at].Fingerprint()}
		client.Secrets = slices.Delete(client.Secrets, at, at+1)
		return nil
	})
	if err != nil {
		return edge.Response{}, err
	}
	return edge.Response{Body: viewClient(client)}, nil
}

func secretRecord(secret string, now time.Time) store.Secret {
	sum := sha256.Sum256([]byte(secret))
	return store.Secret{Hash: sum[:], CreatedAt: now, Unused: true}
}

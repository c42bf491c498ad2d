package server

import (
	"net/http"
	"slices"
	"time"

	"signet/server/admin/api"
	"signet/server/clientauth"
	"signet/server/edge"
	"signet/store"
)

// liveSecrets is how many secrets of one client are good at once: the new one, and the one before
// while it is still in use somewhere.
const liveSecrets = 2

// adminRotateSecret gives the client a new secret, shown this once. The one before goes on working. Beyond liveSecrets the
// oldest is dropped, but not while the newest has never been used: that is a rotation whose answer was lost or
// not deployed, and dropping the oldest would lock the app out.
func (s *Server) adminRotateSecret(c *adminRequest) (edge.Response, error) {
	var in api.SecretRotation
	if _, err := readJSON(c, &in); err != nil {
		return edge.Response{}, err
	}
	secret := clientauth.NewSecret()
	e := store.Event{Type: "client.rotate_secret"}
	client, err := s.changeClient(c, &e, func(client *store.Client, now time.Time) error {
		if client.Public {
			return adminInvalid("a public client has no secret; create a confidential client for an app that can keep one")
		}
		if !hasSecret(client.AuthMethods) {
			return adminInvalid("this client signs with a key of its own and has no secret; change its key by jwks, or give it %s or %s in auth_methods first", clientauth.SecretBasic, clientauth.SecretPost)
		}
		old := client.Secrets
		e.Detail = nil
		switch {
		case in.RevokeOld:
			old, e.Detail = nil, map[string]string{"revoke_old": "true"}
		case len(old) >= liveSecrets && old[0].Unused:
			e.Detail = map[string]string{store.DetailDropped: old[0].Fingerprint()}
			old = old[1:]
		}
		fresh := append([]store.Secret{newSecret(secret, now)}, old...)
		client.Secrets = fresh[:min(len(fresh), liveSecrets)]
		return nil
	})
	if err != nil {
		return edge.Response{}, err
	}
	return edge.Response{Body: api.ClientSecret{ClientID: client.ID, Secret: secret}}, nil
}

// adminRevokeSecret drops one of two secrets at once and leaves the other. The path names it by its fingerprint, or
// as the oldest or the newest.
func (s *Server) adminRevokeSecret(c *adminRequest) (edge.Response, error) {
	name := c.PathValue("secret")
	e := store.Event{Type: store.EventClientRevokeSecret}
	client, err := s.changeClient(c, &e, func(client *store.Client, _ time.Time) error {
		at := slices.IndexFunc(client.Secrets, func(secret store.Secret) bool { return secret.Fingerprint() == name })
		switch {
		case len(client.Secrets) == 0:
			return adminNotFound("this client has no secret")
		case name == api.OldestSecret:
			at = len(client.Secrets) - 1
		case name == api.NewestSecret:
			at = 0
		case at < 0:
			return adminNotFound("this client has no such secret; GET …/clients/{id} shows the fingerprints of those it has")
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

package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"signet/server/admin/api"
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
	secret := newClientSecret()
	e := store.Event{Type: "client.rotate_secret"}
	client, err := s.changeClient(c, &e, func(client *store.Client, now time.Time) error {
		if client.Public {
			return adminInvalid("a public client has no secret; create a confidential client for an app that can keep one")
		}
		if !hasSecret(client.AuthMethods) {
			return adminInvalid("this client signs with a key of its own and has no secret; change its key by jwks, or give it %s or %s in auth_methods first", authBasic, authPost)
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

// noteSecretUse records the first use of a secret, so that a later rotation does not take it for one that was never
// deployed. It costs a write once in a secret's life. What fails is tried again at the next use.
func (s *Server) noteSecretUse(ctx context.Context, client *store.Client, text string) *store.Client {
	if !slices.ContainsFunc(client.Secrets, func(secret store.Secret) bool { return secret.Unused }) {
		return client
	}
	return s.noteFirstUse(ctx, client, text)
}

func (s *Server) noteFirstUse(ctx context.Context, client *store.Client, text string) *store.Client {
	sum := sha256.Sum256([]byte(text))
	fresh := func(c *store.Client) int {
		return slices.IndexFunc(c.Secrets, func(secret store.Secret) bool { return secret.Unused && bytes.Equal(secret.Hash, sum[:]) })
	}
	if fresh(client) < 0 {
		return client
	}
	if _, busy := s.firstUses.LoadOrStore(sum, nil); busy {
		return client
	}
	defer s.firstUses.Delete(sum)
	updated, err := s.store.UpdateClient(ctx, client.ID, func(c *store.Client) error {
		if at := fresh(c); at >= 0 {
			c.Secrets[at].Unused = false
		}
		return nil
	})
	s.clients.drop(client.ID)
	if err != nil {
		s.log.WarnContext(ctx, "noting the first use of a client secret", slog.String("client_id", client.ID), slog.Any("error", err))
		return client
	}
	return &updated
}

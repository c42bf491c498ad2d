package server

import (
	"time"

	"signet/store"
)

// liveSecrets is how many secrets of one client are good at once: the new one, and the one before
// while it is still in use somewhere.
const liveSecrets = 2

type secretAnswer struct {
	ClientID string `json:"client_id"`
	Secret   string `json:"client_secret"`
}

// adminRotateSecret gives the client a new secret, shown this once.
func (s *Server) adminRotateSecret(c *call) (reply, error) {
	var in struct {
		RevokeOld bool `json:"revoke_old"`
	}
	if _, err := readJSON(c, &in); err != nil {
		return reply{}, err
	}
	secret := newClientSecret()
	e := event{Type: "client.rotate_secret"}
	if in.RevokeOld {
		e.Detail = map[string]string{"revoke_old": "true"}
	}
	client, err := s.changeClient(c, e, func(client *store.Client, now time.Time) error {
		if client.Public {
			return adminInvalid("a public client has no secret; create a confidential client for an app that can keep one")
		}
		if !hasSecret(client.AuthMethods) {
			return adminInvalid("this client signs with a key of its own and has no secret; change its key by jwks, or give it %s or %s in auth_methods first", authBasic, authPost)
		}
		fresh := []store.Secret{newSecret(secret, now)}
		if !in.RevokeOld {
			fresh = append(fresh, client.Secrets...)
		}
		client.Secrets = fresh[:min(len(fresh), liveSecrets)]
		return nil
	})
	if err != nil {
		return reply{}, err
	}
	return reply{body: secretAnswer{client.ID, secret}}, nil
}

package server

import (
	"time"

	"signet/server/clientauth"
	"signet/server/edge"
)

// grantClientCredentials gives a client a token of its own (RFC 6749 §4.4). There is no user, no
// session and no refresh token: the client can always ask again.
func (s *Server) grantClientCredentials(g *granting) (access, refresh string, ttl time.Duration, err error) {
	g.Subject = g.client.ID
	if access, ttl, err = s.issue(g, nil, nil); err != nil {
		return "", "", 0, err
	}
	switch ok, err := s.clients.Unchanged(g.Context(), g.client); {
	case err != nil:
		return "", "", 0, edge.Unavailable(err)
	case !ok:
		return "", "", 0, clientauth.ErrInvalidClient.Because("the client was changed during the request")
	}
	return access, "", ttl, nil
}

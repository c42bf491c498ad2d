package server

import "time"

// grantClientCredentials gives a client a token of its own (RFC 6749 §4.4). There is no user, no
// session and no refresh token: the client can always ask again.
func (s *Server) grantClientCredentials(g *granting) (access, refresh string, ttl time.Duration, err error) {
	g.subject = g.client.ID
	access, ttl, err = s.issueAccessToken(g, nil, nil)
	return access, "", ttl, err
}

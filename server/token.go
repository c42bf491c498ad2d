package server

import (
	"log/slog"
	"slices"
	"strings"

	"signet/server/edge"
	"signet/server/syntax"
	"signet/store"
)

// Grant types, see package syntax.
const (
	grantPassword          = syntax.GrantPassword
	grantRefreshToken      = syntax.GrantRefreshToken
	grantClientCredentials = syntax.GrantClientCredentials
)

// tokens is the answer of RFC 6749 §5.1.
type tokens struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope,omitempty"`
}

// handleToken is POST /token. Whatever can be refused is refused before anything is consumed: parse,
// client, grant type, the client's grants, then the grant's own checks and its one atomic step.
func (s *Server) handleToken(c *edge.Request, client *store.Client) (edge.Response, error) {
	requested := c.Form.Get("grant_type")
	switch {
	case requested == "":
		return edge.Response{}, edge.InvalidRequest("grant_type is missing")
	case !slices.Contains(syntax.GrantTypes, requested):
		return edge.Response{}, errUnsupportedGrantType
	}
	c.GrantType = requested
	if c.Form.HasAudience {
		s.noteAudience(client.ID)
	}
	switch {
	case slices.Contains(client.Grants, requested):
	case c.DefaultClient:
		return edge.Response{}, errDefaultClient
	default:
		return edge.Response{}, errUnauthorizedClient
	}
	if err := s.checkPinned(client); err != nil {
		return edge.Response{}, err
	}
	issued, err := s.runGrant(c, client)
	if err != nil {
		return edge.Response{}, err
	}
	return edge.Response{Body: issued}, nil
}

// noteAudience writes once for each client that it sends a parameter that is ignored. Other servers call
// resource so; its value is not written down.
func (s *Server) noteAudience(clientID string) {
	if _, again := s.audienceNoted.LoadOrStore(clientID, true); !again {
		s.log.Info("a client sends the parameter audience, which is ignored; the parameter that chooses the audience is resource (RFC 8707)",
			slog.String("client_id", clientID))
	}
}

// within reports whether every scope of asked stands in allowed.
func within(asked string, allowed []string) bool { return firstOutside(asked, allowed) == "" }

// firstOutside returns the first scope of asked that does not stand in allowed, or "".
func firstOutside(asked string, allowed []string) string {
	for token := range strings.SplitSeq(asked, " ") {
		if !slices.Contains(allowed, token) {
			return token
		}
	}
	return ""
}

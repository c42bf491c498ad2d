package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"signet/server/edge"
	"signet/server/syntax"
	"signet/server/throttle"
	"signet/store"
)

// Client authentication methods, see package syntax.
const (
	authBasic         = syntax.AuthBasic
	authPost          = syntax.AuthPost
	authPrivateKeyJWT = syntax.AuthPrivateKeyJWT
	authNone          = syntax.AuthNone
)

// credentials are what a request says about its client.
type credentials struct {
	id, secret string
	assertion  string
	method     string // one of the above
}

// forClients makes a handler of one that needs an authenticated client.
func (s *Server) forClients(next func(*edge.Request, *store.Client) (edge.Response, error)) edge.Handler {
	return func(r *edge.Request) (edge.Response, error) {
		client, err := s.authenticateClient(r)
		if err != nil {
			return edge.Response{}, err
		}
		identify(r, client)
		return next(r, client)
	}
}

// identify records the client of a request.
func identify(r *edge.Request, client *store.Client) {
	r.SetClient(client.ID, !client.Public, client.Origins)
}

// authenticateClient finds out which client is asking (RFC 6749 §2.3). Whatever is wrong with the
// client (unknown, disabled, another method, a bad secret), the answer is the same to the byte.
func (s *Server) authenticateClient(c *edge.Request) (*store.Client, error) {
	creds, err := readCredentials(c)
	if err != nil {
		return nil, err
	}
	if creds.method == authPrivateKeyJWT {
		return s.authenticateByAssertion(c, creds)
	}
	if creds.id == "" && creds.secret == "" {
		if s.settings().DefaultClient == "" {
			return nil, errNoClient
		}
		c.DefaultClient = true
		creds = credentials{id: s.settings().DefaultClient, method: authNone}
	}
	client, err := s.candidate(c, creds.id)
	if err != nil {
		return nil, err
	}
	if why := creds.refuse(&client.Client); why != "" {
		return nil, s.refuseClient(c, client, creds.id, why)
	}
	return s.noteSecretUse(c.Context(), &client.Client, creds.secret), nil
}

// candidate is who a request says its client is.
type candidate struct {
	*cachedClient      // without an id where there is no such client
	kept          bool // it came from the cache
}

func (s *Server) candidate(c *edge.Request, id string) (candidate, error) {
	client, kept, err := s.clients.find(c.Context(), id)
	if errors.Is(err, store.ErrNotFound) {
		return candidate{cachedClient: &cachedClient{}}, nil
	}
	if err != nil {
		return candidate{}, edge.Unavailable(err)
	}
	return candidate{client, kept}, nil
}

// refuse says, for the log, why the credentials do not fit the client, or "" if they do. Secrets are
// compared in constant time, also for a client that does not exist.
func (cr credentials) refuse(client *store.Client) string {
	sum := sha256.Sum256([]byte(cr.secret))
	secretOK := 0
	for _, live := range [2][]byte{secretHash(client, 0), secretHash(client, 1)} {
		secretOK |= subtle.ConstantTimeCompare(sum[:], live)
	}
	switch {
	case client.ID == "" || client.ID != cr.id:
		return noSuchClient
	case client.Disabled:
		return "client is disabled"
	case client.Public && cr.secret != "":
		return "a public client sent a secret"
	case client.Public:
		return "" // also Basic with an empty secret: golang.org/x/oauth2 does that
	case cr.method == authNone || cr.secret == "":
		return "no client secret"
	case !slices.Contains(client.AuthMethods, cr.method):
		return "client is not registered for " + cr.method
	case secretOK != 1:
		return "wrong client secret"
	}
	return ""
}

const noSuchClient = "no such client (what was sent as its id is not written down: it may be a secret)"

// noHash has the length of a hash and is the SHA-256 of nothing anybody can send.
var noHash [sha256.Size]byte

func secretHash(client *store.Client, i int) []byte {
	if i < len(client.Secrets) {
		return client.Secrets[i].Hash
	}
	return noHash[:]
}

// readCredentials takes the client's credentials from the header or the body and refuses a request
// that uses more than one way (RFC 6749 §2.3).
func readCredentials(c *edge.Request) (credentials, error) {
	headers := c.Header["Authorization"]
	if len(headers) == 1 && headers[0] == "" {
		headers = nil // some libraries send the empty header where they have nothing to put into it
	}
	if len(headers) > 1 {
		return credentials{}, edge.InvalidRequest("send one Authorization header")
	}
	if c.Form.Get("client_assertion") != "" || c.Form.Get("client_assertion_type") != "" {
		return readAssertion(c.Form, len(headers) > 0)
	}
	body := credentials{id: c.Form.Get("client_id"), secret: c.Form.Get("client_secret"), method: authPost}
	if body.secret == "" {
		body.method = authNone
	}
	if len(headers) == 0 {
		return body, nil
	}
	basic, err := parseBasic(headers[0])
	if err != nil {
		return credentials{}, errInvalidClient.Because("Authorization header: %w", err)
	}
	switch {
	case basic.id == "" && basic.secret == "":
		return body, nil // "Basic Og==": how Swagger UI says that it has no client
	case body.secret != "":
		return credentials{}, edge.InvalidRequest("send the client's credentials in the Authorization header or in the body, not in both")
	case body.id != "" && body.id != basic.id:
		return credentials{}, edge.InvalidRequest("client_id differs from the one in the Authorization header")
	}
	return basic, nil
}

// parseBasic reads RFC 7617 credentials whose two parts are form-encoded (RFC 6749 §2.3.1). The base64
// may lack its padding and have either alphabet of RFC 4648: all spellings decode to the same bytes.
func parseBasic(header string) (credentials, error) {
	scheme, encoded := header, ""
	if i := strings.IndexAny(header, " \t"); i >= 0 {
		scheme, encoded = header[:i], strings.Trim(header[i:], " \t")
	}
	if !strings.EqualFold(scheme, "Basic") {
		return credentials{}, errors.New("not the Basic scheme")
	}
	raw, err := decodeBasic(encoded)
	if err != nil {
		return credentials{}, err
	}
	rawID, rawSecret, ok := strings.Cut(string(raw), ":")
	if !ok {
		return credentials{}, errors.New("no colon")
	}
	id, okID := edge.DecodeComponent(rawID)
	secret, okSecret := edge.DecodeComponent(rawSecret)
	if !okID || !okSecret {
		return credentials{}, errors.New("not form-encoded UTF-8")
	}
	return credentials{id: id, secret: secret, method: authBasic}, nil
}

var standardAlphabet = strings.NewReplacer("-", "+", "_", "/")

func decodeBasic(encoded string) ([]byte, error) {
	if strings.ContainsAny(encoded, "\r\n") { // which package base64 skips
		return nil, errors.New("not base64")
	}
	encoded = standardAlphabet.Replace(encoded)
	encoding := base64.RawStdEncoding
	if strings.HasSuffix(encoded, "=") {
		encoding = base64.StdEncoding
	}
	raw, err := encoding.Strict().DecodeString(encoded)
	if err != nil {
		return nil, errors.New("not base64")
	}
	return raw, nil
}

// nobody is the id of no client: validClientID does not allow it.
const nobody = "*"

// refuseClient counts the failure against the client id and the caller's network. The right secret
// is never turned away: with 256 random bits there is nothing to guess, only work to limit.
//
// Only the id of a client that exists is written down: what else is sent as one may be a password or a
// secret in the wrong place. And for a client that came from the cache the store is asked for one that
// does not exist, as it was for those that do not: all take as long.
func (s *Server) refuseClient(c *edge.Request, client candidate, id, why string) error {
	refusal := errInvalidClient.Because("%s", why)
	if client.kept {
		_, _ = s.store.Client(c.Context(), nobody) // a store that fails says so in the next step
	}
	wait, err := s.countClientFailure(c, client.ID != "", id)
	if err != nil {
		return edge.Unavailable(err)
	}
	e := store.Event{Type: store.EventClientAuth, Outcome: store.OutcomeRefused, ClientID: client.ID, Detail: map[string]string{store.DetailReason: why}}
	if wait > 0 {
		e.Outcome = store.OutcomeThrottled
		refusal = edge.SlowDown(wait)
	}
	s.audit.Refused(c, e) // the same cost whether there is such a client or not
	return refusal
}

// countClientFailure returns how long the caller's network has to wait. Of ids that are made up it asks the
// store only as long as the network has not had its share at this replica, so that a flood of them stays here.
func (s *Server) countClientFailure(c *edge.Request, known bool, id string) (time.Duration, error) {
	cfg := s.settings().Throttle
	if !known && s.unknown.Full(c.Begun, throttle.Network(c.Address), cfg.PerClient) {
		return s.unknown.Rest(c.Begun), nil
	}
	return s.store.Count(c.Context(), c.Begun, s.throttle.Client(cfg, id, known, c.Address))
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
	s.clients.Drop(client.ID)
	if err != nil {
		s.log.WarnContext(ctx, "noting the first use of a client secret", slog.String("client_id", client.ID), slog.Any("error", err))
		return client
	}
	return &updated
}

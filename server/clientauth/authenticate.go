package clientauth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"signet/server/audit"
	"signet/server/edge"
	"signet/server/throttle"
	"signet/store"
)

// Client authentication methods, as RFC 7591 §2 names them.
const (
	SecretBasic   = "client_secret_basic"
	SecretPost    = "client_secret_post"
	PrivateKeyJWT = "private_key_jwt" // OpenID Connect Core §9
	None          = "none"
)

// ConfidentialMethods are those of clients that can keep a secret or a private key.
var ConfidentialMethods = []string{SecretBasic, SecretPost, PrivateKeyJWT}

const basicChallenge = `Basic realm="signet", charset="UTF-8"`

// ErrInvalidClient is the response to a client that has failed to authenticate, whatever the reason.
var ErrInvalidClient = &edge.Error{Status: http.StatusUnauthorized, Code: "invalid_client", Challenge: basicChallenge,
	Description: "client authentication failed: check client_id, client_secret or client_assertion, and the method the client is registered for"}

var errNoClient = &edge.Error{Status: http.StatusUnauthorized, Code: "invalid_client", Challenge: basicChallenge,
	Description: "no client was named: send client_id and client_secret by HTTP Basic or in the body, or a public client's client_id in the body"}

// Config configures an Authenticator. All fields are required.
type Config struct {
	Issuer        string
	Store         Store
	Cache         *Cache
	Throttle      *throttle.Throttle
	Limits        func() throttle.Config
	Audit         *audit.Recorder
	Log           *slog.Logger
	DefaultClient func() string        // a public client for requests that name none; empty: they are refused
	ClockSkew     func() time.Duration // by how much the clocks of replicas may differ
}

// Store is what an Authenticator needs of the store.
type Store interface {
	store.Clients
	UseAssertion(ctx context.Context, id store.AssertionID, until time.Time) error
	Count(ctx context.Context, now time.Time, scope store.Scope) (time.Duration, error)
}

// Authenticator authenticates clients.
type Authenticator struct {
	cfg       Config
	unknown   throttle.Local // authentications in the name of no client
	firstUses sync.Map       // SHA-256 of client secrets whose first use is being recorded
}

// New returns an Authenticator.
func New(cfg Config) *Authenticator { return &Authenticator{cfg: cfg} }

// Required makes a handler of one that needs an authenticated client.
func (a *Authenticator) Required(next func(*edge.Request, *store.Client) (edge.Response, error)) edge.Handler {
	return func(r *edge.Request) (edge.Response, error) {
		client, err := a.Authenticate(r)
		if err != nil {
			return edge.Response{}, err
		}
		Identify(r, client)
		return next(r, client)
	}
}

// Identify records the client of a request.
func Identify(r *edge.Request, client *store.Client) {
	r.SetClient(client.ID, !client.Public, client.Origins)
}

// credentials are those of the client in a request.
type credentials struct {
	id, secret string
	assertion  string
	method     string // one of the above
}

// Authenticate finds out which client is asking (RFC 6749 §2.3). Whatever is wrong with the
// client (unknown, disabled, another method, a bad secret), the answer is the same to the byte.
func (a *Authenticator) Authenticate(r *edge.Request) (*store.Client, error) {
	creds, err := readCredentials(r)
	if err != nil {
		return nil, err
	}
	if creds.method == PrivateKeyJWT {
		return a.authenticateByAssertion(r, creds)
	}
	if creds.id == "" && creds.secret == "" {
		if a.cfg.DefaultClient() == "" {
			return nil, errNoClient
		}
		r.DefaultClient = true
		creds = credentials{id: a.cfg.DefaultClient(), method: None}
	}
	client, err := a.candidate(r, creds.id)
	if err != nil {
		return nil, err
	}
	if why := creds.mismatch(&client.Client); why != "" {
		return nil, a.reject(r, client, creds.id, why)
	}
	return a.noteSecretUse(r.Context(), &client.Client, creds.secret), nil
}

// candidate is the client that a request names, before it has authenticated.
type candidate struct {
	*cachedClient      // without an id where there is no such client
	kept          bool // it came from the cache
}

func (a *Authenticator) candidate(r *edge.Request, id string) (candidate, error) {
	client, kept, err := a.cfg.Cache.find(r.Context(), id)
	if errors.Is(err, store.ErrNotFound) {
		return candidate{cachedClient: &cachedClient{}}, nil
	}
	if err != nil {
		return candidate{}, edge.Unavailable(err)
	}
	return candidate{client, kept}, nil
}

// mismatch returns, for the log, why the credentials do not fit the client, or "" if they do. Secrets are
// compared in constant time, also for a client that does not exist.
func (cr credentials) mismatch(client *store.Client) string {
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
	case cr.method == None || cr.secret == "":
		return "no client secret"
	case !slices.Contains(client.AuthMethods, cr.method):
		return "client is not registered for " + cr.method
	case secretOK != 1:
		return "wrong client secret"
	}
	return ""
}

const noSuchClient = "no such client (what was sent as its id is not written down: it may be a secret)"

// noHash has the length of a hash. Its preimage is not known, so no secret matches it.
var noHash [sha256.Size]byte

func secretHash(client *store.Client, i int) []byte {
	if i < len(client.Secrets) {
		return client.Secrets[i].Hash
	}
	return noHash[:]
}

// readCredentials takes the client's credentials from the header or the body and refuses a request
// that uses more than one way (RFC 6749 §2.3).
func readCredentials(r *edge.Request) (credentials, error) {
	headers := r.Header["Authorization"]
	if len(headers) == 1 && headers[0] == "" {
		headers = nil // some libraries send the empty header where they have nothing to put into it
	}
	if len(headers) > 1 {
		return credentials{}, edge.InvalidRequest("send one Authorization header")
	}
	if r.Form.Get("client_assertion") != "" || r.Form.Get("client_assertion_type") != "" {
		return readAssertion(r.Form, len(headers) > 0)
	}
	body := credentials{id: r.Form.Get("client_id"), secret: r.Form.Get("client_secret"), method: SecretPost}
	if body.secret == "" {
		body.method = None
	}
	if len(headers) == 0 {
		return body, nil
	}
	basic, err := parseBasic(headers[0])
	if err != nil {
		return credentials{}, ErrInvalidClient.Because("Authorization header: %w", err)
	}
	switch {
	case basic.id == "" && basic.secret == "":
		return body, nil // "Basic Og==": what Swagger UI sends without a client
	case body.secret != "":
		return credentials{}, edge.InvalidRequest("send the client's credentials in the Authorization header or in the body, not in both")
	case body.id != "" && body.id != basic.id:
		return credentials{}, edge.InvalidRequest("client_id differs from the one in the Authorization header")
	}
	return basic, nil
}

// unknownID is the id of no client: syntax.ClientID does not allow it.
const unknownID = "*"

// reject counts the failure against the client id and the caller's network. The right secret
// is never turned away: with 256 random bits there is nothing to guess, only work to limit.
//
// Only the id of a client that exists is written down: other text may be a password or a secret in the wrong
// parameter. For a client from the cache the store is asked for one that does not exist, as it was for a client that
// does not exist: both take as long.
func (a *Authenticator) reject(r *edge.Request, client candidate, id, why string) error {
	refusal := ErrInvalidClient.Because("%s", why)
	if client.kept {
		_, _ = a.cfg.Store.Client(r.Context(), unknownID) // a failure of the store shows in the next step
	}
	wait, err := a.countFailure(r, client.ID != "", id)
	if err != nil {
		return edge.Unavailable(err)
	}
	e := store.Event{Type: store.EventClientAuth, Outcome: store.OutcomeRefused, ClientID: client.ID, Detail: map[string]string{store.DetailReason: why}}
	if wait > 0 {
		e.Outcome = store.OutcomeThrottled
		refusal = edge.SlowDown(wait)
	}
	a.cfg.Audit.Refused(r, e) // the same cost whether there is such a client or not
	return refusal
}

// countFailure returns how long the caller's network has to wait. For ids that are made up it asks the
// store only until the network has had its share at this replica, so that a flood of them stays here.
func (a *Authenticator) countFailure(r *edge.Request, known bool, id string) (time.Duration, error) {
	cfg := a.cfg.Limits()
	if !known && a.unknown.Full(r.Begun, edge.Network(r.Address), cfg.PerClient) {
		return a.unknown.Rest(r.Begun), nil
	}
	return a.cfg.Store.Count(r.Context(), r.Begun, a.cfg.Throttle.Client(cfg, id, known, r.Address))
}

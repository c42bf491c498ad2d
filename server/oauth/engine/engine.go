// Package engine runs grants through go-oauth2. It is the only importer of that library.
//
// The library decides, as a state machine: which grants there are, that a client must have been authenticated, that
// scope and audience must have been checked before anything is made, that a public client has no client
// credentials, and that a code is redeemed with its redirect URI and its verifier (S256). It may not decide anything else.
// It sees neither HTTP, which the edge has parsed, nor the store: its
// store interfaces answer from the Grant in the context. Without a Grant there is no client, no token and no issue, so
// a caller that does not come through Run is refused.
package engine

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/go-oauth2/oauth2/v4"
	oautherrors "github.com/go-oauth2/oauth2/v4/errors"
	"github.com/go-oauth2/oauth2/v4/manage"
	"github.com/go-oauth2/oauth2/v4/models"
	oauthserver "github.com/go-oauth2/oauth2/v4/server"
)

// Grant is one request for tokens by an authenticated client.
type Grant interface {
	// Client returns the id of the authenticated client, and whether it is a public one. An empty id stands for no client.
	Client() (id string, public bool)
	// Session returns what the presented refresh token was opened to. ok is false for any other text.
	Session(refresh string) (s Session, ok bool)
	// Code returns what the presented authorization code was opened to. ok is false for any other text.
	Code(code string) (c Code, ok bool)
	// Check settles scope and audience of a grant that begins something new.
	Check() error
	// Narrow settles a refresh that requests less than the login was given.
	Narrow() error
	// Execute is the grant's one step that changes something, and the signature after it. It is called when every
	// check has passed; nothing before it has changed anything.
	Execute() (Tokens, error)
}

// Session is the session of a refresh token.
type Session struct {
	Subject string
	Scope   string // as granted at the login
}

// Code is an authorization code that has not expired.
type Code struct {
	Subject     string
	Scope       string // as granted
	RedirectURI string // of the authorization request
	Challenge   string // of PKCE, S256
}

// Tokens are what a grant gives out.
type Tokens struct {
	Access  string
	Refresh string // empty: none
	Life    time.Duration
}

// Request is a request for tokens, as the library needs it.
type Request struct {
	HTTP      *http.Request
	GrantType string
	Refresh   string // the presented refresh token

	Code, RedirectURI, Verifier string // of the authorization code grant

	Narrows bool // it names a scope or a resource; Check and Narrow read which
}

// Refusal is a refusal of the library's own.
type Refusal int

// The refusals of the library.
const (
	InvalidClient Refusal = iota
	UnauthorizedClient
	UnsupportedGrantType
	InvalidScope
	InvalidGrant
)

// RefusedError is a refusal of the library's own, with its error.
type RefusedError struct {
	Refusal Refusal
	Err     error
}

func (e *RefusedError) Error() string { return "go-oauth2: " + e.Err.Error() }

// Unwrap returns the library's error.
func (e *RefusedError) Unwrap() error { return e.Err }

// Engine runs grants. It is safe for concurrent use.
type Engine struct{ server *oauthserver.Server }

// New returns an Engine.
func New() *Engine {
	manager := manage.NewManager()
	manager.MapClientStorage(clients{})
	manager.MapTokenStorage(tokens{})
	manager.MapAccessGenerate(issuer{})
	// Lifetimes come from the issuer, per client; nothing is ever removed by the library.
	withRefresh := &manage.Config{IsGenerateRefresh: true}
	manager.SetPasswordTokenCfg(withRefresh)
	manager.SetAuthorizeCodeTokenCfg(withRefresh)
	manager.SetValidateURIHandler(func(_, _ string) error { return nil }) // it compares with the client's domain; the code has the whole URI
	manager.SetClientTokenCfg(&manage.Config{})
	manager.SetRefreshTokenCfg(&manage.RefreshingConfig{IsGenerateRefresh: true})

	cfg := oauthserver.NewConfig()
	cfg.AllowedGrantTypes = []oauth2.GrantType{oauth2.AuthorizationCode, oauth2.PasswordCredentials, oauth2.ClientCredentials, oauth2.Refreshing}
	cfg.AllowedResponseTypes = []oauth2.ResponseType{oauth2.Code}
	cfg.AllowedCodeChallengeMethods = []oauth2.CodeChallengeMethod{oauth2.CodeChallengeS256}
	cfg.ForcePKCE = true
	srv := oauthserver.NewServer(cfg, manager)
	srv.SetClientScopeHandler(func(r *oauth2.TokenGenerateRequest) (bool, error) {
		g, _, ok := grantOf(r.Request.Context())
		if !ok {
			return false, nil
		}
		return true, g.Check()
	})
	srv.SetRefreshingScopeHandler(func(r *oauth2.TokenGenerateRequest, _ string) (bool, error) {
		g, _, ok := grantOf(r.Request.Context())
		if !ok {
			return false, nil
		}
		return true, g.Narrow()
	})
	return &Engine{srv}
}

type grantKey struct{}

// grantOf returns the grant of a context, and the id of its client. ok is false without an authenticated client.
func grantOf(ctx context.Context) (g Grant, clientID string, ok bool) {
	g, ok = ctx.Value(grantKey{}).(Grant)
	if ok {
		clientID, _ = g.Client()
	}
	return g, clientID, ok && clientID != ""
}

// Run gives the library a parsed grant of an authenticated client. Errors of the grant's own methods come back as they
// are; those of the library are of type *RefusedError.
func (e *Engine) Run(ctx context.Context, r Request, g Grant) (Tokens, error) {
	ctx = context.WithValue(ctx, grantKey{}, g)
	id, _ := g.Client()
	req := &oauth2.TokenGenerateRequest{ClientID: id, Refresh: r.Refresh, Code: r.Code, RedirectURI: r.RedirectURI, CodeVerifier: r.Verifier,
		Request: r.HTTP.WithContext(ctx)}
	if r.Narrows {
		req.Scope = "requested" // only that something was: the scope handlers read what it was
	}
	info, err := e.server.GetAccessToken(ctx, oauth2.GrantType(r.GrantType), req)
	if err != nil {
		return Tokens{}, classify(err)
	}
	return Tokens{Access: info.GetAccess(), Refresh: info.GetRefresh(), Life: info.GetAccessExpiresIn()}, nil
}

// classify finds the library's own refusals. What the methods of a Grant returned through it comes back as it was.
func classify(err error) error {
	for _, known := range []struct {
		err     error
		refusal Refusal
	}{
		{oautherrors.ErrInvalidClient, InvalidClient},
		{oautherrors.ErrUnauthorizedClient, UnauthorizedClient},
		{oautherrors.ErrUnsupportedGrantType, UnsupportedGrantType},
		{oautherrors.ErrInvalidScope, InvalidScope},
		{oautherrors.ErrInvalidGrant, InvalidGrant},
		{oautherrors.ErrInvalidRefreshToken, InvalidGrant},
		{oautherrors.ErrMissingCodeVerifier, InvalidGrant},
	} {
		if errors.Is(err, known.err) {
			return &RefusedError{known.refusal, err}
		}
	}
	return err
}

// clients answers for the one client that was authenticated.
type clients struct{}

func (clients) GetByID(ctx context.Context, id string) (oauth2.ClientInfo, error) {
	g, clientID, ok := grantOf(ctx)
	if !ok || clientID != id {
		return nil, nil // the library's way to report that there is no such client
	}
	return client{g}, nil
}

type client struct{ g Grant }

func (c client) GetID() string     { id, _ := c.g.Client(); return id }
func (c client) GetSecret() string { return "" }
func (c client) GetDomain() string { return "" }
func (c client) IsPublic() bool    { _, public := c.g.Client(); return public }
func (c client) GetUserID() string { return "" }

// VerifyPassword is asked in place of a comparison of secrets: a client only exists if it was authenticated.
func (c client) VerifyPassword(string) bool { return c.GetID() != "" }

// tokens never stores: tokens are self-authenticating, and sessions are not the library's.
type tokens struct{}

func (tokens) GetByRefresh(ctx context.Context, refresh string) (oauth2.TokenInfo, error) {
	g, clientID, ok := grantOf(ctx)
	if !ok {
		return nil, nil
	}
	session, ok := g.Session(refresh)
	if !ok {
		return nil, nil
	}
	info := models.NewToken()
	info.SetClientID(clientID)
	info.SetUserID(session.Subject)
	info.SetScope(session.Scope)
	info.SetRefresh(refresh)
	return info, nil
}

func (tokens) GetByCode(ctx context.Context, code string) (oauth2.TokenInfo, error) {
	g, clientID, ok := grantOf(ctx)
	if !ok {
		return nil, nil
	}
	c, ok := g.Code(code)
	if !ok {
		return nil, nil
	}
	info := models.NewToken()
	info.SetClientID(clientID)
	info.SetUserID(c.Subject)
	info.SetScope(c.Scope)
	info.SetRedirectURI(c.RedirectURI)
	info.SetCode(code)
	info.SetCodeCreateAt(time.Now()) // whether it has expired was decided before, by the clock of the server
	info.SetCodeExpiresIn(time.Minute)
	info.SetCodeChallenge(c.Challenge)
	info.SetCodeChallengeMethod(oauth2.CodeChallengeS256)
	return info, nil
}

func (tokens) Create(context.Context, oauth2.TokenInfo) error                { return nil }
func (tokens) RemoveByCode(context.Context, string) error                    { return nil }
func (tokens) RemoveByAccess(context.Context, string) error                  { return nil }
func (tokens) RemoveByRefresh(context.Context, string) error                 { return nil }
func (tokens) GetByAccess(context.Context, string) (oauth2.TokenInfo, error) { return nil, nil }

// issuer is where the library asks for the tokens, last of all: only here is anything changed.
type issuer struct{}

func (issuer) Token(ctx context.Context, data *oauth2.GenerateBasic, _ bool) (access, refresh string, err error) {
	g, _, ok := grantOf(ctx)
	if !ok {
		return "", "", oautherrors.ErrInvalidClient
	}
	issued, err := g.Execute()
	if err != nil {
		return "", "", err
	}
	data.TokenInfo.SetAccessExpiresIn(issued.Life)
	return issued.Access, issued.Refresh, nil
}

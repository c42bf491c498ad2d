package server

import (
	"context"
	"errors"
	"time"

	"github.com/go-oauth2/oauth2/v4"
	oautherrors "github.com/go-oauth2/oauth2/v4/errors"
	"github.com/go-oauth2/oauth2/v4/manage"
	"github.com/go-oauth2/oauth2/v4/models"
	oauthserver "github.com/go-oauth2/oauth2/v4/server"

	"signet/server/clientauth"
)

// engine runs grants through go-oauth2. The library is the state machine: which grants there are,
// that a client must have been authenticated, that a scope must have been checked before anything
// is made, that a public client has no client credentials. It sees neither HTTP (the edge has
// parsed) nor the store (its store interfaces answer from the granting in the context).
type engine struct{ server *oauthserver.Server }

type grantingKey struct{}

// grantingOf is what makes the library fail closed: a call that did not come through the edge has
// no granting in its context, and so no client, no token and no issue.
func grantingOf(ctx context.Context) (*granting, bool) {
	g, ok := ctx.Value(grantingKey{}).(*granting)
	return g, ok && g.client != nil
}

func newEngine(s *Server) *engine {
	manager := manage.NewManager()
	manager.MapClientStorage(engineClients{})
	manager.MapTokenStorage(engineTokens{})
	manager.MapAccessGenerate(engineIssuer{s})
	// Lifetimes come from the issuer, per client; nothing is ever removed by the library.
	withRefresh := &manage.Config{IsGenerateRefresh: true}
	manager.SetPasswordTokenCfg(withRefresh)
	manager.SetClientTokenCfg(&manage.Config{})
	manager.SetRefreshTokenCfg(&manage.RefreshingConfig{IsGenerateRefresh: true})

	cfg := oauthserver.NewConfig()
	cfg.AllowedGrantTypes = []oauth2.GrantType{oauth2.PasswordCredentials, oauth2.ClientCredentials, oauth2.Refreshing}
	cfg.AllowedResponseTypes = []oauth2.ResponseType{oauth2.Code}
	cfg.AllowedCodeChallengeMethods = []oauth2.CodeChallengeMethod{oauth2.CodeChallengeS256}
	cfg.ForcePKCE = true
	srv := oauthserver.NewServer(cfg, manager)
	srv.SetClientScopeHandler(func(r *oauth2.TokenGenerateRequest) (bool, error) {
		g, ok := grantingOf(r.Request.Context())
		if !ok {
			return false, nil
		}
		return true, s.checkRequest(g)
	})
	srv.SetRefreshingScopeHandler(func(r *oauth2.TokenGenerateRequest, _ string) (bool, error) {
		g, ok := grantingOf(r.Request.Context())
		if !ok {
			return false, nil
		}
		return true, s.checkNarrowing(g)
	})
	return &engine{srv}
}

// run gives the library an authenticated, parsed grant.
func (e *engine) run(g *granting) (tokens, error) {
	ctx := context.WithValue(g.Context(), grantingKey{}, g)
	req := &oauth2.TokenGenerateRequest{ClientID: g.client.ID, Refresh: g.Form.Get("refresh_token"), Request: g.Request.WithContext(ctx)}
	if g.Form.Get("scope") != "" || len(g.Form.Resources) > 0 {
		// Only whether something was asked for: what it was, the scope handlers read for themselves.
		req.Scope = "asked"
	}
	info, err := e.server.GetAccessToken(ctx, oauth2.GrantType(g.GrantType), req)
	if err != nil {
		return tokens{}, engineError(err)
	}
	return tokens{AccessToken: info.GetAccess(), TokenType: "Bearer", ExpiresIn: int64(info.GetAccessExpiresIn() / time.Second),
		RefreshToken: info.GetRefresh(), Scope: g.scope}, nil
}

// engineError turns the library's own refusals into ours; what our interfaces returned through it
// comes back as it was.
func engineError(err error) error {
	switch {
	case errors.Is(err, oautherrors.ErrInvalidClient):
		return clientauth.ErrInvalidClient.Because("go-oauth2: %w", err)
	case errors.Is(err, oautherrors.ErrUnauthorizedClient):
		return errUnauthorizedClient.Because("go-oauth2: %w", err)
	case errors.Is(err, oautherrors.ErrUnsupportedGrantType):
		return errUnsupportedGrantType.Because("go-oauth2: %w", err)
	case errors.Is(err, oautherrors.ErrInvalidScope):
		return errInvalidScope.Because("go-oauth2: %w", err)
	case errors.Is(err, oautherrors.ErrInvalidGrant), errors.Is(err, oautherrors.ErrInvalidRefreshToken):
		return errInvalidRefreshToken.Because("go-oauth2: %w", err)
	}
	return err
}

// engineClients answers for the one client the edge has authenticated.
type engineClients struct{}

func (engineClients) GetByID(ctx context.Context, id string) (oauth2.ClientInfo, error) {
	g, ok := grantingOf(ctx)
	if !ok || g.client.ID != id {
		return nil, nil // the library's word for "no such client"
	}
	return engineClient{g}, nil
}

type engineClient struct{ g *granting }

func (c engineClient) GetID() string     { return c.g.client.ID }
func (c engineClient) GetSecret() string { return "" }
func (c engineClient) GetDomain() string { return "" }
func (c engineClient) IsPublic() bool    { return c.g.client.Public }
func (c engineClient) GetUserID() string { return "" }

// VerifyPassword is asked in place of a comparison of secrets: an engineClient only exists for a
// client that was authenticated.
func (c engineClient) VerifyPassword(string) bool { return c.g.client != nil }

// engineTokens never stores: tokens are self-authenticating and sessions are ours.
type engineTokens struct{}

func (engineTokens) GetByRefresh(ctx context.Context, refresh string) (oauth2.TokenInfo, error) {
	g, ok := grantingOf(ctx)
	if !ok || g.presented.SessionID.IsZero() || g.Form.Get("refresh_token") != refresh {
		return nil, nil
	}
	info := models.NewToken()
	info.SetClientID(g.client.ID)
	info.SetUserID(g.Subject)
	info.SetScope(g.presented.Scope)
	info.SetRefresh(refresh)
	return info, nil
}

func (engineTokens) Create(context.Context, oauth2.TokenInfo) error                { return nil }
func (engineTokens) RemoveByCode(context.Context, string) error                    { return nil }
func (engineTokens) RemoveByAccess(context.Context, string) error                  { return nil }
func (engineTokens) RemoveByRefresh(context.Context, string) error                 { return nil }
func (engineTokens) GetByCode(context.Context, string) (oauth2.TokenInfo, error)   { return nil, nil }
func (engineTokens) GetByAccess(context.Context, string) (oauth2.TokenInfo, error) { return nil, nil }

// engineIssuer is where the library asks for the tokens, last of all: only here is anything consumed.
type engineIssuer struct{ server *Server }

func (e engineIssuer) Token(ctx context.Context, data *oauth2.GenerateBasic, _ bool) (access, refresh string, err error) {
	g, ok := grantingOf(ctx)
	if !ok {
		return "", "", oautherrors.ErrInvalidClient
	}
	access, refresh, ttl, err := e.server.consume(g)
	if err != nil {
		return "", "", err
	}
	data.TokenInfo.SetAccessExpiresIn(ttl)
	return access, refresh, nil
}

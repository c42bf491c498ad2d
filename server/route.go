package server

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"signet/server/accountpage"
	"signet/server/authorize"
	"signet/server/edge"
	"signet/server/logout"
	"signet/server/page"
)

var (
	post = []string{http.MethodPost}
	get  = []string{http.MethodGet, http.MethodHead}

	// A HEAD of these would change something, and their answer is not seen.
	pageMethods = []string{http.MethodGet, http.MethodPost}

	getOrPost = []string{http.MethodGet, http.MethodHead, http.MethodPost}
)

// routes is the whole public surface. Paths are relative to the issuer's own path, except where an
// RFC or an operator's probe looks elsewhere.
func (s *Server) routes() map[string]*edge.Route {
	prefix := issuerPath(s.cfg.Issuer)
	metadata := &edge.Route{Name: "metadata", Methods: get, Light: true, CORS: edge.AnyOrigin, Level: slog.LevelDebug, Handle: s.discovery.Metadata}
	health := &edge.Route{Name: "healthz", Methods: get, Light: true, Level: slog.LevelDebug, Handle: s.discovery.Health}
	ready := &edge.Route{Name: "readyz", Methods: get, Light: true, Level: slog.LevelDebug, Handle: s.discovery.Ready}
	people := s.peopleSurface()
	table := map[string]*edge.Route{
		prefix + "/token": {Name: "token", Methods: post, Form: true, Timeout: edge.AnswerWithin, NeedsClock: true, CORS: edge.ClientOrigins,
			Handle: s.authenticator.Required(s.oauth.Token)},
		prefix + "/revoke": {Name: "revoke", Methods: post, Form: true, Timeout: edge.AnswerWithin, NeedsClock: true, CORS: edge.ClientOrigins,
			Handle: s.authenticator.Required(s.oauth.Revoke)},
		prefix + "/introspect": {Name: "introspect", Methods: post, Form: true, Timeout: edge.AnswerWithin, NeedsClock: true, Level: slog.LevelDebug,
			Handle: s.authenticator.Required(s.oauth.Introspect)},
		prefix + "/userinfo": {Name: "userinfo", Methods: getOrPost, Timeout: edge.AnswerWithin, NeedsClock: true, CORS: edge.ClientOrigins, Level: slog.LevelDebug,
			Handle: s.oauth.Userinfo},

		prefix + accountpage.Path: {Name: "account", Methods: getOrPost, Changes: true, Timeout: edge.AnswerWithin, NeedsClock: true, Surface: people,
			Handle: s.account.Handle},
		prefix + logout.Path: {Name: "logout", Methods: pageMethods, Changes: true, Timeout: edge.AnswerWithin, NeedsClock: true, Surface: people,
			Handle: s.logout.Handle},
		prefix + authorize.Path: {Name: "authorize", Methods: pageMethods, Changes: true, Timeout: edge.AnswerWithin, NeedsClock: true, Surface: people,
			Handle: s.authorize.Authorize},
		prefix + authorize.SignInPath: {Name: "sign_in", Methods: post, Changes: true, Timeout: edge.AnswerWithin, NeedsClock: true, Surface: people,
			Handle: s.authorize.SignIn},
		prefix + authorize.PARPath: {Name: "par", Methods: post, Form: true, Parameters: authorize.PARParameters, Timeout: edge.AnswerWithin, NeedsClock: true,
			CORS: edge.ClientOrigins, Handle: s.authenticator.Required(s.authorize.Push)},

		prefix + page.Folder: {Name: "page", Methods: get, Light: true, Level: slog.LevelDebug,
			Handle: func(r *edge.Request) (edge.Response, error) { return s.settings().Page.Asset(r) }},

		prefix + "/.well-known/jwks.json":                  {Name: "jwks", Methods: get, Light: true, CORS: edge.AnyOrigin, Level: slog.LevelDebug, Handle: s.discovery.KeySet},
		"/.well-known/oauth-authorization-server" + prefix: metadata, // RFC 8414 §3.1 inserts
		prefix + "/.well-known/openid-configuration":       metadata, // OpenID Connect Discovery §4 appends

		"/healthz":          health,
		"/readyz":           ready,
		prefix + "/healthz": health,
		prefix + "/readyz":  ready,
	}
	surface := s.oauth.Surface()
	for _, rt := range table {
		if rt.Surface == nil {
			rt.Surface = surface
		}
	}
	return table
}

// serves reports whether there is a route at the path, relative to the issuer.
func (s *Server) serves(path string) bool { return s.table[issuerPath(s.cfg.Issuer)+path] != nil }

// peopleSurface words errors as pages for people.
func (s *Server) peopleSurface() *edge.Surface {
	return &edge.Surface{Error: asError,
		RenderError: func(r *edge.Request, e *edge.Error) edge.Response {
			problem := page.ProblemOf(e)
			problem.RequestID, problem.AcceptLanguage = r.ID, r.Header.Get("Accept-Language")
			return s.settings().Page.Problem(problem)
		},
		Refused: func(r *edge.Request, _ *edge.Route, refused *edge.Error, _ error) {
			if r.Changing != "" && !r.Audited {
				s.audit.RefusedRequest(r, r.Changing, refused)
			}
		},
	}
}

// issuerPath is the path of the issuer's URL, without a trailing slash.
func issuerPath(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(u.Path, "/")
}

// ServeHTTP answers the public listener. It matches paths exactly: ServeMux would answer //token
// with a redirect that makes clients send the password again.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.edge.Serve(w, r, s.route(r))
}

// route returns the route of a request. All of page.Folder has one, since the names there have a hash in them.
func (s *Server) route(r *http.Request) *edge.Route {
	if r.URL.RawPath != "" {
		return &notFound
	}
	if rt, ok := s.table[r.URL.Path]; ok {
		return rt
	}
	if folder := issuerPath(s.cfg.Issuer) + page.Folder; strings.HasPrefix(r.URL.Path, folder) {
		return s.table[folder]
	}
	return &notFound
}

// isLight reports whether a request is answered from memory.
func (s *Server) isLight(r *http.Request) bool {
	rt := s.route(r)
	return rt.Light && rt.Allows(r.Method)
}

var notFound = edge.Route{
	Name: "not_found", Level: slog.LevelDebug, Surface: &edge.Surface{Error: asError},
	Handle: func(*edge.Request) (edge.Response, error) {
		return edge.Response{}, &edge.Error{Status: http.StatusNotFound, Code: "not_found",
			Description: "there is nothing at this path; /.well-known/oauth-authorization-server lists the endpoints"}
	},
}

package server

import (
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// route is one row of the public surface.
type route struct {
	name    string // endpoint, as logs and metrics call it
	methods []string
	form    bool // a form body from an authenticated client; both are settled before the handler runs
	store   bool // the handler asks the store, so its time is bounded (implied by form)
	changes bool // the handler changes something, so it is finished even if the caller hangs up (implied by form)
	timed   bool // what it answers depends on the time: refused while the clock is off
	light   bool // answered from memory and changes nothing: it never waits for a place, and its connection may make room
	cors    cors
	level   slog.Level // at which a good answer is logged
	handle  func(*Server, *call) (reply, error)

	errorBody func(*oauthError) any // how errors are spelt; nil: as RFC 6749 §5.2 does
}

var (
	post = []string{http.MethodPost}
	get  = []string{http.MethodGet, http.MethodHead}

	getOrPost = []string{http.MethodGet, http.MethodHead, http.MethodPost}
)

// routes is the whole public surface. Paths are relative to the issuer's own path, except where an
// RFC or an operator's probe looks elsewhere.
func (s *Server) routes() map[string]*route {
	prefix := issuerPath(s.cfg.Issuer)
	metadata := &route{name: "metadata", methods: get, light: true, cors: corsAny, level: slog.LevelDebug, handle: (*Server).handleMetadata}
	health := &route{name: "healthz", methods: get, light: true, level: slog.LevelDebug, handle: (*Server).handleHealth}
	ready := &route{name: "readyz", methods: get, light: true, level: slog.LevelDebug, handle: (*Server).handleReady}
	return map[string]*route{
		prefix + "/token":      {name: "token", methods: post, form: true, timed: true, cors: corsClient, handle: (*Server).handleToken},
		prefix + "/revoke":     {name: "revoke", methods: post, form: true, timed: true, cors: corsClient, handle: (*Server).handleRevoke},
		prefix + "/introspect": {name: "introspect", methods: post, form: true, timed: true, level: slog.LevelDebug, handle: (*Server).handleIntrospect},
		prefix + "/userinfo":   {name: "userinfo", methods: getOrPost, store: true, timed: true, cors: corsClient, level: slog.LevelDebug, handle: (*Server).handleUserinfo},

		prefix + "/.well-known/jwks.json":                  {name: "jwks", methods: get, light: true, cors: corsAny, level: slog.LevelDebug, handle: (*Server).handleJWKS},
		"/.well-known/oauth-authorization-server" + prefix: metadata, // RFC 8414 §3.1 inserts
		prefix + "/.well-known/openid-configuration":       metadata, // OpenID Connect Discovery §4 appends

		"/healthz":          health,
		"/readyz":           ready,
		prefix + "/healthz": health,
		prefix + "/readyz":  ready,
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

func (rt *route) allows(method string) bool {
	return rt.methods == nil || slices.Contains(rt.methods, method)
}

// allow is the value of the Allow header (RFC 9110 §10.2.1).
func (rt *route) allow() string {
	methods := rt.methods
	if rt.cors != corsNone {
		methods = append(slices.Clip(methods), http.MethodOptions)
	}
	return strings.Join(methods, ", ")
}

// ServeHTTP answers the public listener. It matches paths exactly: ServeMux would answer //token
// with a redirect that makes clients send the password again.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rt, ok := s.table[r.URL.Path]
	if !ok || r.URL.RawPath != "" {
		rt = &notFound
	}
	s.serve(w, r, rt)
}

// isLight reports whether the request is one that is answered from memory.
func (s *Server) isLight(r *http.Request) bool {
	rt, ok := s.table[r.URL.Path]
	return ok && rt.light && rt.allows(r.Method) && r.URL.RawPath == ""
}

var notFound = route{
	name: "not_found", methods: nil, level: slog.LevelDebug,
	handle: func(*Server, *call) (reply, error) {
		return reply{}, &oauthError{Status: http.StatusNotFound, Code: "not_found",
			Description: "there is nothing at this path; /.well-known/oauth-authorization-server lists the endpoints"}
	},
}

package server

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"signet/server/edge"
)

// adminVerb is one row of the operator's surface. The answers are JSON; admin_error.go has the errors.
type adminVerb struct {
	method, path string // {name} stands for one segment of any text, percent-encoded
	name         string // as logs and metrics call it
	scope        string // that a token needs; scopeAny: any of the signet: scopes
	stream       bool   // takes as long as its bytes do: no limit on the whole
	handle       func(*Server, *adminRequest) (edge.Response, error)
}

// adminVerbs is the whole of it. The command line is one client of these; every change made through
// them is in the audit trail.
var adminVerbs = []adminVerb{
	{"GET", "/v1/clients", "client.list", scopeClients, false, (*Server).adminListClients},
	{"POST", "/v1/clients", "client.create", scopeClients, false, (*Server).adminCreateClient},
	{"GET", "/v1/clients/{id}", "client.show", scopeClients, false, (*Server).adminShowClient},
	{"PATCH", "/v1/clients/{id}", "client.update", scopeClients, false, (*Server).adminUpdateClient},
	{"DELETE", "/v1/clients/{id}", "client.delete", scopeClients, false, (*Server).adminDeleteClient},
	{"POST", "/v1/clients/{id}/secret", "client.rotate_secret", scopeClients, false, (*Server).adminRotateSecret},
	{"DELETE", "/v1/clients/{id}/secrets/{secret}", "client.revoke_secret", scopeClients, false, (*Server).adminRevokeSecret},
	{"POST", "/v1/clients/{id}/disable", "client.disable", scopeClients, false, (*Server).adminDisableClient},
	{"POST", "/v1/clients/{id}/enable", "client.enable", scopeClients, false, (*Server).adminEnableClient},

	{"GET", "/v1/users", "user.list", scopeUsers, false, (*Server).adminListUsers},
	{"POST", "/v1/users", "user.create", scopeUsers, false, (*Server).adminCreateUser},
	{"POST", "/v1/users:import", "user.import", scopeUsers, true, (*Server).adminImportUsers},
	{"POST", "/v1/users:disable", "user.bulk_disable", scopeUsers, true, bulk("disable", (*Server).adminDisableUser)},
	{"POST", "/v1/users:enable", "user.bulk_enable", scopeUsers, true, bulk("enable", (*Server).adminEnableUser)},
	{"POST", "/v1/users:delete", "user.bulk_delete", scopeUsers, true, bulk("delete", (*Server).adminDeleteUser)},
	{"POST", "/v1/users:revoke-sessions", "session.bulk_revoke_all", scopeUsers, true, bulk("revoke-sessions", (*Server).adminRevokeSessions)},
	{"GET", "/v1/users/{username}", "user.show", scopeUsers, false, (*Server).adminShowUser},
	{"PATCH", "/v1/users/{username}", "user.update", scopeUsers, false, (*Server).adminUpdateUser},
	{"DELETE", "/v1/users/{username}", "user.delete", scopeUsers, false, (*Server).adminDeleteUser},
	{"PUT", "/v1/users/{username}/password", "user.set_password", scopeUsers, false, (*Server).adminSetPassword},
	{"POST", "/v1/users/{username}/disable", "user.disable", scopeUsers, false, (*Server).adminDisableUser},
	{"POST", "/v1/users/{username}/enable", "user.enable", scopeUsers, false, (*Server).adminEnableUser},

	{"DELETE", "/v1/sessions", "session.revoke_everybody", scopeAdmin, true, (*Server).adminEndAllSessions},
	{"GET", "/v1/users/{username}/sessions", "session.list", scopeUsers, false, (*Server).adminListSessions},
	{"DELETE", "/v1/users/{username}/sessions", "session.revoke_all", scopeUsers, false, (*Server).adminRevokeSessions},
	{"DELETE", "/v1/users/{username}/sessions/{sid}", "session.revoke", scopeUsers, false, (*Server).adminRevokeSession},

	{"GET", "/v1/throttle", "throttle.list", scopeUsers, false, (*Server).adminListThrottle},
	{"DELETE", "/v1/throttle", "throttle.clear", scopeUsers, false, (*Server).adminClearThrottle},

	{"GET", "/v1/keys", "keys.list", scopeKeys, false, (*Server).adminListKeys},
	{"GET", "/v1/keys/plan", "keys.plan", scopeKeys, false, (*Server).adminPlanKeys},
	{"POST", "/v1/keys/rotate", "keys.rotate", scopeKeys, false, (*Server).adminRotateKeys},
	{"POST", "/v1/keys/rewrap", "keys.rewrap", scopeKeys, false, (*Server).adminRewrap},
	{"POST", "/v1/keys/clock-reset", "keys.clock_reset", scopeKeys, false, (*Server).adminResetClock},
	{"POST", "/v1/keys/{kid}/revoke", "keys.revoke", scopeKeys, false, (*Server).adminRevokeKey},

	{"GET", "/v1/audit", "audit.list", scopeAudit, false, (*Server).adminListEvents},
	{"GET", "/v1/backup", "backup", scopeBackup, true, (*Server).adminBackup},
	{"POST", "/v1/store/seal", "store.seal", scopeAdmin, true, (*Server).adminSeal},
	{"GET", "/v1/status", "status", scopeAny, false, (*Server).adminStatus},
	{"GET", "/metrics", "metrics", scopeMetrics, true, (*Server).adminMetrics},
}

// Admin returns the operator's verbs for a Unix socket, whose mode 0600 is the authentication: who
// can open it may do everything.
func (s *Server) Admin() http.Handler {
	return newAdmin(s, func(_ *Server, c *adminRequest, _ string) error {
		c.Actor, c.rights = "socket", []string{scopeAdmin}
		return nil
	})
}

// AdminWithToken returns the same behind access tokens, for a TCP listener: each verb needs the scope
// that its row names. See authenticateAdmin.
func (s *Server) AdminWithToken() http.Handler {
	return newAdmin(s, (*Server).authenticateAdmin)
}

// admin answers the operator's listener, in the same envelope as the public one: see edge.Server.
type admin struct {
	server  *Server
	enter   enterAdmin
	paths   []*adminPath
	missing *edge.Route
}

// adminRequest is a request of the admin listener, after its caller was let in. The caller's name is in Facts.Actor.
type adminRequest struct {
	*edge.Request
	rights  []string                        // scopes of the admin API that the caller has; scopeAdmin is all of them
	recheck func(ctx context.Context) error // whether the caller may still do what it does; nil: always
}

// enterAdmin lets a caller in that may use verbs of the scope, and notes in the call who it is and what it may.
type enterAdmin func(s *Server, c *adminRequest, scope string) error

type adminPath struct {
	segments []string
	verbs    map[string]*edge.Route // by method
	other    *edge.Route            // any other method
}

func newAdmin(s *Server, enter enterAdmin) *admin {
	a := &admin{server: s, enter: enter}
	byPath := make(map[string]*adminPath)
	for _, v := range adminVerbs {
		p := byPath[v.path]
		if p == nil {
			p = &adminPath{segments: strings.Split(v.path[1:], "/"), verbs: make(map[string]*edge.Route)}
			p.other = a.route(adminVerb{name: "not_allowed", stream: true, handle: p.refuse})
			byPath[v.path] = p
			a.paths = append(a.paths, p)
		}
		p.verbs[v.method] = a.route(v)
	}
	a.missing = a.route(adminVerb{name: "not_found", stream: true, handle: func(*Server, *adminRequest) (edge.Response, error) {
		return edge.Response{}, adminNotFound("there is nothing at this path; the admin API begins with /v1/")
	}})
	s.registerProcess()
	return a
}

func (a *admin) route(v adminVerb) *edge.Route {
	level := slog.LevelInfo
	if v.method == http.MethodGet && v.name != "backup" {
		level = slog.LevelDebug
	}
	timeout := edge.AnswerWithin
	if v.stream {
		timeout = 0
	}
	s := a.server
	return &edge.Route{Name: "admin." + v.name, Level: level, Timeout: timeout, Changes: v.method != "" && v.method != http.MethodGet, Surface: adminSurface,
		Handle: func(r *edge.Request) (edge.Response, error) {
			c := &adminRequest{Request: r}
			if err := a.enter(s, c, v.scope); err != nil {
				return edge.Response{}, err
			}
			beginNow(c.Context()) // a body may be larger than what is held, and is worked on while it comes
			if v.method != http.MethodGet && v.name != "keys.clock_reset" {
				if err := s.checkAdminClock(); err != nil {
					return edge.Response{}, err
				}
			}
			return v.handle(s, c)
		}}
}

func (a *admin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.server.edge.Serve(w, r, a.match(r))
}

// match finds the verb and leaves the named segments in the request. Paths match exactly, as on the
// public side: http.ServeMux would clean ".." up, which is a user's name like any other.
func (a *admin) match(r *http.Request) *edge.Route {
	parts := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	for i, part := range parts {
		text, err := url.PathUnescape(part)
		if err != nil {
			return a.missing
		}
		parts[i] = text
	}
	at := slices.IndexFunc(a.paths, func(p *adminPath) bool { return p.fits(parts) })
	if at < 0 {
		return a.missing
	}
	p := a.paths[at]
	for i, segment := range p.segments {
		if named(segment) {
			r.SetPathValue(segment[1:len(segment)-1], parts[i])
		}
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if verb, ok := p.verbs[method]; ok {
		return verb
	}
	return p.other
}

func named(segment string) bool { return strings.HasPrefix(segment, "{") }

func (p *adminPath) fits(parts []string) bool {
	return slices.EqualFunc(p.segments, parts, func(segment, part string) bool {
		return segment == part || named(segment) && part != ""
	})
}

// refuse answers a method that the path does not have.
func (p *adminPath) refuse(_ *Server, c *adminRequest) (edge.Response, error) {
	var methods []string
	for method := range p.verbs {
		methods = append(methods, method)
	}
	if slices.Contains(methods, http.MethodGet) {
		methods = append(methods, http.MethodHead)
	}
	slices.Sort(methods)
	allow := strings.Join(methods, ", ")
	c.Writer.Header().Set("Allow", allow)
	return edge.Response{}, &edge.Error{Status: http.StatusMethodNotAllowed, Code: "invalid", Description: "this path takes " + allow + " only"}
}

// did records a change in the audit trail.
func (s *Server) did(c *adminRequest, e event) {
	e.Outcome, e.Actor = "ok", c.Actor
	s.audit.add(c.Request, e)
}

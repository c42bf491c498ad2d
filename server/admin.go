package server

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"signet/server/admin/api"
	"signet/server/connlimit"
	"signet/server/edge"
	"signet/store"
)

// adminVerb is one row of the operator's surface. The answers are JSON; admin_error.go has the errors.
type adminVerb struct {
	api.Verb
	handle func(*Server, *adminRequest) (edge.Response, error)
}

// adminVerbs is the whole of it. The command line is one client of these; every change made through
// them is in the audit trail.
var adminVerbs = []adminVerb{
	{api.ListClients, (*Server).adminListClients},
	{api.CreateClient, (*Server).adminCreateClient},
	{api.ShowClient, (*Server).adminShowClient},
	{api.UpdateClient, (*Server).adminUpdateClient},
	{api.DeleteClient, (*Server).adminDeleteClient},
	{api.RotateSecret, (*Server).adminRotateSecret},
	{api.RevokeSecret, (*Server).adminRevokeSecret},
	{api.DisableClient, (*Server).adminDisableClient},
	{api.EnableClient, (*Server).adminEnableClient},

	{api.ListUsers, (*Server).adminListUsers},
	{api.CreateUser, (*Server).adminCreateUser},
	{api.ImportUsers, (*Server).adminImportUsers},
	{api.DisableUsers, bulk("disable", (*Server).adminDisableUser)},
	{api.EnableUsers, bulk("enable", (*Server).adminEnableUser)},
	{api.DeleteUsers, bulk("delete", (*Server).adminDeleteUser)},
	{api.RevokeSessionsOfUsers, bulk("revoke-sessions", (*Server).adminRevokeSessions)},
	{api.ShowUser, (*Server).adminShowUser},
	{api.UpdateUser, (*Server).adminUpdateUser},
	{api.DeleteUser, (*Server).adminDeleteUser},
	{api.SetPassword, (*Server).adminSetPassword},
	{api.DisableUser, (*Server).adminDisableUser},
	{api.EnableUser, (*Server).adminEnableUser},

	{api.RevokeAllSessions, (*Server).adminEndAllSessions},
	{api.ListSessions, (*Server).adminListSessions},
	{api.RevokeSessions, (*Server).adminRevokeSessions},
	{api.RevokeSession, (*Server).adminRevokeSession},

	{api.ListThrottle, (*Server).adminListThrottle},
	{api.ClearThrottle, (*Server).adminClearThrottle},

	{api.ListKeys, (*Server).adminListKeys},
	{api.PlanKeys, (*Server).adminPlanKeys},
	{api.RotateKeys, (*Server).adminRotateKeys},
	{api.RewrapKeys, (*Server).adminRewrap},
	{api.ResetClock, (*Server).adminResetClock},
	{api.RevokeKey, (*Server).adminRevokeKey},

	{api.ListEvents, (*Server).adminListEvents},
	{api.Backup, (*Server).adminBackup},
	{api.SealStore, (*Server).adminSeal},
	{api.ShowStatus, (*Server).adminStatus},
	{api.ShowMetrics, (*Server).adminMetrics},
}

// Admin returns the operator's verbs for a Unix socket, whose mode 0600 is the authentication: who
// can open it may do everything.
func (s *Server) Admin() http.Handler {
	return newAdmin(s, func(_ *Server, c *adminRequest, _ string) error {
		c.Actor, c.rights = "socket", []string{api.ScopeAdmin}
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
	rights  []string                        // scopes of the admin API that the caller has; api.ScopeAdmin is all of them
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
		p := byPath[v.Path]
		if p == nil {
			p = &adminPath{segments: strings.Split(v.Path[1:], "/"), verbs: make(map[string]*edge.Route)}
			p.other = a.route(adminVerb{api.Verb{Name: "not_allowed", Stream: true}, p.refuse})
			byPath[v.Path] = p
			a.paths = append(a.paths, p)
		}
		p.verbs[v.Method] = a.route(v)
	}
	a.missing = a.route(adminVerb{api.Verb{Name: "not_found", Stream: true}, func(*Server, *adminRequest) (edge.Response, error) {
		return edge.Response{}, adminNotFound("there is nothing at this path; the admin API begins with /v1/")
	}})
	s.registerProcess()
	return a
}

func (a *admin) route(v adminVerb) *edge.Route {
	level := slog.LevelInfo
	if v.Method == http.MethodGet && v.Name != api.Backup.Name {
		level = slog.LevelDebug
	}
	timeout := edge.AnswerWithin
	if v.Stream {
		timeout = 0
	}
	s := a.server
	return &edge.Route{Name: "admin." + v.Name, Level: level, Timeout: timeout, Changes: v.Method != "" && v.Method != http.MethodGet, Surface: s.adminSurface(),
		Handle: func(r *edge.Request) (edge.Response, error) {
			c := &adminRequest{Request: r}
			if err := a.enter(s, c, v.Scope); err != nil {
				return edge.Response{}, err
			}
			connlimit.Begin(c.Context()) // a body may be larger than what is held, and is worked on while it comes
			if v.Method != http.MethodGet && v.Name != api.ResetClock.Name {
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
	return edge.Response{}, &edge.Error{Status: http.StatusMethodNotAllowed, Code: api.CodeInvalid, Description: "this path takes " + allow + " only"}
}

// doing returns the context of a change that did records afterwards.
func (s *Server) doing(c *adminRequest, e *store.Event) context.Context {
	e.Outcome, e.Actor = store.OutcomeOK, c.Actor
	return s.audit.WithEvent(c.Request, e)
}

// beginning records a change of several steps before the first of them. It fails where the store cannot keep the event.
func (s *Server) beginning(c *adminRequest, e store.Event) error {
	if err := s.store.KeepEvent(s.doing(c, &e), &e); err != nil {
		return err
	}
	s.did(c, e)
	return nil
}

// did records a change in the audit trail.
func (s *Server) did(c *adminRequest, e store.Event) {
	e.Outcome, e.Actor = store.OutcomeOK, c.Actor
	s.audit.Change(c.Request, e)
}

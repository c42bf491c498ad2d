package admin

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"signet/server/admin/api"
	"signet/server/admin/call"
	"signet/server/admin/input"
	"signet/server/admin/keyring"
	"signet/server/connlimit"
	"signet/server/edge"
)

// enter admits a caller that may use verbs of the scope, and sets the actor and its rights in the request.
type enter func(r *call.Request, scope string) error

// router matches requests to verbs. Paths match exactly, as on the public listener: http.ServeMux would redirect
// "//" and "..", which makes clients send a password again, and ".." can be a user's name. Every request that it
// does not know is answered by edge.Server too.
type router struct {
	admin   *Admin
	enter   enter
	paths   []*path
	missing *edge.Route
}

// path has the verbs of one path.
type path struct {
	segments []string
	verbs    map[string]*edge.Route // by method
	other    *edge.Route            // any other method
}

func newRouter(a *Admin, enter enter) *router {
	rt := &router{admin: a, enter: enter}
	byPath := make(map[string]*path)
	for _, v := range a.verbs {
		p := byPath[v.Path]
		if p == nil {
			p = &path{segments: strings.Split(v.Path[1:], "/"), verbs: make(map[string]*edge.Route)}
			p.other = rt.route(verb{api.Verb{Name: "not_allowed", Stream: true}, p.refuse})
			byPath[v.Path] = p
			rt.paths = append(rt.paths, p)
		}
		p.verbs[v.Method] = rt.route(v)
	}
	rt.missing = rt.route(verb{api.Verb{Name: "not_found", Stream: true}, func(*call.Request) (edge.Response, error) {
		return edge.Response{}, call.NotFound("there is nothing at this path; the admin API begins with /v1/")
	}})
	return rt
}

func (rt *router) route(v verb) *edge.Route {
	level := slog.LevelInfo
	if v.Method == http.MethodGet && v.Name != api.Backup.Name {
		level = slog.LevelDebug
	}
	timeout := edge.AnswerWithin
	if v.Stream {
		timeout = 0
	}
	a := rt.admin
	changes, surface := v.Method != "" && v.Method != http.MethodGet, a.reads
	if changes {
		surface = a.writes
	}
	return &edge.Route{Name: "admin." + v.Name, Level: level, Timeout: timeout, Changes: changes, Surface: surface,
		Handle: func(inner *edge.Request) (edge.Response, error) {
			r := &call.Request{Request: inner}
			if err := rt.enter(r, v.Scope); err != nil {
				return edge.Response{}, err
			}
			connlimit.Begin(r.Context()) // a body may be larger than what is held, and is worked on while it comes
			if v.Method != http.MethodGet && v.Name != api.ResetClock.Name {
				if err := keyring.CheckClock(a.cfg.Keys.Clock()); err != nil {
					return edge.Response{}, err
				}
			}
			return v.handle(r)
		}}
}

// ServeHTTP implements http.Handler.
func (rt *router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rt.admin.cfg.Edge.Serve(w, r, rt.match(r))
}

// match finds the verb and puts the named segments into the request.
func (rt *router) match(r *http.Request) *edge.Route {
	parts := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	for i, part := range parts {
		text, err := url.PathUnescape(part)
		if err != nil {
			return rt.missing
		}
		parts[i] = text
	}
	at := slices.IndexFunc(rt.paths, func(p *path) bool { return p.fits(parts) })
	if at < 0 {
		return rt.missing
	}
	p := rt.paths[at]
	for i, segment := range p.segments {
		if isNamed(segment) {
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

// withoutBody is a handler of a verb that takes no body: a caller that sends one expects an effect. An object
// without members is accepted.
func withoutBody(handle func(*call.Request) (edge.Response, error)) func(*call.Request) (edge.Response, error) {
	return func(r *call.Request) (edge.Response, error) {
		if _, err := input.JSON(r.Request, &struct{}{}); err != nil {
			if e, ok := errors.AsType[*edge.Error](err); ok && e.Code == api.CodeInvalid {
				e.Description = "this takes no parameters: send it without a body; nothing was changed"
			}
			return edge.Response{}, err
		}
		return handle(r)
	}
}

func isNamed(segment string) bool { return strings.HasPrefix(segment, "{") }

func (p *path) fits(parts []string) bool {
	return slices.EqualFunc(p.segments, parts, func(segment, part string) bool {
		return segment == part || isNamed(segment) && part != ""
	})
}

// refuse answers a method that the path does not have.
func (p *path) refuse(r *call.Request) (edge.Response, error) {
	var methods []string
	for method := range p.verbs {
		methods = append(methods, method)
	}
	if slices.Contains(methods, http.MethodGet) {
		methods = append(methods, http.MethodHead)
	}
	slices.Sort(methods)
	allow := strings.Join(methods, ", ")
	r.Writer.Header().Set("Allow", allow)
	return edge.Response{}, &edge.Error{Status: http.StatusMethodNotAllowed, Code: api.CodeInvalid, Description: "this path takes " + allow + " only"}
}

package edge

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"signet/server/syntax"
)

// CORS is how a route treats browsers of other origins (the Fetch standard's CORS protocol). Credentials mode is
// never allowed: tokens travel in headers and bodies that a script sets itself.
type CORS uint8

// Kinds of CORS.
const (
	NoCORS        CORS = iota
	AnyOrigin          // public data: any origin may read it
	ClientOrigins      // only the origins that the client is registered with
)

const corsMaxAge = "600"

// preflight answers OPTIONS. No client is known yet, so an origin that any client lists passes. The actual
// request is then checked against its own client.
func (s *Server) preflight(r *Request, rt *Route) Response {
	h := make(http.Header, 6)
	h.Set("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
	origin := r.pageOrigin()
	if rt.CORS == AnyOrigin || s.anyLists(r.Context(), origin) {
		h.Set("Access-Control-Allow-Origin", rt.CORS.allowed(origin))
		h.Set("Access-Control-Allow-Methods", strings.Join(rt.Methods, ", "))
		h.Set("Access-Control-Allow-Headers", allowedHeaders(r.Header["Access-Control-Request-Headers"]))
		h.Set("Access-Control-Max-Age", corsMaxAge)
	} else if r.Header["Origin"] != nil {
		r.Outcome = "foreign_origin"
		r.foreign(origin)
	}
	return Response{Status: http.StatusNoContent, Header: h}
}

// usualHeaders are what a script may send even where its preflight asks for none of them.
var usualHeaders = []string{"authorization", "content-type", "x-requested-with", "dpop"}

// Limits of what a preflight may ask for. Browsers send each name once, in lower case.
const (
	maxAskedHeaders    = 50
	maxAskedHeaderName = 100 // bytes
)

// allowedHeaders are the usual headers and those that the preflight asks for: tracing libraries add some
// to every request of a page. Allowing a header gives a page of a registered origin nothing: what the
// headers of the real request mean is decided there. What is no field name is left out.
func allowedHeaders(asked []string) string {
	allowed := slices.Clip(usualHeaders)
	for name := range strings.SplitSeq(strings.Join(asked, ","), ",") {
		name = strings.ToLower(strings.Trim(name, " \t"))
		if len(allowed) < len(usualHeaders)+maxAskedHeaders && isFieldName(name) && !slices.Contains(allowed, name) {
			allowed = append(allowed, name)
		}
	}
	return strings.Join(allowed, ", ")
}

// isFieldName reports whether name is a token of RFC 9110 §5.6.2, in lower case and of bearable length.
func isFieldName(name string) bool {
	return name != "" && len(name) <= maxAskedHeaderName && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~") == ""
}

// addCORS adds the headers of an actual request's response, good or bad: without them a browser hides even
// the error from the script that needs to read it.
func (s *Server) addCORS(r *Request, rt *Route, h http.Header) {
	if rt.CORS == NoCORS || r.Method == http.MethodOptions {
		return
	}
	origin := r.pageOrigin()
	if rt.CORS == ClientOrigins {
		h.Set("Vary", "Origin")
		if origin == "" {
			return
		}
		if !s.originAllowed(r, origin) {
			r.foreign(origin)
			return
		}
		h.Set("Access-Control-Expose-Headers", "www-authenticate, retry-after, x-request-id, dpop-nonce")
	}
	h.Set("Access-Control-Allow-Origin", rt.CORS.allowed(origin))
}

// foreign puts the origin in the log line, if it can be one. All that the developer of the page sees is
// that the browser failed.
func (r *Request) foreign(origin string) {
	if origin == "null" || len(origin) <= syntax.MaxOrigin && syntax.IsOrigin(origin) {
		r.Origin = origin
	}
}

var errForeignPage = &Error{Status: http.StatusForbidden, Code: "invalid_request",
	Description: "the origin of this page is registered with no client: ask the operator to add it to yours"}

// checkPage refuses what a browser sends for a page that no client lists. The Fetch Metadata headers, which
// pages cannot set, show that. Such a page could not read the response. But its requests could make the
// throttle refuse all users in the network of the person who opens the page.
func (s *Server) checkPage(r *Request) error {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin": // no browser; the person; a page of our own address
		return nil
	}
	origin := r.pageOrigin()
	listed, err := s.cfg.OriginListed(r.Context(), origin)
	switch {
	case err != nil:
		return Unavailable(err)
	case listed:
		return nil
	}
	r.foreign(origin)
	return errForeignPage
}

// pageOrigin returns the origin of the page, or "". Browsers send one Origin header. Of two it is not known
// which one is the page's, so neither counts.
func (r *Request) pageOrigin() string {
	if all := r.Header["Origin"]; len(all) == 1 {
		return all[0]
	}
	return ""
}

func (k CORS) allowed(origin string) string {
	if k == AnyOrigin {
		return "*"
	}
	return origin
}

func (s *Server) originAllowed(r *Request, origin string) bool {
	if r.ClientID != "" {
		return slices.Contains(r.origins, origin)
	}
	return s.anyLists(r.Context(), origin)
}

// anyLists reports whether some client lists the origin. While that is not known the answer is no: the browser
// then hides the response from the script. A yes gives no token away, since a request that succeeds is checked
// against its own client.
func (s *Server) anyLists(ctx context.Context, origin string) bool {
	listed, err := s.cfg.OriginListed(ctx, origin)
	return err == nil && listed
}

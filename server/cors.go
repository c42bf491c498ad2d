package server

import (
	"net/http"
	"slices"
	"strings"
)

// cors is how a route treats browsers of other origins (the Fetch standard's CORS protocol).
// Credentials mode is never allowed: tokens travel in headers and bodies that a script sets itself.
type cors uint8

const (
	corsNone   cors = iota
	corsAny         // public data: any origin may read it
	corsClient      // only the origins the client is registered with
)

const corsMaxAge = "600"

// preflight answers OPTIONS. No client is known yet, so an origin that any client lists passes; the
// real request is then judged by its own client.
func (k cors) preflight(s *Server, c *call, rt *route) reply {
	h := make(http.Header, 6)
	h.Set("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
	origin := originOf(c)
	if k == corsAny || (k == corsClient && s.clients.anyLists(c.Context(), origin)) {
		h.Set("Access-Control-Allow-Origin", k.allowed(origin))
		h.Set("Access-Control-Allow-Methods", strings.Join(rt.methods, ", "))
		h.Set("Access-Control-Allow-Headers", allowedHeaders(c.Header["Access-Control-Request-Headers"]))
		h.Set("Access-Control-Max-Age", corsMaxAge)
	} else if c.Header["Origin"] != nil {
		c.outcome = "foreign_origin"
		c.foreign(origin)
	}
	return reply{status: http.StatusNoContent, header: h}
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

// answer adds the headers of a real request's answer, good or bad: without them a browser hides
// even the error from the script that needs to read it.
func (k cors) answer(s *Server, c *call, h http.Header) {
	if k == corsNone || c.Method == http.MethodOptions {
		return
	}
	origin := originOf(c)
	if k == corsClient {
		h.Set("Vary", "Origin")
		if origin == "" {
			return
		}
		if !s.originAllowed(c, origin) {
			c.foreign(origin)
			return
		}
		h.Set("Access-Control-Expose-Headers", "www-authenticate, retry-after, x-request-id, dpop-nonce")
	}
	h.Set("Access-Control-Allow-Origin", k.allowed(origin))
}

// foreign puts the origin in the log line, if it can be one. All that the developer of the page sees is
// that the browser failed.
func (c *call) foreign(origin string) {
	if origin == "null" || len(origin) <= maxEntry && isOrigin(origin) {
		c.origin = origin
	}
}

var errForeignPage = &oauthError{Status: http.StatusForbidden, Code: "invalid_request",
	Description: "the origin of this page is registered with no client: ask the operator to add it to yours"}

// checkPage refuses what a browser sends for a page that no client lists (the Fetch Metadata headers,
// which pages cannot set, tell). It could not read the answer; but with what it sends it could, in the
// network of whoever looks at it, make the throttle turn everybody there away.
func (s *Server) checkPage(c *call) error {
	switch c.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin": // no browser; the person; a page of our own address
		return nil
	}
	origin := originOf(c)
	listed, err := s.clients.listed(c.Context(), origin)
	switch {
	case err != nil:
		return unavailable(err)
	case listed:
		return nil
	}
	c.foreign(origin)
	return errForeignPage
}

// originOf is the page's origin, or "". Browsers send one Origin header; of two it is not known which
// one is the page's, and none is believed.
func originOf(c *call) string {
	if all := c.Header["Origin"]; len(all) == 1 {
		return all[0]
	}
	return ""
}

func (k cors) allowed(origin string) string {
	if k == corsAny {
		return "*"
	}
	return origin
}

func (s *Server) originAllowed(c *call, origin string) bool {
	if c.client != nil {
		return slices.Contains(c.client.Origins, origin)
	}
	return s.clients.anyLists(c.Context(), origin)
}

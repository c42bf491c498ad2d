package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"signet/keys/clockcheck"
	"signet/server/audit"
	"signet/server/password"
	"signet/store"
)

// call is one request on its way through: what came in, and what has been learned about it for the
// answer, the log line, the metrics and the audit trail.
type call struct {
	*http.Request
	ctx     context.Context     // of the work for the request; the request's own ends with its connection
	writer  http.ResponseWriter // for limits and deadlines only; serve writes the answer
	id      string              // X-Request-Id: made here, never taken from the caller
	begun   time.Time
	address netip.Addr

	form      form
	client    *store.Client // once authenticated
	grant     string        // grant_type, once known to be one of ours
	subject   string
	username  string // of the user subject, in canonical form
	typedName string // of a login: what was typed, in canonical form if it has one
	changing  string // the type of the event of the change that is being made
	summed    bool   // the log has it in the summary of an outage
	session   store.SessionID
	reached   uint32 // the generation that a refresh has reached; 0: none
	kid       string
	outcome   string                          // what happened, where success has more than one name
	actor     string                          // who asks on the admin listener
	rights    []string                        // scopes of the admin API that the caller has; signet:admin is all of them
	recheck   func(ctx context.Context) error // whether the caller may still do on the admin listener what it does; nil: always
	audited   bool                            // something of it is on the audit trail
	cause     error                           // why, where the outcome is no error and somebody will ask all the same
	origin    string                          // of a page that may not ask
	unnamed   bool                            // it names no client, and the default one stands in
}

// Context returns the context of the work for the request. It is kept beside the request, because to put it
// there would copy the request.
func (c *call) Context() context.Context { return c.ctx }

// reply is what a handler answers. A nil body is an empty one.
type reply struct {
	status int // 0 means 200
	header http.Header
	body   any                             // written as JSON
	raw    []byte                          // written as it is, instead of body
	stream func(http.ResponseWriter) error // writes what is too large to hold, instead of body
}

// serve runs one matched route: headers first, then the handler, then exactly one answer, one log
// line and one count, whatever happened.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, rt *route) {
	c := &call{Request: r, ctx: r.Context(), writer: w, id: randomText(12), begun: s.now(), address: s.callerAddress(r)}
	h := w.Header()
	h["X-Request-Id"] = []string{c.id}
	h["X-Content-Type-Options"] = nosniff
	if r.TLS != nil {
		h["Strict-Transport-Security"] = hsts
	}
	if ambiguous(r) || s.draining.Load() {
		h.Set("Connection", "close")
	}
	answer, err := s.run(w, c, rt)
	if err != nil && rt.form && r.URL.RawQuery != "" {
		err = pointToQuery(err)
	}
	c.ctx = r.Context() // run's deadline has been released, and with it its context
	rt.cors.answer(s, c, h)
	status, err := s.write(w, c, rt, answer, err)
	s.finish(c, rt, status, err)
	if err != nil && answer.stream != nil && status == http.StatusOK {
		panic(http.ErrAbortHandler) // it broke off: cut the connection, so that nobody takes it for the whole
	}
}

// ambiguous reports whether what comes behind the request on its connection could be a part of it in
// the eyes of a proxy that brought it. Closing leaves nothing to smuggle there. net/http keeps the
// connection after a request with both Content-Length and Transfer-Encoding and after HTTP/1.0 with
// chunks, whose Transfer-Encoding it hides (RFC 9112 §6.1 wants it closed), and after a refused
// CONNECT, whose client may be sending through the tunnel already.
func ambiguous(r *http.Request) bool {
	return len(r.TransferEncoding) > 0 || !r.ProtoAtLeast(1, 1) || r.Method == http.MethodConnect
}

var (
	nosniff = []string{"nosniff"}
	// hsts is sent over TLS of our own (RFC 6797 §7.2); a proxy that speaks TLS sends its own. Other hosts of the
	// domain are not ours to decide about.
	hsts = []string{"max-age=31536000"}
)

// run does what stands between the match and the answer. A panic ends this request only.
func (s *Server) run(w http.ResponseWriter, c *call, rt *route) (answer reply, err error) {
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			err = recovered(p)
		}
	}()
	if refused, _ := c.Context().Value(noPlaceKey{}).(error); refused != nil {
		return reply{}, refused
	}
	if c.Method == http.MethodOptions && rt.cors != corsNone {
		return rt.cors.preflight(s, c, rt), nil
	}
	if !rt.allows(c.Method) {
		w.Header().Set("Allow", rt.allow())
		return reply{}, &oauthError{Status: http.StatusMethodNotAllowed, Code: "invalid_request",
			Description: "this endpoint takes " + rt.allow() + " only"}
	}
	if rt.form || rt.store || rt.changes {
		var cancel context.CancelFunc
		c.ctx, cancel = rt.bound(c.ctx)
		defer cancel()
	}
	if rt.timed {
		if err := s.checkClock(); err != nil {
			return reply{}, err
		}
	}
	if rt.form {
		if err := s.checkPage(c); err != nil {
			return reply{}, err
		}
		if c.form, err = parseForm(w, c.Request); err != nil {
			return reply{}, err
		}
		if c.client, err = s.authenticateClient(c); err != nil {
			return reply{}, err
		}
	}
	return rt.handle(s, c)
}

// bound returns the context of a request. What can change something outlives its caller: if a client that
// hangs up could end a step halfway, the change could be made without its record, or a repeat could look
// like theft. Its own deadline bounds it. Only the hash pool sees the hang-up; see call.whileCallerWaits.
func (rt *route) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if rt.form || rt.changes {
		ctx = context.WithoutCancel(ctx)
	}
	if rt.form || rt.store {
		return context.WithTimeout(ctx, answerWithin)
	}
	return context.WithCancel(ctx)
}

// whileCallerWaits is the request's context for work that is of no use once the caller has hung up: it
// ends at the hang-up or at the request's deadline, whichever is first.
func (c *call) whileCallerWaits() (context.Context, context.CancelFunc) {
	if deadline, ok := c.Context().Deadline(); ok {
		return context.WithDeadline(c.Request.Context(), deadline)
	}
	return context.WithCancel(c.Request.Context())
}

// hungUp reports whether err is only that the caller left before anything was decided.
func (c *call) hungUp(err error) bool {
	return errors.Is(err, context.Canceled) && c.Request.Context().Err() != nil
}

// answerWithin bounds what one request may take before its caller is told to come again.
const answerWithin = 10 * time.Second

// finish writes the log line and the metrics.
func (s *Server) finish(c *call, rt *route, status int, err error) {
	took := s.now().Sub(c.begun)
	var refused *oauthError
	outcome := c.outcome
	if err != nil {
		refused = asOAuthError(err)
		outcome = refused.Code
	} else if outcome == "" {
		outcome = "ok"
	}
	left := c.hungUp(err)
	if left {
		outcome = "hung_up" // nobody got the 503
	}
	s.metrics.observe(rt.name, c.grant, outcome, took)
	if refused != nil && !c.audited && !left {
		switch {
		case rt.form:
			s.audit.refused(c, rt, refused)
		case rt.changes && c.actor != "" && refused.Status >= http.StatusInternalServerError && !errors.Is(err, clockcheck.ErrClock):
			s.audit.unsureDeed(c, deedType(strings.TrimPrefix(rt.name, "admin.")), refused)
		}
	}
	why := c.cause
	if refused != nil {
		why = refused
	}
	level := rt.level
	switch {
	case left:
		level = max(level, slog.LevelInfo)
	case errors.Is(err, errCrowded), errors.Is(err, password.ErrBusy): // a rush, and no fault
		level = slog.LevelWarn
	case status >= http.StatusInternalServerError:
		level = slog.LevelError
	case why != nil && status != http.StatusNotFound: // somebody will ask for the reason
		level = max(level, slog.LevelInfo)
	}
	if level >= slog.LevelInfo && !left && s.leftOut(c, rt, outcome, status, why != nil) {
		level = slog.LevelDebug
	}
	if !s.log.Enabled(c.Context(), level) {
		return
	}
	attrs := make([]slog.Attr, 0, 12)
	attrs = append(attrs, slog.String("request_id", c.id), slog.Int("status", status), slog.String("outcome", outcome),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000))
	if c.address.IsValid() { // not on a Unix socket
		attrs = append(attrs, slog.String("address", c.address.String()))
	}
	attrs = appendNonEmpty(attrs, "grant_type", c.grant)
	if c.client != nil {
		attrs = append(attrs, slog.String("client_id", c.client.ID))
	}
	attrs = appendNonEmpty(attrs, "actor", c.actor)
	attrs = appendNonEmpty(attrs, "origin", c.origin)
	attrs = appendNonEmpty(attrs, "sub", c.subject)
	if !c.session.IsZero() {
		attrs = append(attrs, slog.String("sid", c.session.String()))
	}
	if c.reached > 0 {
		attrs = append(attrs, slog.Uint64("generation", uint64(c.reached))) // a restore takes spent ones for spent
	}
	attrs = appendNonEmpty(attrs, "kid", c.kid)
	if why != nil {
		attrs = append(attrs, slog.String("cause", asOAuthError(why).reason()))
	}
	var p *panicError
	if errors.As(err, &p) {
		attrs = append(attrs, slog.String("stack", p.stack))
	}
	s.log.LogAttrs(c.Context(), level, rt.name, attrs...)
}

// leftOut reports whether the line of a request is only counted: in the summary of an outage, or because
// its caller has had many lines about refusals already.
func (s *Server) leftOut(c *call, rt *route, outcome string, status int, explained bool) bool {
	if c.summed || !explained || status >= http.StatusInternalServerError {
		return c.summed
	}
	key := audit.Key{Type: rt.name + " " + outcome, Network: network(c.address)}
	if c.client != nil {
		key.Client = c.client.ID
	}
	if s.lines.Allow(s.now(), key, "") {
		return false
	}
	s.metrics.linesWithheld.Inc()
	return true
}

// summarise writes what is due of outages, and of lines and events that were only counted.
func (s *Server) summarise() {
	now := s.now()
	s.outages.tick(now)
	audit.LogSummaries(s.log, "request", s.lines.Ended(now))
	s.audit.Tick()
}

func appendNonEmpty(attrs []slog.Attr, key, value string) []slog.Attr {
	if value == "" {
		return attrs
	}
	return append(attrs, slog.String(key, value))
}

// pointToQuery says of a refusal what its caller may have overlooked: nothing is read from the URL, where
// proxies would log it. What stands there is not looked at for this either.
func pointToQuery(err error) error {
	refusal := *asOAuthError(err)
	const note = "; parameters in the URL are not read, and a secret there is to be changed"
	if refusal.cause != nil {
		refusal.cause = fmt.Errorf("%w%s", refusal.cause, note)
	}
	refusal.Description += note
	return &refusal
}

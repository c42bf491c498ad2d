package edge

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signet/server/loglimit"
	"signet/server/outage"
)

// Config configures a Server. Every func may be called by several goroutines at once.
type Config struct {
	Log      *slog.Logger         // nil discards
	Now      func() time.Time     // nil: time.Now
	Registry *prometheus.Registry // nil: a registry of its own
	Random   func() float64       // from 0 to 1; spreads Retry-After; nil: random

	TrustedProxies func() []netip.Prefix // whose X-Forwarded-For counts; nil: none
	CheckClock     func() error          // why routes that need the clock are refused; nil: never

	// OriginListed reports whether some client is registered with the origin. An error means that it is not known.
	OriginListed func(ctx context.Context, origin string) (bool, error)
	// Dependency returns which dependency has failed, a kind of package outage; nil: always outage.Other.
	Dependency func(err error) string
	// Trace begins the trace of a request. The work for the request gets the context. end is called once, when the response was
	// written; nil: there are no traces. Trusted is set where the request comes from a trusted proxy or a Unix socket.
	Trace func(r *http.Request, trusted bool) (ctx context.Context, end func(r *Request, rt *Route, status int))
}

// Server runs matched routes. It is safe for concurrent use.
type Server struct {
	cfg      Config
	metrics  metrics
	outages  *outage.Log
	lines    *loglimit.Limiter // of the log, about refused requests
	draining atomic.Bool
}

// New returns a Server.
func New(cfg Config) *Server {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Registry == nil {
		cfg.Registry = prometheus.NewRegistry()
	}
	if cfg.Random == nil {
		cfg.Random = mathrand.Float64
	}
	if cfg.TrustedProxies == nil {
		cfg.TrustedProxies = func() []netip.Prefix { return nil }
	}
	if cfg.CheckClock == nil {
		cfg.CheckClock = func() error { return nil }
	}
	if cfg.OriginListed == nil {
		cfg.OriginListed = func(context.Context, string) (bool, error) { return false, nil }
	}
	if cfg.Dependency == nil {
		cfg.Dependency = func(error) string { return outage.Other }
	}
	return &Server{cfg: cfg, metrics: newMetrics(cfg.Registry), outages: outage.New(cfg.Log), lines: loglimit.NewLimiter(loglimit.Lines)}
}

// Drain makes every response close its connection from now on: one that stays open could be closed by the
// end of the process just as the next request arrives.
func (s *Server) Drain() { s.draining.Store(true) }

// Draining reports whether Drain was called.
func (s *Server) Draining() bool { return s.draining.Load() }

// Serve runs one matched route: headers first, then the handler, then exactly one response, one line in the
// log and one count in the metrics, whatever happened.
func (s *Server) Serve(w http.ResponseWriter, httpRequest *http.Request, rt *Route) {
	endTrace := func(*Request, *Route, int) {}
	if s.cfg.Trace != nil {
		var ctx context.Context
		ctx, endTrace = s.cfg.Trace(httpRequest, s.trusts(httpRequest))
		httpRequest = httpRequest.WithContext(ctx)
	}
	r := &Request{Request: httpRequest, ctx: httpRequest.Context(), Writer: w, ID: RandomText(12), Begun: s.cfg.Now(), Address: s.CallerAddress(httpRequest)}
	status := http.StatusInternalServerError
	defer func() { endTrace(r, rt, status) }()
	h := w.Header()
	h["X-Request-Id"] = []string{r.ID}
	h["X-Content-Type-Options"] = nosniff
	if r.TLS != nil {
		h["Strict-Transport-Security"] = hsts
	}
	if ambiguous(httpRequest) || s.draining.Load() {
		h.Set("Connection", "close")
	}
	answer, err := s.run(w, r, rt)
	if err != nil && rt.Form && r.URL.RawQuery != "" {
		err = rt.mentionQuery(err)
	}
	r.ctx = httpRequest.Context() // run's deadline has been released, and with it its context
	s.addCORS(r, rt, h)
	status, err = s.writeResponse(w, r, rt, answer, err)
	s.logRequest(r, rt, status, err)
	if err != nil && answer.Stream != nil && status == http.StatusOK {
		panic(http.ErrAbortHandler) // it broke off: cut the connection, so that the caller does not take it for the whole
	}
}

// ambiguous reports whether what comes behind the request on its connection could be a part of it for a
// proxy that brought it. Closing leaves nothing to smuggle there. net/http keeps the connection after a
// request with both Content-Length and Transfer-Encoding and after HTTP/1.0 with chunks, whose
// Transfer-Encoding it hides (RFC 9112 §6.1 wants it closed), and after a refused CONNECT, whose client may
// be sending through the tunnel already.
func ambiguous(r *http.Request) bool {
	return len(r.TransferEncoding) > 0 || !r.ProtoAtLeast(1, 1) || r.Method == http.MethodConnect
}

var (
	nosniff = []string{"nosniff"}
	// hsts is sent over TLS of our own (RFC 6797 §7.2); a proxy that speaks TLS sends its own. It does not cover
	// other hosts of the domain, which are not ours.
	hsts = []string{"max-age=31536000"}
)

// run runs the checks of the route and its handler. A panic ends this request only.
func (s *Server) run(w http.ResponseWriter, r *Request, rt *Route) (answer Response, err error) {
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			err = Recovered(p)
		}
	}()
	if err := Refusal(r.Request); err != nil {
		return Response{}, err
	}
	if r.Method == http.MethodOptions && rt.CORS != NoCORS {
		return s.preflight(r, rt), nil
	}
	if !rt.Allows(r.Method) {
		w.Header().Set("Allow", rt.allow())
		return Response{}, &Error{Status: http.StatusMethodNotAllowed, Code: "invalid_request",
			Description: "this endpoint takes " + rt.allow() + " only"}
	}
	if rt.Form || rt.Changes || rt.Timeout > 0 {
		var cancel context.CancelFunc
		r.ctx, cancel = rt.bound(r.ctx)
		defer cancel()
	}
	if rt.NeedsClock {
		if err := s.cfg.CheckClock(); err != nil {
			return Response{}, Unavailable(err)
		}
	}
	if rt.Form {
		if err := s.checkPage(r); err != nil {
			return Response{}, err
		}
		if r.Form, err = parseForm(r, rt.Parameters); err != nil {
			return Response{}, err
		}
	}
	return rt.Handle(r)
}

// refusedKey finds the error of WithRefusal in a context.
type refusedKey struct{}

// WithRefusal returns a copy of a request that no handler is to see: Serve answers it with the error.
func WithRefusal(r *http.Request, err error) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), refusedKey{}, err))
}

// Refusal returns the error of WithRefusal, or nil.
func Refusal(r *http.Request) error {
	err, _ := r.Context().Value(refusedKey{}).(error)
	return err
}

// bound returns the context of a request. What can change something outlives its caller: if a client that
// hangs up could end a step halfway, the change could be made without its record, or a repeat could look
// like theft. Its own deadline bounds it. Only the hash pool sees the hang-up: see Request.WhileCallerWaits.
func (rt *Route) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if rt.Form || rt.Changes {
		ctx = context.WithoutCancel(ctx)
	}
	if rt.Timeout > 0 {
		return context.WithTimeout(ctx, rt.Timeout)
	}
	return context.WithCancel(ctx)
}

// mentionQuery adds to a refusal that nothing is read from the URL, where proxies would log it. The
// parameters there are not looked at for this either.
func (rt *Route) mentionQuery(err error) error {
	refusal := *rt.Surface.Error(err)
	const note = "; parameters in the URL are not read, and a secret there is to be changed"
	if refusal.Cause != nil {
		refusal.Cause = fmt.Errorf("%w%s", refusal.Cause, note)
	}
	refusal.Description += note
	return &refusal
}

// RandomText returns n random bytes in base64url.
func RandomText(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: it ends the process instead
	return base64.RawURLEncoding.EncodeToString(b)
}

// pace sets Retry-After of a request that a dependency failed. All but the first of an outage leave their
// line in the log to its summary.
func (s *Server) pace(r *Request, refused *Error) *Error {
	if refused.Status != http.StatusServiceUnavailable || refused.RetryAfter != 0 || r.hungUp(refused) {
		return refused
	}
	now, kind := s.cfg.Now(), s.cfg.Dependency(refused)
	age, first := s.outages.Observe(now, kind, refused.Reason())
	r.inSummary = !first
	paced := *refused
	paced.RetryAfter = outage.RetryAfter(kind, age, s.cfg.Random())
	if !r.RetryBefore.IsZero() && s.outages.FirstTry(kind, r.SessionID) {
		paced.RetryAfter = outage.EarlyRetry(paced.RetryAfter, r.RetryBefore.Sub(now))
	}
	return &paced
}

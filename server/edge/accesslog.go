package edge

import (
	"errors"
	"log/slog"
	"net/http"

	"signet/server/loglimit"
	"signet/server/outage"
)

// logRequest writes the line of the access log and counts the request.
func (s *Server) logRequest(r *Request, rt *Route, status int, err error) {
	took := s.cfg.Now().Sub(r.Begun)
	var refused *Error
	outcome := r.Outcome
	if err != nil {
		refused = rt.Surface.Error(err)
		outcome = refused.Code
	} else if outcome == "" {
		outcome = "ok"
	}
	left := r.hungUp(err)
	if left {
		outcome = "hung_up" // the 503 was not delivered
	}
	s.metrics.observe(rt.Name, r.GrantType, outcome, took)
	if refused != nil && !left && rt.Surface.Refused != nil {
		rt.Surface.Refused(r, rt, refused, err)
	}
	why := r.Cause
	if refused != nil {
		why = refused
	}
	level := rt.Level
	switch {
	case left:
		level = max(level, slog.LevelInfo)
	case status >= http.StatusInternalServerError && (err == nil || s.rush(err)): // a probe has its answer; or there is no fault
		level = slog.LevelWarn
	case status >= http.StatusInternalServerError:
		level = slog.LevelError
	case why != nil && status != http.StatusNotFound: // the log has the reason
		level = max(level, slog.LevelInfo)
	}
	if level >= slog.LevelInfo && !left && s.leftOut(r, rt, outcome, status, why != nil) {
		level = slog.LevelDebug
	}
	if !s.cfg.Log.Enabled(r.Context(), level) {
		return
	}
	attrs := make([]slog.Attr, 0, 12)
	attrs = append(attrs, slog.String("request_id", r.ID), slog.Int("status", status), slog.String("outcome", outcome),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000))
	attrs = r.appendFacts(attrs)
	if why != nil {
		attrs = append(attrs, slog.String("cause", rt.Surface.Error(why).Reason()))
	}
	if p, ok := errors.AsType[*panicError](err); ok {
		attrs = append(attrs, slog.String("stack", p.stack))
	}
	s.cfg.Log.LogAttrs(r.Context(), level, rt.Name, attrs...)
}

// rush reports whether a request was refused because many came at once.
func (s *Server) rush(err error) bool {
	return errors.Is(err, errCrowded) || s.cfg.Dependency(err) == outage.Hashing
}

func (r *Request) appendFacts(attrs []slog.Attr) []slog.Attr {
	if r.Address.IsValid() { // not on a Unix socket
		attrs = append(attrs, slog.String("address", r.Address.String()))
	}
	for _, fact := range [...]struct{ name, value string }{
		{"grant_type", r.GrantType}, {"client_id", r.ClientID}, {"actor", r.Actor}, {"origin", r.Origin}, {"sub", r.Subject}, {"sid", r.SessionID},
	} {
		attrs = appendNonEmpty(attrs, fact.name, fact.value)
	}
	if r.Generation > 0 {
		attrs = append(attrs, slog.Uint64("generation", uint64(r.Generation))) // a restore takes spent ones for spent
	}
	return appendNonEmpty(attrs, "kid", r.KeyID)
}

// leftOut reports whether the line of a request is only counted: in the summary of an outage, or because
// its caller has had many lines about refusals already.
func (s *Server) leftOut(r *Request, rt *Route, outcome string, status int, explained bool) bool {
	if r.inSummary || !explained || status >= http.StatusInternalServerError {
		return r.inSummary
	}
	key := loglimit.Key{Type: rt.Name + " " + outcome, Client: r.ClientID, Network: Network(r.Address)}
	if s.lines.Allow(s.cfg.Now(), key, "") {
		return false
	}
	s.metrics.linesWithheld.Inc()
	return true
}

// Summarise writes the lines that are due about outages, and about lines that were only counted. Call it
// every second.
func (s *Server) Summarise() {
	now := s.cfg.Now()
	s.outages.Summarise(now)
	loglimit.Log(s.cfg.Log, "request", s.lines.Ended(now))
}

func appendNonEmpty(attrs []slog.Attr, key, value string) []slog.Attr {
	if value == "" {
		return attrs
	}
	return append(attrs, slog.String(key, value))
}

package edge

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// Dependencies that can fail. Each has its own lines in the log and its own Retry-After.
const (
	DependencyStore    = "store"
	DependencySigning  = "signing"
	DependencyClock    = "clock"
	DependencyHashing  = "password hashing"
	DependencyUpstream = "upstream"
	DependencyOther    = "other"
)

const (
	outageQuiet   = 10 * time.Second // without a 503 of the kind: it is over
	outageSummary = 5 * time.Second  // between two lines about one outage
)

// outages gathers requests that are answered 503 because a dependency failed, so that the log has a few
// lines of an outage and not one for each request, and so that Retry-After grows with it.
type outages struct {
	log *slog.Logger

	mu   sync.Mutex
	open map[string]*outage
}

type outage struct {
	since, last, logged time.Time
	count, reported     int
	cause               string
	early               map[string]struct{} // sessions that were sent back to come again early
}

// maxEarly bounds outage.early.
const maxEarly = 4096

// observe counts one request. first reports whether it is the first of its outage: its own line in the log
// is the beginning. age is how long the outage has lasted.
func (o *outages) observe(now time.Time, kind, cause string) (age time.Duration, first bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	is := o.open[kind]
	if is == nil || o.over(now, is) {
		if is != nil {
			o.end(kind, is)
		}
		if o.open == nil {
			o.open = map[string]*outage{}
		}
		o.open[kind] = &outage{since: now, last: now, logged: now, count: 1, reported: 1, cause: cause}
		return 0, true
	}
	is.count++
	is.last, is.cause = now, cause
	o.summarise(now, kind, is)
	return now.Sub(is.since), false
}

func (o *outages) over(now time.Time, is *outage) bool {
	quiet := now.Sub(is.last)
	return quiet < 0 || quiet > outageQuiet
}

// tick writes the lines that are due about outages without new requests.
func (o *outages) tick(now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for kind, is := range o.open {
		if o.over(now, is) {
			o.end(kind, is)
			continue
		}
		o.summarise(now, kind, is)
	}
}

func (o *outages) summarise(now time.Time, kind string, is *outage) {
	if is.count == is.reported || now.Sub(is.logged) < outageSummary {
		return
	}
	o.line(slog.LevelError, "requests are answered 503", kind, is, slog.Int("since_last_line", is.count-is.reported), slog.String("cause", is.cause))
	is.logged, is.reported = now, is.count
}

func (o *outages) end(kind string, is *outage) {
	o.line(slog.LevelWarn, "no more requests are answered 503", kind, is)
	delete(o.open, kind)
}

func (o *outages) line(level slog.Level, text, kind string, is *outage, more ...slog.Attr) {
	attrs := append([]slog.Attr{slog.String("for", kind), slog.Int("requests", is.count), slog.Time("since", is.since.UTC()),
		slog.String("lasted", is.last.Sub(is.since).Round(100*time.Millisecond).String())}, more...)
	o.log.LogAttrs(context.Background(), level, text, attrs...)
}

// firstTry reports whether the session has not been sent back in this outage. When too many are known, all
// others count as new: coming early costs little.
func (o *outages) firstTry(kind string, session string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	is := o.open[kind]
	if is == nil {
		return true
	}
	if _, known := is.early[session]; known {
		return false
	}
	if len(is.early) < maxEarly {
		if is.early == nil {
			is.early = map[string]struct{}{}
		}
		is.early[session] = struct{}{}
	}
	return true
}

// Bounds of Retry-After, before the spread.
const (
	retryAtFirst = time.Second
	retryAtMost  = 20 * time.Second
	retryHashing = 2 * time.Second // a queue is short or it is full; it is no outage that lasts
)

// retryAfter is how long a caller is asked to wait when a dependency has failed for age. It grows from 1 s
// to 20 s, ±50 %: random is from 0 to 1. Without the spread all callers would come back at once.
func retryAfter(kind string, age time.Duration, random float64) time.Duration {
	wait := min(retryAtFirst+max(age, 0)/3, retryAtMost)
	if kind == DependencyHashing {
		if age <= 0 {
			return retryAtFirst // a full queue is empty in a second
		}
		wait = min(wait, retryHashing)
	}
	return time.Duration(float64(wait) * (0.5 + random))
}

// earlyRetry shortens wait for a request whose first retry must come within left. Time for the way is left out.
func earlyRetry(wait, left time.Duration) time.Duration {
	const travel = time.Second
	return min(wait, max(left-travel, time.Second).Truncate(time.Second))
}

// pace sets Retry-After of a request that a dependency failed. All but the first of an outage leave their
// line in the log to its summary.
func (s *Server) pace(r *Request, refused *Error) *Error {
	if refused.Status != http.StatusServiceUnavailable || refused.RetryAfter != 0 || r.hungUp(refused) {
		return refused
	}
	now, kind := s.cfg.Now(), s.cfg.Dependency(refused)
	age, first := s.outages.observe(now, kind, refused.Reason())
	r.inSummary = !first
	paced := *refused
	paced.RetryAfter = retryAfter(kind, age, s.cfg.Random())
	if !r.RetryBefore.IsZero() && s.outages.firstTry(kind, r.SessionID) {
		paced.RetryAfter = earlyRetry(paced.RetryAfter, r.RetryBefore.Sub(now))
	}
	return &paced
}

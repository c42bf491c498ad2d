// Package outage counts requests that are answered 503 because a dependency failed, so that the log has a few
// lines of an outage and not one for each request, and so that Retry-After grows with it.
package outage

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Dependencies that can fail, the kinds of an outage. Each has its own lines in the log and its own Retry-After.
const (
	Store    = "store"
	Signing  = "signing"
	Clock    = "clock"
	Hashing  = "password hashing"
	Upstream = "upstream"
	Other    = "other"
)

const (
	quietFor     = 10 * time.Second // without a 503 of the kind: it is over
	summaryEvery = 5 * time.Second  // between two lines about one outage
)

// Log has the outages of one server. Its methods may be called concurrently.
type Log struct {
	log *slog.Logger

	mu   sync.Mutex
	open map[string]*outage
}

// New returns a Log that writes to log.
func New(log *slog.Logger) *Log { return &Log{log: log} }

type outage struct {
	since, last, logged time.Time
	count, reported     int
	cause               string
	early               map[string]struct{} // sessions that were sent back to come again early
}

// maxEarly bounds outage.early.
const maxEarly = 4096

// Observe counts one request. first reports whether it is the first of its outage: its own line in the log
// is the beginning. age is how long the outage has lasted.
func (o *Log) Observe(now time.Time, kind, cause string) (age time.Duration, first bool) {
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

func (o *Log) over(now time.Time, is *outage) bool {
	quiet := now.Sub(is.last)
	return quiet < 0 || quiet > quietFor
}

// Summarise writes the lines that are due about outages without new requests.
func (o *Log) Summarise(now time.Time) {
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

func (o *Log) summarise(now time.Time, kind string, is *outage) {
	if is.count == is.reported || now.Sub(is.logged) < summaryEvery {
		return
	}
	o.line(slog.LevelError, "requests are answered 503", kind, is, slog.Int("since_last_line", is.count-is.reported), slog.String("cause", is.cause))
	is.logged, is.reported = now, is.count
}

func (o *Log) end(kind string, is *outage) {
	o.line(slog.LevelWarn, "no more requests are answered 503", kind, is)
	delete(o.open, kind)
}

func (o *Log) line(level slog.Level, text, kind string, is *outage, more ...slog.Attr) {
	attrs := append([]slog.Attr{slog.String("for", kind), slog.Int("requests", is.count), slog.Time("since", is.since.UTC()),
		slog.String("lasted", is.last.Sub(is.since).Round(100*time.Millisecond).String())}, more...)
	o.log.LogAttrs(context.Background(), level, text, attrs...)
}

// FirstTry reports whether the session has not been sent back in this outage. When too many are known, all
// others count as new: coming early costs little.
func (o *Log) FirstTry(kind string, session string) bool {
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

// RetryAfter is how long a caller is asked to wait when a dependency has failed for age. It grows from 1 s
// to 20 s, ±50 %: random is from 0 to 1. Without the spread all callers would come back at once.
func RetryAfter(kind string, age time.Duration, random float64) time.Duration {
	wait := min(retryAtFirst+max(age, 0)/3, retryAtMost)
	if kind == Hashing {
		if age <= 0 {
			return retryAtFirst // a full queue is empty in a second
		}
		wait = min(wait, retryHashing)
	}
	return time.Duration(float64(wait) * (0.5 + random))
}

// EarlyRetry shortens wait for a request whose first retry must come within left. Time for the way is left out.
func EarlyRetry(wait, left time.Duration) time.Duration {
	const travel = time.Second
	return min(wait, max(left-travel, time.Second).Truncate(time.Second))
}

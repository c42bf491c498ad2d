package loglimit

import (
	"cmp"
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Limit bounds how much is recorded in one window.
type Limit struct {
	Window time.Duration
	PerKey int // of one Key
	Total  int // of all keys together
	Keys   int // that are counted apart; what exceeds them is counted together by type
}

// Key is what a Limiter counts by.
type Key struct {
	Type    string
	Client  string       // empty: unknown, or not authenticated as any
	Network netip.Prefix // of the caller; the zero Prefix: unknown, or many
}

// Summary is what a window has left out for one key.
type Summary struct {
	Key
	More    int    // how many were left out
	Address string // of the last of them
	Since   time.Time
	Until   time.Time
}

// maxSummaries bounds the summaries of one window. Beyond it the smallest counts are added up by type.
const maxSummaries = 50

// Limiter decides what is recorded and counts the rest. Its memory is bounded by Limit.Keys. The zero
// value records nothing; use NewLimiter.
type Limiter struct {
	limit Limit

	mu     sync.Mutex
	since  time.Time // beginning of the window
	total  int       // recorded in it
	counts map[Key]*count
	ended  []Summary // of windows that are over, not yet taken
}

type count struct {
	recorded, more int
	address        string
}

// NewLimiter returns a Limiter. Every field of limit must be positive.
func NewLimiter(limit Limit) *Limiter {
	return &Limiter{limit: limit, counts: map[Key]*count{}}
}

// Allow counts one occurrence and reports whether it may be recorded. The cost is the same whatever the
// answer is.
func (l *Limiter) Allow(now time.Time, key Key, address string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.roll(now)
	c := l.count(key)
	if l.total >= l.limit.Total || c.recorded >= l.limit.PerKey {
		c.more++
		c.address = address
		return false
	}
	c.recorded++
	l.total++
	return true
}

func (l *Limiter) count(key Key) *count {
	if c := l.counts[key]; c != nil {
		return c
	}
	if len(l.counts) >= l.limit.Keys {
		key = Key{Type: key.Type}
		if c := l.counts[key]; c != nil {
			return c
		}
	}
	c := &count{}
	l.counts[key] = c // types are few, so this exceeds Limit.Keys by little
	return c
}

// roll ends the window if it is over. A clock that went back ends it as well.
func (l *Limiter) roll(now time.Time) {
	if age := now.Sub(l.since); age >= 0 && age < l.limit.Window {
		return
	}
	l.end(now)
}

func (l *Limiter) end(now time.Time) {
	var list []Summary
	for key, c := range l.counts {
		if c.more > 0 {
			list = append(list, Summary{Key: key, More: c.more, Address: c.address, Since: l.since, Until: minTime(now, l.since.Add(l.limit.Window))})
		}
	}
	slices.SortFunc(list, func(a, b Summary) int {
		return cmp.Or(cmp.Compare(b.More, a.More), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Client, b.Client), a.Network.Compare(b.Network))
	})
	list = merge(list)
	if len(l.ended) < 4*maxSummaries {
		l.ended = append(l.ended, list...)
	}
	clear(l.counts)
	l.since, l.total = now, 0
}

// merge adds up what exceeds maxSummaries, by type.
func merge(list []Summary) []Summary {
	if len(list) <= maxSummaries {
		return list
	}
	kept, rest := list[:maxSummaries:maxSummaries], list[maxSummaries:]
	byType := map[string]int{}
	for _, s := range rest {
		at, ok := byType[s.Type]
		if !ok {
			at = len(kept)
			byType[s.Type] = at
			kept = append(kept, Summary{Key: Key{Type: s.Type}, Since: s.Since, Until: s.Until})
		}
		kept[at].More += s.More
	}
	return kept
}

// Ended returns the summaries of the windows that have ended by now, each once.
func (l *Limiter) Ended(now time.Time) []Summary {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.counts) > 0 {
		l.roll(now)
	}
	ended := l.ended
	l.ended = nil
	return ended
}

// Flush ends the window that is open and returns its summaries too.
func (l *Limiter) Flush(now time.Time) []Summary {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end(now)
	ended := l.ended
	l.ended = nil
	return ended
}

func minTime(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// Lines limits lines of the log about refusals. It is wider than the limits of the audit trail: a log is
// searched and rotated, so a flood pushes nothing out of it.
var Lines = Limit{Window: time.Minute, PerKey: 100, Total: 1000, Keys: 2048}

// Log writes a line for each count of lines that were left out. message is the message of those lines.
func Log(log *slog.Logger, message string, list []Summary) {
	for _, s := range list {
		attrs := []slog.Attr{slog.String("of", message), slog.String("type", s.Type), slog.Int("more", s.More), slog.Time("since", s.Since.UTC())}
		if s.Client != "" {
			attrs = append(attrs, slog.String("client_id", s.Client))
		}
		if s.Network.IsValid() {
			attrs = append(attrs, slog.String("network", s.Network.String()))
		}
		log.LogAttrs(context.Background(), slog.LevelInfo, "more lines of this kind were left out", attrs...)
	}
}

package redis

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync/atomic"
	"time"

	"signet/store"
	"signet/store/redis/layout"
)

// A subscription can be dead without an error: an ACL without the channel, a proxy that drops what
// nobody asked for. Then hints are lost silently and changes wait for the next poll. So each replica
// sends a hint to itself, and counts how long ago the last one arrived.

// hintPing is the kind of hint that a replica sends to itself; ID says to whom.
const hintPing store.ChangeKind = "ping"

const (
	pingEvery = 20 * time.Second
	deafAfter = 3 * pingEvery
)

// hintPings is what a replica knows about its own subscription.
type hintPings struct {
	self  string
	heard atomic.Int64 // Unix milliseconds
}

func (p *hintPings) init() {
	p.self = rand.Text()
	p.heard.Store(time.Now().UnixMilli())
}

// take reports whether the hint was a ping, and counts one of our own.
func (p *hintPings) take(h store.ChangeEvent) bool {
	if h.Kind != hintPing {
		return false
	}
	if h.ID == p.self {
		p.heard.Store(time.Now().UnixMilli())
	}
	return true
}

func (p *hintPings) age() time.Duration {
	return max(0, time.Duration(time.Now().UnixMilli()-p.heard.Load())*time.Millisecond)
}

// pingHints sends a ping every so often, until ctx ends, and logs when they stop to arrive.
func (s *Store) pingHints(ctx context.Context, every, deafAfter time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	deaf := false
	key := s.key.Of(layout.Beats)
	var err error
	for {
		// The first ping goes when the keyring has been read: it decides which master key seals.
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if is := s.pings.age() > deafAfter; is != deaf && (err == nil || !is) {
			deaf = is
			if deaf {
				s.log.Warn("hints of Redis do not arrive: what other replicas change is noticed at the next poll only; is the channel allowed to this ACL user?",
					slog.String("channel", s.key.Of(layout.Hints)))
			} else {
				s.log.Info("hints of Redis arrive again")
			}
		}
		err = s.conn.Do(ctx, "sending a hint", s.publish(key, message{Hint: &store.ChangeEvent{Kind: hintPing, ID: s.pings.self}}))
	}
}

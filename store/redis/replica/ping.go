package replica

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync/atomic"
	"time"

	"signet/store"
	"signet/store/redis/layout"
)

// A subscription can be dead without an error: an ACL without the channel, a proxy that drops messages
// without a request. Then notifications are lost silently and changes wait for the next poll. So each replica
// sends a message to itself, and measures how long ago the last one arrived.

// kindPing is the kind of event that a replica sends to itself; ID is the name of its Channel.
const kindPing store.ChangeKind = "ping"

const (
	pingEvery = 20 * time.Second
	deafAfter = 3 * pingEvery
)

type pings struct {
	self     string
	received *atomic.Int64 // when its own last ping arrived, in Unix milliseconds
}

func newPings() pings {
	p := pings{self: rand.Text(), received: &atomic.Int64{}}
	p.received.Store(time.Now().UnixMilli())
	return p
}

// take reports whether the event is a ping, and notes when one of our own arrives.
func (p pings) take(e store.ChangeEvent) bool {
	if e.Kind != kindPing {
		return false
	}
	if e.ID == p.self {
		p.received.Store(time.Now().UnixMilli())
	}
	return true
}

func (p pings) age() time.Duration {
	return max(0, time.Duration(time.Now().UnixMilli()-p.received.Load())*time.Millisecond)
}

// Age is the time since the last message that this replica has sent to itself arrived.
func (c *Channel) Age() time.Duration { return c.pings.age() }

// Ping sends pings until ctx ends, and logs when they stop to arrive.
func (c *Channel) Ping(ctx context.Context) { c.ping(ctx, pingEvery, deafAfter) }

func (c *Channel) ping(ctx context.Context, every, deafAfter time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	deaf := false
	key := c.key.Of(layout.Beats)
	var err error
	for {
		// The first ping goes when the keyring has been read: it decides which master key seals.
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if is := c.pings.age() > deafAfter; is != deaf && (err == nil || !is) {
			deaf = is
			if deaf {
				c.log.Warn("hints of Redis do not arrive: what other replicas change is noticed at the next poll only; is the channel allowed to this ACL user?",
					slog.String("channel", c.key.Of(layout.Hints)))
			} else {
				c.log.Info("hints of Redis arrive again")
			}
		}
		err = c.conn.Do(ctx, "sending a hint", c.publish(key, Message{Hint: &store.ChangeEvent{Kind: kindPing, ID: c.pings.self}}))
	}
}

package replica

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
	"signet/store/redis/redistest"
	"signet/store/redis/revocation"
)

type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// TestDeadSubscription: an ACL user may not read the channel. The age of the last hint grows and the log
// reports it; with a live subscription it stays young.
func TestDeadSubscription(t *testing.T) {
	for name, dead := range map[string]bool{"live": false, "dead": true} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t, redistest.Config{})
			log := &logBuffer{}
			cn, err := conn.New(conn.Config{Mode: conn.Standalone, Addrs: []string{server.Addr()}, Timeout: 10 * time.Second,
				Barrier: layout.Keyspace("").Barrier, Connected: func() {}, Observe: func(context.Context, string, time.Duration, error) {}})
			if err != nil {
				t.Fatal(err)
			}
			defer cn.Close()
			c := NewChannel(cn, "signet", &layout.Codec{}, revocation.NewLog(), slog.New(slog.NewTextHandler(log, nil)))
			ctx, cancel := context.WithCancel(t.Context())
			var running sync.WaitGroup
			defer running.Wait()
			defer cancel()
			if !dead {
				running.Go(func() { c.Listen(ctx) })
			}
			c.pings.received.Store(0)
			running.Go(func() { c.ping(ctx, 20*time.Millisecond, time.Hour) })
			const young = time.Minute
			deadline := time.After(10 * time.Second)
			for (c.Age() > young) != dead || dead && !strings.Contains(log.String(), "hints of Redis do not arrive") {
				select {
				case <-deadline:
					t.Fatalf("the last hint is %v old; log: %s", c.Age(), log)
				case <-time.After(5 * time.Millisecond):
				}
			}
		})
	}
}

// TestPingIsNoHint: subscribers do not get pings.
func TestPingIsNoHint(t *testing.T) {
	p := newPings()
	if !p.take(store.ChangeEvent{Kind: kindPing, ID: "other"}) || p.take(store.ChangeEvent{Kind: store.ClientChanged, ID: "web"}) {
		t.Error("a ping is taken for a hint, or a hint for a ping")
	}
}

package redis

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/store"
	"signet/store/redis/redistest"
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
// says so; with a live subscription it stays young.
func TestDeadSubscription(t *testing.T) {
	for name, dead := range map[string]bool{"live": false, "dead": true} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t, redistest.Config{})
			log := &logBuffer{}
			s := mustOpen(t, Config{Addrs: []string{server.Addr()}, Log: slog.New(slog.NewTextHandler(log, nil))})
			s.stop()
			s.running.Wait()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if !dead {
				s.running.Go(func() { s.listen(ctx) })
			}
			s.pings.heard.Store(0)
			s.running.Go(func() { s.pingHints(ctx, 20*time.Millisecond, time.Hour) })
			const young = time.Minute
			deadline := time.After(10 * time.Second)
			for (s.Stats().HintAge > young) != dead || dead && !strings.Contains(log.String(), "hints of Redis do not arrive") {
				select {
				case <-deadline:
					t.Fatalf("the last hint is %v old; log: %s", s.Stats().HintAge, log)
				case <-time.After(5 * time.Millisecond):
				}
			}
		})
	}
}

// TestPingIsNoHint: whoever watches is not told of pings.
func TestPingIsNoHint(t *testing.T) {
	var p hintPings
	p.init()
	if !p.take(store.ChangeEvent{Kind: hintPing, ID: "other"}) || p.take(store.ChangeEvent{Kind: store.ClientChanged, ID: "web"}) {
		t.Error("a ping is taken for a hint, or a hint for a ping")
	}
}

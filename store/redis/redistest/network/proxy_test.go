package network_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"signet/store/redis/redistest"
	"signet/store/redis/redistest/network"
)

var errNotYet = errors.New("not yet")

// through returns a client of s that goes through p and retries nothing.
func through(t *testing.T, s *redistest.Server, p *network.Proxy) *redis.Client {
	o := hasty(s)
	o.Addr = p.Addr()
	c := redis.NewClient(o)
	t.Cleanup(func() { c.Close() })
	return c
}

// hasty options retry nothing, and leave it to the context when to give up.
func hasty(s *redistest.Server) *redis.Options {
	o := s.Options()
	o.MaxRetries, o.DialerRetries, o.ContextTimeoutEnabled = -1, 1, true
	o.ReadTimeout, o.WriteTimeout = time.Minute, time.Minute
	return o
}

func incr(t *testing.T, c *redis.Client) error { return incrWithin(t, c, time.Minute) }

func incrWithin(t *testing.T, c *redis.Client, atMost time.Duration) error {
	ctx, cancel := context.WithTimeout(t.Context(), atMost)
	defer cancel()
	return c.Incr(ctx, "n").Err()
}

func isTimeout(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}

func TestProxyCut(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Config{})
	p := network.NewProxy(t, s.Addr())
	c := through(t, s, p)
	if err := incr(t, c); err != nil {
		t.Fatal(err)
	}
	p.Cut()
	// The client may meet its closed connection first, and then find that there is no new one.
	redistest.Wait(t, "a connection to be refused", func() error {
		if err := incr(t, c); !errors.Is(err, syscall.ECONNREFUSED) {
			return errNotYet
		}
		return nil
	})
	p.Heal()
	if err := incr(t, c); err != nil {
		t.Errorf("healed: got %v", err)
	}
	if got := p.Counts(); got.Cut != 1 || got.Connections != 2 {
		t.Errorf("got %+v, want 1 connection cut of 2", got)
	}
	if got := s.Do("get", "n"); got != "2" {
		t.Errorf("n: got %v, want 2", got)
	}
}

func TestProxyLeadTo(t *testing.T) {
	t.Parallel()
	first, second := redistest.Start(t, redistest.Config{}), redistest.Start(t, redistest.Config{})
	p := network.NewProxy(t, first.Addr())
	c := through(t, first, p)
	if err := incr(t, c); err != nil {
		t.Fatal(err)
	}
	p.LeadTo(second.Addr())
	redistest.Wait(t, "the client to notice", func() error { return incr(t, c) })
	if got := p.Counts(); got.Cut != 1 || got.Connections != 2 {
		t.Errorf("got %+v, want 1 connection cut of 2", got)
	}
	for _, s := range []*redistest.Server{first, second} {
		if got := s.Do("get", "n"); got != "1" {
			t.Errorf("n at %s: got %v, want 1", s.Addr(), got)
		}
	}
}

func TestProxyHold(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Config{})
	p := network.NewProxy(t, s.Addr())
	c := through(t, s, p)
	if err := incr(t, c); err != nil {
		t.Fatal(err)
	}
	p.Hold()
	for _, which := range []string{"an open connection", "a new connection"} {
		if err := incrWithin(t, c, 200*time.Millisecond); !isTimeout(err) {
			t.Errorf("%s, held: got %v, want a timeout", which, err)
		}
	}
	if got := s.Do("get", "n"); got != "1" {
		t.Errorf("n while held: got %v, want 1", got)
	}
	redistest.Wait(t, "both connections to be held", func() error {
		if got := p.Counts(); got.Held < 2 || got.Connections != 2 {
			return fmt.Errorf("got %+v", got)
		}
		return nil
	})
	p.Heal()
	redistest.Wait(t, "the late request", func() error {
		if got := s.Do("get", "n"); got != "2" {
			return errNotYet
		}
		return nil
	})
	if err := incr(t, c); err != nil {
		t.Errorf("healed: got %v", err)
	}
}

func TestProxyDelay(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Config{})
	p := network.NewProxy(t, s.Addr())
	c := through(t, s, p)
	if err := incr(t, c); err != nil {
		t.Fatal(err)
	}
	const delay = 50 * time.Millisecond
	p.Delay(delay)
	begin := time.Now()
	if err := incr(t, c); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took < delay {
		t.Errorf("took %v, want at least %v", took, delay)
	}
	if got := p.Counts().Delayed; got != 1 {
		t.Errorf("delayed: got %d, want 1", got)
	}
	p.Heal()
	if err := incr(t, c); err != nil || p.Counts().Delayed != 1 {
		t.Errorf("healed: got %v and %+v", err, p.Counts())
	}
}

func TestProxyLosesReplies(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		commands []string
	}{{"all", nil}, {"by name", []string{"incr"}}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t, redistest.Config{})
			p := network.NewProxy(t, s.Addr())
			c := through(t, s, p)
			if err := incr(t, c); err != nil {
				t.Fatal(err)
			}
			p.LoseReplies(test.commands...)
			if err := incr(t, c); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("got %v, want a connection that ended", err)
			}
			if got := s.Do("get", "n"); got != "2" {
				t.Errorf("n: got %v, want 2: it must have happened", got)
			}
			if got := p.Counts(); got.Lost != 1 {
				t.Errorf("got %+v, want 1 lost", got)
			}
			// With a name, other commands still work, also on a new connection, and also when the
			// name is one of their arguments.
			if err := c.MGet(t.Context(), "n", "incr").Err(); (err == nil) != (test.commands != nil) {
				t.Errorf("another command: got %v", err)
			}
			p.Heal()
			if err := incr(t, c); err != nil {
				t.Errorf("healed: got %v", err)
			}
		})
	}
}

func TestProxyOfADeadServer(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Config{})
	p := network.NewProxy(t, s.Addr())
	c := through(t, s, p)
	if err := incr(t, c); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	for range 3 {
		if err := incr(t, c); err == nil {
			t.Fatal("got no error")
		}
	}
	s.Restart()
	if err := incr(t, c); err != nil {
		t.Errorf("restarted: got %v", err)
	}
}

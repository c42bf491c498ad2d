package redistest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"signet/store/redis/redistest/network"
)

func TestServerSurvivesInPlace(t *testing.T) {
	t.Parallel()
	s := Start(t, Config{Persist: true, Password: "secret", Conf: []string{"maxmemory 64mb"}})
	c, addr := s.Client(), s.Addr()
	set := func(value string) {
		t.Helper()
		if err := c.Set(t.Context(), "k", value, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	want := func(when, value string) {
		t.Helper()
		if got, err := c.Get(t.Context(), "k").Result(); got != value || err != nil && !errors.Is(err, redis.Nil) {
			t.Errorf("%s: got %q and %v, want %q", when, got, err, value)
		}
	}
	set("1")
	if got := s.Info("memory")["maxmemory"]; got != "67108864" {
		t.Errorf("maxmemory: got %q, want what Conf says", got)
	}
	s.Kill()
	if s.Running() {
		t.Error("it runs after Kill")
	}
	if _, err := s.Try("ping"); err == nil {
		t.Error("Try after Kill: got no error")
	}
	s.Restart()
	want("after Kill and Restart", "1")
	set("2")
	s.Stop()
	s.Restart()
	want("after Stop and Restart", "2")
	s.Restart()
	want("after Restart", "2")
	s.Stop()
	s.Wipe()
	s.Restart()
	want("after Wipe", "")
	if s.Addr() != addr {
		t.Errorf("address: got %s, was %s", s.Addr(), addr)
	}

	set("3")
	s.Stop()
	again := Start(t, Config{Persist: true, Dir: s.Dir()})
	if got := again.Do("get", "k"); got != "3" {
		t.Errorf("a new server on the same data: got %v, want 3", got)
	}
	if got := again.Do("get", "nothing"); got != nil {
		t.Errorf("nil reply: got %v", got)
	}
}

func TestPasswordIsNeeded(t *testing.T) {
	t.Parallel()
	s := Start(t, Config{Password: "secret"})
	o := s.Options()
	o.Password = ""
	c := redis.NewClient(o)
	defer c.Close()
	if err := c.Ping(t.Context()).Err(); err == nil || !strings.HasPrefix(err.Error(), "NOAUTH") {
		t.Errorf("without the password: got %v, want NOAUTH", err)
	}
}

func TestFreeze(t *testing.T) {
	t.Parallel()
	s := Start(t, Config{})
	c := redis.NewClient(hasty(s))
	defer c.Close()
	if err := c.Incr(t.Context(), "n").Err(); err != nil {
		t.Fatal(err)
	}
	s.Freeze()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := c.Incr(ctx, "n").Err()
	if !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("frozen: got %v, want a timeout", err)
	}
	if !s.Running() {
		t.Error("a frozen server does not run")
	}
	s.Thaw()
	s.Do("ping")
	s.Freeze() // and a frozen server ends with its test
}

func TestServersEndWithTheirTest(t *testing.T) {
	Need(t)
	t.Parallel()
	var s *Server
	t.Run("inner", func(t *testing.T) { s = Start(t, Config{}) })
	if s.Running() {
		t.Error("the server still runs")
	}
	if _, err := os.Stat(filepath.Dir(s.Dir())); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its directory: got %v, want it gone", err)
	}
}

func TestPortsAreUnique(t *testing.T) {
	t.Parallel()
	seen := map[int]bool{}
	for range 200 {
		port := network.FreePort(t)
		if seen[port] {
			t.Fatalf("port %d came twice", port)
		}
		seen[port] = true
	}
}

var errNotYet = errors.New("not yet")

// hasty options retry nothing, and leave it to the context when to give up.
func hasty(s *Server) *redis.Options {
	o := s.Options()
	o.MaxRetries, o.DialerRetries, o.ContextTimeoutEnabled = -1, 1, true
	o.ReadTimeout, o.WriteTimeout = patience, patience
	return o
}

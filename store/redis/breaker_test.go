package redis

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sony/gobreaker/v2"

	"signet/store"
	"signet/store/redis/redistest"
)

// TestBreaker: after repeated failures callers are answered at once and the server is left alone,
// but for one call a second. When that one succeeds, all go through again.
func TestBreaker(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for a second; the full suite has it")
	}
	t.Parallel()
	stub := newReplies(t)
	s := openUnaware(t, rest(Config{Addrs: []string{stub.Addr()}, Timeout: 30 * time.Second})) // its looks would count
	x := newSubject()
	ask := func() error {
		_, err := s.User(t.Context(), x.user.ID)
		return err
	}
	stub.always("") // the connection is closed
	s.deps.Conn.ForgetFailures()
	for range 10 {
		if err := ask(); !isUnavailable(err) || errors.Is(err, gobreaker.ErrOpenState) {
			t.Fatalf("got error %v, want that of the connection", err)
		}
	}
	if got := s.Stats().BreakersOpen; got != 1 {
		t.Fatalf("breakers open after ten failures: got %d, want 1", got)
	}

	asked, begun := stub.broken.Load(), time.Now()
	for range 1000 {
		if err := ask(); !isUnavailable(err) {
			t.Fatalf("got error %v, want ErrUnavailable", err)
		}
	}
	probes := int64(time.Since(begun)/time.Second) + 1
	if got := stub.broken.Load() - asked; got > probes {
		t.Errorf("the server was asked %d times in the meantime, want %d at most", got, probes)
	}

	// The next probe is kept waiting; nobody else may get through meanwhile.
	let := make(chan struct{})
	var entered, refused atomic.Int64
	probe := func([]string) string {
		entered.Add(1)
		<-let
		return "$-1\r\n"
	}
	stub.to.Store(&probe)
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for {
				if err := ask(); errors.Is(err, store.ErrNotFound) {
					return // it works again
				} else if !isUnavailable(err) {
					t.Errorf("got error %v", err)
					return
				}
				refused.Add(1)
				time.Sleep(time.Millisecond) // a real caller would come back later
			}
		})
	}
	redistest.Wait(t, "a probe", func() error {
		if entered.Load() == 0 {
			return errors.New("nobody has asked")
		}
		return nil
	})
	before := refused.Load()
	redistest.Wait(t, "others to be refused", func() error {
		if n := refused.Load() - before; n < 100 {
			return fmt.Errorf("%d were", n)
		}
		return nil
	})
	if got := entered.Load(); got != 1 {
		t.Errorf("%d calls got through while one was trying, want 1", got)
	}
	close(let)
	callers.Wait()
	if got := s.Stats().BreakersOpen; got != 0 {
		t.Errorf("breakers open afterwards: got %d, want 0", got)
	}
}

// TestRefusalsDoNotTrip: a server that refuses one thing at once is asked for the next.
func TestRefusalsDoNotTrip(t *testing.T) {
	t.Parallel()
	stub := newReplies(t)
	s := mustOpen(t, rest(Config{Addrs: []string{stub.Addr()}, Timeout: 30 * time.Second}))
	for text, trips := range map[string]bool{
		"OOM command not allowed when used memory > 'maxmemory'.":                           false,
		"MISCONF Redis is configured to save RDB snapshots":                                 false,
		"READONLY You can't write against a read only replica.":                             false,
		"NOREPLICAS Not enough good replicas to write.":                                     false,
		"NOPERM this user has no permissions":                                               false,
		"LOADING Redis is loading the dataset in memory":                                    true,
		"NOAUTH Authentication required.":                                                   true,
		"ERR Error running script (call to f_1): @user_script: 7: -OOM command not allowed": false,
		"ERR something else":                                                                true,
	} {
		stub.always("-" + text + "\r\n")
		for range 50 {
			_, err := s.User(t.Context(), newSubject().user.ID)
			if !isUnavailable(err) {
				t.Fatalf("%s: got error %v", text, err)
			}
		}
		if got := s.Stats().BreakersOpen == 1; got != trips {
			t.Errorf("%s: open is %v, want %v", text, got, trips)
		}
		s.deps.Conn.ForgetFailures()
	}
}

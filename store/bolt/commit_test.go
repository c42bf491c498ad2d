package bolt

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"signet/store"
	"signet/store/bolt/file"
)

// gate holds commits back, so that a batch can form behind one, and counts them.
type gate struct {
	open    chan struct{}
	entered chan struct{}
	commits atomic.Int32
}

func newGate(s *Store) *gate {
	g := &gate{open: make(chan struct{}), entered: make(chan struct{}, 1000)}
	commit := func(tx *bbolt.Tx) error {
		g.commits.Add(1)
		g.entered <- struct{}{}
		<-g.open
		return tx.Commit()
	}
	s.commit.Store(&commit)
	return g
}

func (s *Store) queued() int {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	return len(s.queue.next.requests)
}

// hold begins a write and leaves it inside its commit.
func (g *gate) hold(t *testing.T, s *Store, wg *sync.WaitGroup) {
	wg.Go(func() {
		if err := s.CreateClient(context.Background(), store.Client{ID: "first"}); err != nil {
			t.Errorf("CreateClient: %v", err)
		}
	})
	<-g.entered
}

func waitFor(t *testing.T, what string, ready func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ready(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
	}
}

func testStore(t testing.TB) *Store { return mustOpen(t, filepath.Join(t.TempDir(), "signet.db")) }

// TestGroupCommit: what arrives during a commit shares the next one, and who fails fails alone.
func TestGroupCommit(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	g := newGate(s)
	var wg sync.WaitGroup
	g.hold(t, s, &wg)

	ctx := context.Background()
	var good, exists, spoilt, panicked atomic.Int32
	write := func(n *atomic.Int32, id string, then func() error) {
		wg.Go(func() {
			err := s.update(ctx, func(t *txn) error {
				if t.get(bucketClients, []byte(id)) != nil {
					return store.ErrExists
				}
				if err := t.put(bucketClients, []byte(id), fmt.Appendf(nil, `{"client_id":%q}`, id)); err != nil {
					return err
				}
				return then()
			})
			if err != nil && n == &good {
				t.Errorf("a neighbour of failing requests got %v", err)
			}
			if err == nil && n != &good {
				t.Errorf("a failing request got no error")
			}
			n.Add(1)
		})
	}
	fine := func() error { return nil }
	for i := range 20 {
		write(&good, fmt.Sprint("good", i), fine)
	}
	write(&exists, "first", fine)
	write(&spoilt, "spoilt", func() error { return errors.New("after it wrote") })
	write(&panicked, "panicked", func() error { panic("at the disco") })
	waitFor(t, "the batch", func() bool { return s.queued() == 23 })
	close(g.open)
	wg.Wait()

	if n := g.commits.Load(); n != 2 {
		t.Errorf("got %d commits, want one for the first and one for all others", n)
	}
	list, err := s.ListClients(ctx, "", 100)
	must(t, err)
	if len(list) != 21 {
		t.Errorf("got %d clients, want the first and twenty: no trace of those that failed", len(list))
	}
	must(t, s.CreateClient(ctx, store.Client{ID: "after"}))
}

// TestNothingToCommit: a request that changes nothing costs no fsync.
func TestNothingToCommit(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	g := newGate(s)
	close(g.open)
	_, err := s.RevokeSession(context.Background(), store.UserID{1}, store.SessionID{1})
	must(t, err)
	if n := g.commits.Load(); n != 0 {
		t.Errorf("got %d commits, want none", n)
	}
}

// TestAbandoned: who gives up waits no longer, and what was not begun is never done.
func TestAbandoned(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	g := newGate(s)
	var wg sync.WaitGroup
	g.hold(t, s, &wg)
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error)
	go func() { result <- s.CreateClient(ctx, store.Client{ID: "abandoned"}) }()
	waitFor(t, "the request", func() bool { return s.queued() == 1 })
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) || !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable and the context's error", err)
	}
	close(g.open)
	wg.Wait()
	must(t, s.CreateClient(context.Background(), store.Client{ID: "next"}))
	if _, err := s.Client(context.Background(), "abandoned"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the abandoned write: got %v, want ErrNotFound", err)
	}
}

// TestCommitFails: everybody in the batch hears of it, Ping too, and it passes.
func TestCommitFails(t *testing.T) {
	t.Parallel()
	clock := time.Now()
	path := filepath.Join(t.TempDir(), "signet.db")
	s, err := Open(path, Options{Create: true, Now: func() time.Time { return clock }})
	must(t, err)
	defer s.Close()
	ctx := context.Background()
	must(t, s.CreateClient(ctx, store.Client{ID: "taken"}))
	clear := s.injectFault(0)
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			err := s.CreateClient(ctx, store.Client{ID: fmt.Sprint(i)})
			if !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, errInjected) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v, want ErrUnavailable, the cause and the path", err)
			}
		})
	}
	wg.Wait()
	if err := s.Ping(ctx); !errors.Is(err, errInjected) {
		t.Errorf("Ping: got %v, want the last failure", err)
	}
	clear()
	if err := s.Ping(ctx); !errors.Is(err, errInjected) {
		t.Errorf("Ping within a second: got %v, want the last failure and no new try", err)
	}
	clock = clock.Add(probeEvery)
	if err := s.Ping(ctx); err != nil {
		t.Errorf("Ping, which has tried again: %v", err)
	}
}

// TestBrokenEngine: after a panic inside a commit nothing more is written to a file in doubt.
func TestBrokenEngine(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	ctx := context.Background()
	commit := func(tx *bbolt.Tx) error { tx.Rollback(); panic("page 7 already freed") }
	s.commit.Store(&commit)
	if err := s.CreateClient(ctx, store.Client{ID: "a"}); !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, file.ErrDamaged) {
		t.Errorf("got %v, want ErrUnavailable and damage", err)
	}
	s.commit.Store(nil)
	if err := s.CreateClient(ctx, store.Client{ID: "b"}); !errors.Is(err, file.ErrDamaged) {
		t.Errorf("the next write: got %v, want the damage", err)
	}
	if err := s.Ping(ctx); !errors.Is(err, file.ErrDamaged) {
		t.Errorf("Ping: got %v, want the damage", err)
	}
	if _, err := s.ListClients(ctx, "", 1); err != nil {
		t.Errorf("reading goes on: got %v", err)
	}
}

// TestClosedWithWaiters: Close commits what was accepted before it.
func TestClosedWithWaiters(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "signet.db")
	s := mustOpen(t, path)
	g := newGate(s)
	var wg sync.WaitGroup
	g.hold(t, s, &wg)
	for i := range 5 {
		wg.Go(func() {
			if err := s.CreateClient(context.Background(), store.Client{ID: fmt.Sprint(i)}); err != nil {
				t.Errorf("CreateClient: %v", err)
			}
		})
	}
	waitFor(t, "the batch", func() bool { return s.queued() == 5 })
	wg.Go(func() { s.Close() })
	waitFor(t, "Close", s.closed.Load)
	close(g.open)
	wg.Wait()
	list, err := mustOpen(t, path).ListClients(context.Background(), "", 10)
	must(t, err)
	if len(list) != 6 {
		t.Errorf("got %d clients, want 6", len(list))
	}
}

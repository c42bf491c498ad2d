package commit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"signet/store"
	"signet/store/bolt/file"
	"signet/store/bolt/layout"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// open opens the file at path, and makes it where there is none.
func open(t testing.TB, path string, cfg Config) *DB {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		_, err := file.Make(path, layout.Initialise)
		must(t, err)
	}
	db, err := Open(path, cfg)
	must(t, err)
	db.Start()
	t.Cleanup(func() { db.Close() })
	return db
}

func testDB(t testing.TB) *DB { return open(t, filepath.Join(t.TempDir(), "signet.db"), Config{}) }

// put writes a record that must not be there yet.
func put(ctx context.Context, db *DB, id string) error {
	return db.Update(ctx, func(tx *layout.Tx) error {
		if tx.Raw(layout.Clients, []byte(id)) != nil {
			return store.ErrExists
		}
		return tx.Put(layout.Clients, []byte(id), []byte(id))
	})
}

// count returns how many records put has written.
func count(t *testing.T, db *DB) (n int) {
	t.Helper()
	must(t, db.View(t.Context(), func(tx *layout.Tx) error {
		n = tx.Bucket(layout.Clients).Stats().KeyN
		return nil
	}))
	return n
}

var errInjected = errors.New("no space left on device, in a test")

// failCommits has commits fail before anything is written.
func failCommits(db *DB) (clear func()) {
	commit := func(tx *bbolt.Tx) error { return errors.Join(errInjected, tx.Rollback()) }
	db.Commit.Store(&commit)
	return func() { db.Commit.Store(nil) }
}

// gate holds commits back, so that a batch can form behind one, and counts them.
type gate struct {
	open    chan struct{}
	entered chan struct{}
	commits atomic.Int32
}

func newGate(db *DB) *gate {
	g := &gate{open: make(chan struct{}), entered: make(chan struct{}, 1000)}
	commit := func(tx *bbolt.Tx) error {
		g.commits.Add(1)
		g.entered <- struct{}{}
		<-g.open
		return tx.Commit()
	}
	db.Commit.Store(&commit)
	return g
}

func (db *DB) queued() int {
	db.queue.mu.Lock()
	defer db.queue.mu.Unlock()
	return len(db.queue.next.requests)
}

// hold begins a write and leaves it inside its commit.
func (g *gate) hold(t *testing.T, db *DB, wg *sync.WaitGroup) {
	wg.Go(func() {
		if err := put(context.Background(), db, "first"); err != nil {
			t.Errorf("the first write: %v", err)
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

// TestGroupCommit: what arrives during a commit shares the next one, and who fails fails alone.
func TestGroupCommit(t *testing.T) {
	t.Parallel()
	db := testDB(t)
	g := newGate(db)
	var wg sync.WaitGroup
	g.hold(t, db, &wg)

	ctx := context.Background()
	var good, exists, spoilt, panicked atomic.Int32
	write := func(n *atomic.Int32, id string, then func() error) {
		wg.Go(func() {
			err := db.Update(ctx, func(tx *layout.Tx) error {
				if tx.Raw(layout.Clients, []byte(id)) != nil {
					return store.ErrExists
				}
				if err := tx.Put(layout.Clients, []byte(id), []byte(id)); err != nil {
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
	waitFor(t, "the batch", func() bool { return db.queued() == 23 })
	close(g.open)
	wg.Wait()

	if n := g.commits.Load(); n != 2 {
		t.Errorf("got %d commits, want one for the first and one for all others", n)
	}
	if n := count(t, db); n != 21 {
		t.Errorf("got %d records, want the first and twenty: no trace of those that failed", n)
	}
	must(t, put(ctx, db, "after"))
}

// TestNothingToCommit: a request that changes nothing costs no fsync.
func TestNothingToCommit(t *testing.T) {
	t.Parallel()
	db := testDB(t)
	g := newGate(db)
	close(g.open)
	must(t, db.Update(t.Context(), func(*layout.Tx) error { return nil }))
	if n := g.commits.Load(); n != 0 {
		t.Errorf("got %d commits, want none", n)
	}
}

// TestAbandoned: who gives up waits no longer, and what was not begun is never done.
func TestAbandoned(t *testing.T) {
	t.Parallel()
	db := testDB(t)
	g := newGate(db)
	var wg sync.WaitGroup
	g.hold(t, db, &wg)
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error)
	go func() { result <- put(ctx, db, "abandoned") }()
	waitFor(t, "the request", func() bool { return db.queued() == 1 })
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) || !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable and the context's error", err)
	}
	close(g.open)
	wg.Wait()
	must(t, put(context.Background(), db, "next"))
	must(t, put(t.Context(), db, "abandoned")) // not ErrExists
}

// TestCommitFails: every request of the batch gets the error, Ping too, and it passes.
func TestCommitFails(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	var later atomic.Int64 // of the clock
	path := filepath.Join(t.TempDir(), "signet.db")
	db := open(t, path, Config{Now: func() time.Time { return begun.Add(time.Duration(later.Load())) }})
	ctx := context.Background()
	must(t, put(ctx, db, "taken"))
	clear := failCommits(db)
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			err := put(ctx, db, fmt.Sprint(i))
			if !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, errInjected) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v, want ErrUnavailable, the cause and the path", err)
			}
		})
	}
	wg.Wait()
	if err := db.Ping(ctx); !errors.Is(err, errInjected) {
		t.Errorf("Ping: got %v, want the last failure", err)
	}
	clear()
	if err := db.Ping(ctx); !errors.Is(err, errInjected) {
		t.Errorf("Ping within a second: got %v, want the last failure and no new try", err)
	}
	later.Add(int64(probeEvery))
	if err := db.Ping(ctx); err != nil {
		t.Errorf("Ping, which has tried again: %v", err)
	}
}

// TestBrokenEngine: after a panic inside a commit nothing more is written to a file in doubt.
func TestBrokenEngine(t *testing.T) {
	t.Parallel()
	db := testDB(t)
	ctx := context.Background()
	commit := func(tx *bbolt.Tx) error { tx.Rollback(); panic("page 7 already freed") }
	db.Commit.Store(&commit)
	if err := put(ctx, db, "a"); !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, file.ErrDamaged) {
		t.Errorf("got %v, want ErrUnavailable and damage", err)
	}
	db.Commit.Store(nil)
	if err := put(ctx, db, "b"); !errors.Is(err, file.ErrDamaged) {
		t.Errorf("the next write: got %v, want the damage", err)
	}
	if err := db.Ping(ctx); !errors.Is(err, file.ErrDamaged) {
		t.Errorf("Ping: got %v, want the damage", err)
	}
	if n := count(t, db); n != 0 { // reading goes on
		t.Errorf("got %d records", n)
	}
}

// TestClosedWithWaiters: Close commits what was accepted before it.
func TestClosedWithWaiters(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "signet.db")
	db := open(t, path, Config{})
	g := newGate(db)
	var wg sync.WaitGroup
	g.hold(t, db, &wg)
	for i := range 5 {
		wg.Go(func() {
			if err := put(context.Background(), db, fmt.Sprint(i)); err != nil {
				t.Errorf("the first write: %v", err)
			}
		})
	}
	waitFor(t, "the batch", func() bool { return db.queued() == 5 })
	wg.Go(func() { db.Close() })
	waitFor(t, "Close", db.closed.Load)
	close(g.open)
	wg.Wait()
	if n := count(t, open(t, path, Config{})); n != 6 {
		t.Errorf("got %d records, want 6", n)
	}
}

// TestRefusalThatFailsTogether: what was refused for the sake of a neighbour in the same transaction is unknown when that
// transaction fails.
func TestRefusalThatFailsTogether(t *testing.T) {
	t.Parallel()
	db := testDB(t)
	g := newGate(db)
	var all sync.WaitGroup
	g.hold(t, db, &all)
	for range 8 {
		all.Go(func() {
			if err := put(t.Context(), db, "same"); !errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrExists) {
				t.Errorf("got %v, want ErrUnavailable alone", err)
			}
		})
	}
	waitFor(t, "the batch", func() bool { return db.queued() == 8 })
	clear := failCommits(db) // for the batch that waits
	close(g.open)
	all.Wait()
	clear()
	must(t, put(t.Context(), db, "same"))
}

// TestTheFileGoesDuringTheCommit: the writers of a file that goes away while it is synced are not answered that it is done.
func TestTheFileGoesDuringTheCommit(t *testing.T) {
	t.Parallel()
	db := testDB(t)
	commit := func(tx *bbolt.Tx) error {
		return errors.Join(os.Rename(db.File.Path, db.File.Path+".moved"), tx.Commit())
	}
	db.Commit.Store(&commit)
	if err := put(t.Context(), db, "a"); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
}

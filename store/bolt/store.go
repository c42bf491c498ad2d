package bolt

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"signet/store"
	"signet/store/bolt/commit"
	"signet/store/bolt/file"
	"signet/store/bolt/layout"
	"signet/store/bolt/throttle"
	"signet/store/bolt/trail"
	"signet/store/bolt/upkeep"
	"signet/store/seal"
)

// Schema is the newest format that this package reads, and the one of new files. A file keeps the
// format that it has; see Format.
const Schema = layout.Schema

// Options configures Open. The zero value opens an existing file.
type Options struct {
	Create      bool             // make the file where there is none
	AuditEvents int              // audit events kept in all, divided by store.ShareRetention; 0: store.DefaultRetention
	Retention   store.Retention  // of audit events, where a class has its own
	Now         func() time.Time // paces write probes, and dates what waits in the outbox and the queue of logouts; nil means time.Now
	Log         *slog.Logger     // nil discards
	Seals       *seal.Keys       // of the records; nil: they have none, and what a record is sealed with is not understood
	MaxLogouts  int              // how many logouts wait at most; 0: store.MaxLogouts
}

// Store is a store.Store in one file. All methods may be called concurrently. Its parts have the queries, one part for each kind
// of record.
type Store struct {
	*installs
	*users
	*clients
	*sessions
	*logouts
	*logins
	*tokens
	*heartbeats
	store.Audit
	store.Throttle
	*upkeep.Sealer
	*upkeep.Verifier

	db      *commit.DB
	trail   *trail.Trail     // the Audit
	counts  *throttle.Counts // the Throttle
	sweeper *upkeep.Sweeper
}

var (
	_ store.Store    = (*Store)(nil)
	_ store.Exporter = (*Store)(nil)
	_ store.Sealer   = (*Store)(nil)
)

// Open opens the store at path. It answers an error that wraps
//   - fs.ErrNotExist where there is no file and Options.Create is not set,
//   - store.ErrLocked where another process has it open,
//   - store.ErrSchema where a newer Signet wrote it.
//
// A file that is empty, cut short or damaged is an error too; nothing is repaired or replaced.
func Open(path string, opt Options) (*Store, error) {
	if opt.Create {
		if err := create(path); err != nil {
			return nil, err
		}
	}
	db, err := commit.Open(path, commit.Config{Seals: opt.Seals, Now: opt.Now, Log: opt.Log, MaxLogouts: opt.MaxLogouts})
	if err != nil {
		return nil, err
	}
	s, err := newStore(db, opt)
	if err == nil {
		clearSpools(path)
		db.Start(s.trail, s.counts)
		err = db.Update(context.Background(), (*layout.Tx).AddBuckets) // in a file of an earlier version
	}
	if err == nil {
		err = s.trail.Open(context.Background())
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// create makes an empty store where there is no file.
func create(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil // whatever is there, file.Open finds out
	}
	_, err := file.Make(path, layout.Initialise)
	return err
}

func newStore(db *commit.DB, opt Options) (*Store, error) {
	events, err := trail.New(db, store.ShareRetention(opt.AuditEvents, opt.Retention))
	if err != nil {
		return nil, err
	}
	counts, err := throttle.New(db)
	if err != nil {
		return nil, err
	}
	u, c := &users{db}, &clients{db: db}
	ss := &sessions{db, u}
	return &Store{
		installs: &installs{db}, users: u, clients: c, sessions: ss, logouts: &logouts{db}, logins: &logins{counts, u, ss, c}, tokens: &tokens{db},
		heartbeats: &heartbeats{db: db, last: map[string]beat{}}, Audit: events, Throttle: counts,
		Sealer: &upkeep.Sealer{DB: db}, Verifier: &upkeep.Verifier{DB: db},
		db: db, trail: events, counts: counts, sweeper: &upkeep.Sweeper{DB: db},
	}, nil
}

// Subscribe implements store.ChangeEvents. There is no other replica that could have changed anything.
func (s *Store) Subscribe(ctx context.Context, _ func(store.ChangeEvent)) { <-ctx.Done() }

// Ping implements store.Store.
func (s *Store) Ping(ctx context.Context) error { return s.db.Ping(ctx) }

// Sweep implements store.Store. It also writes to the trail what has been in the outbox for long.
func (s *Store) Sweep(ctx context.Context, now time.Time, limits store.Lifetimes) (n int, err error) {
	now = store.Millis(now)
	if n, err = s.sweeper.Sweep(ctx, now, limits); err != nil {
		return n, err
	}
	if _, err := s.trail.AppendKept(ctx, func(since time.Time) bool { return now.Sub(since) >= store.OutboxAfter }); err != nil {
		return n, err
	}
	return n + s.counts.Sweep(now), nil
}

// Close implements store.Store: what is queued or written behind is committed first.
func (s *Store) Close() error { return s.db.Close() }

// Stats are numbers for the operator.
type Stats struct {
	Bytes     int64 // size of the file
	FreeBytes int64 // of it that are free for new records; `signet store compact` gives them back
	Damaged   bool  // damage was found since the start
	Verified  bool  // the check that Verify begins came to its end
	Swept     map[string]upkeep.Round
}

// Stats returns the numbers of this moment.
func (s *Store) Stats() Stats {
	stats := Stats{Damaged: s.db.Damage() != nil, Verified: s.Verified(), Swept: s.sweeper.Rounds()}
	if info, err := s.db.File.Stat(); err == nil {
		stats.Bytes = info.Size()
	}
	_ = s.db.View(context.Background(), func(tx *layout.Tx) error {
		if free, err := s.db.File.FreeBytes(tx.Tx); err == nil { // else 0
			stats.FreeBytes = free
		}
		return nil
	})
	return stats
}

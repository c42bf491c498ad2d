package keys

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"signet/keys/clockcheck"
	"signet/keys/masterkey"
)

// Manager holds one replica's view of the keyring: it signs, verifies and serves the key set from
// memory, and with Run keeps the keyring moving. Its methods may be called concurrently; those on
// the path of a request take no lock and do no I/O.
type Manager struct {
	cfg    Config
	sealer *masterkey.Sealer
	remote *remoteKeys              // nil: all keys are local
	state  atomic.Pointer[snapshot] // never nil after Open
	tried  atomic.Pointer[trial]    // nil before the first Trial
	wake   chan struct{}            // holds one
	news   chan struct{}            // holds one

	clock    *clockcheck.Clock
	markedAt atomic.Int64 // when the mark was last written, in Unix milliseconds; 0: not yet

	stepping sync.Mutex           // serialises rounds; guards what follows
	late     map[string]time.Time // pending keys that this replica did not see at their PublishAt, and when it did
	failing  bool                 // the last read failed
	behind   bool                 // the clock was behind at the last look
	marked   markState
	insisted int       // see maxInsisted
	reassert bool      // the ring held has revocations that the document lacks
	unsure   *proposal // answered with an error, so that nobody knows whether it was written
}

// Init makes the first keyring of an install: for each algorithm one key that signs at once and its
// published successor. ErrExists if there is a keyring, ErrClock if this machine's clock is off. A mark
// that an earlier install has left is replaced.
func Init(ctx context.Context, cfg Config) error {
	m, err := newManager(cfg)
	if err != nil {
		return err
	}
	if err := m.checkEmpty(ctx); err != nil {
		return err
	}
	b := newBatch(m)
	ring, steps, err := First(m.cfg.Timetable, m.cfg.Algorithms, m.cfg.Now(), func(alg string) (Key, error) { return b.another(ctx, alg) })
	if err != nil {
		b.discard(ctx, Ring{})
		return err
	}
	ring.Records.Sealed = m.cfg.Sealed
	first, swapped, err := m.write(ctx, 0, 1, ring, 0)
	if err != nil {
		return err
	}
	if !swapped {
		b.discard(ctx, Ring{})
		return ErrExists
	}
	m.announce(1, steps)
	return m.firstMark(first)
}

// firstMark replaces whatever mark an earlier install has left.
func (m *Manager) firstMark(first *snapshot) error {
	if m.cfg.Mark == nil {
		return nil
	}
	if err := m.adopt(first, m.cfg.Now()); err != nil {
		return err
	}
	if err := m.ReplaceMark(m.cfg.Mark); err != nil {
		m.cfg.Log.Warn("the mark of the keyring cannot be written", "error", err)
	}
	return nil
}

// checkEmpty returns nil when there is no keyring in the store and the clock is right for making one;
// ErrExists when there is.
func (m *Manager) checkEmpty(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, m.cfg.Timetable.storageTimeout())
	defer cancel()
	version, _, err := m.load(ctx)
	if err != nil {
		return fmt.Errorf("looking for a keyring: %w", err)
	}
	if version != 0 {
		return ErrExists
	}
	return m.clock.Check()
}

// Open reads the keyring and returns a Manager that can sign. ErrNoKeyring if there is none,
// masterkey.ErrMismatch if it does not open, masterkey.ErrFormat if a newer version wrote it, ErrClock if this machine's
// clock is off, ErrProvider if it has keys of a Provider that cfg does not have, a MarkError if the
// keyring is older than this replica's mark or the mark is not this install's; nothing is written.
// Where this machine's clock is only behind the latest time that was seen it returns a Manager, which
// serves the key set and signs nothing until the clock is right.
func Open(ctx context.Context, cfg Config) (*Manager, error) {
	m, err := newManager(cfg)
	if err != nil {
		return nil, err
	}
	now := m.cfg.Now()
	ctx, cancel := context.WithTimeout(ctx, m.cfg.Timetable.storageTimeout())
	defer cancel()
	version, document, err := m.load(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the keyring: %w", err)
	}
	if version == 0 {
		return nil, ErrNoKeyring
	}
	ring, err := m.open(version, document)
	if err != nil {
		return nil, fmt.Errorf("opening the keyring: %w", err)
	}
	if err := m.clock.Check(); err != nil {
		return nil, err
	}
	if err := m.openMark(version, ring); err != nil {
		return nil, err
	}
	return m, m.adopt(&snapshot{version: version, document: document, ring: ring, readAt: now}, now)
}

func newManager(cfg Config) (*Manager, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("configuring the signing keys: %w", err)
	}
	s, err := masterkey.NewSealer(cfg.InstallID, cfg.Master)
	if err != nil {
		return nil, err
	}
	m := &Manager{cfg: cfg, sealer: s, remote: newRemoteKeys(cfg.Remote, cfg.Timetable), wake: make(chan struct{}, 1), news: make(chan struct{}, 1), late: map[string]time.Time{}}
	m.clock = clockcheck.New(cfg.Now, cfg.Timetable.ClockSkew, m.Wake)
	return m, nil
}

// Set is the public key set, ready to be served as application/jwk-set+json.
type Set struct {
	Body   []byte        // shared: not to be changed
	ETag   string        // strong, with its quotes
	MaxAge time.Duration // whole seconds; does not reach past the next planned change
}

// maxAge is the longest MaxAge of a Set; verifiers are promised that J is enough whatever they do.
const maxAge = 5 * time.Minute

// JWKS returns the key set, the primary algorithm's active key first. ErrStale when the keyring was
// not read for D.
func (m *Manager) JWKS() (Set, error) {
	now := m.cfg.Now()
	right := m.clock.Correct(now)
	s, err := m.current(now)
	if err != nil {
		return Set{}, err
	}
	if unread := clockcheck.Age(s.readAt, now); unread > m.cfg.Timetable.ServeStale {
		m.Wake()
		return Set{}, fmt.Errorf("serving the key set: %w: last read %v ago", ErrStale, unread)
	}
	fresh := min(maxAge, m.cfg.Timetable.VerifierCache)
	if until := s.view.lineup.Until; !until.IsZero() {
		fresh = min(fresh, until.Sub(right))
	}
	return Set{s.view.body, s.view.etag, max(fresh, 0).Truncate(time.Second)}, nil
}

// Algorithms returns the algorithms that sign at this moment, the primary first.
func (m *Manager) Algorithms() []string {
	s, err := m.current(m.cfg.Now())
	if err != nil {
		return nil
	}
	algs := make([]string, 0, len(s.view.signers))
	for _, k := range s.view.signers {
		algs = append(algs, k.alg)
	}
	return algs
}

// Configured reports whether this replica is configured to sign with the algorithm, now or once its first
// key has been published for P.
func (m *Manager) Configured(alg string) bool { return slices.Contains(m.cfg.Algorithms, alg) }

// Timetable is what this replica goes by.
func (m *Manager) Timetable() Timetable { return m.cfg.Timetable }

// Keys describes every key of the keyring, in the order they were made.
func (m *Manager) Keys() []KeyInfo {
	now := m.clock.Correct(m.cfg.Now())
	var all []KeyInfo
	for _, k := range m.state.Load().ring.Keys {
		all = append(all, k.info(now))
	}
	return all
}

// Version is the version of the keyring that this replica holds.
func (m *Manager) Version() uint64 { return m.state.Load().version }

// News receives after a keyring of another version was adopted. It holds one, so whoever listens
// asks for Version then and misses nothing. It is for one listener.
func (m *Manager) News() <-chan struct{} { return m.news }

// ReadAt is when this replica last began a read that succeeded.
func (m *Manager) ReadAt() time.Time { return m.state.Load().readAt }

package keys

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"signet/keys/clockcheck"
	"signet/keys/document"
	"signet/keys/mark"
	"signet/keys/masterkey"
	"signet/keys/privatekey"
	"signet/keys/rotation"
	"signet/keys/timetable"
)

// makeTimeout is how long a Step waits for a new remote key at most; meanwhile the keyring is not read.
const makeTimeout = 30 * time.Second

// Manager holds the keyring of one replica: it signs, verifies and serves the key set from memory, and with
// Run keeps the keyring up to date. Its methods may be called concurrently; those on the path of a request
// take no lock and do no I/O.
type Manager struct {
	cfg     *Config
	clock   *clockcheck.Clock
	store   *sealedStore
	held    *holder
	updater *updater
	prober  *privatekey.Prober
	poll    chan struct{} // holds one
}

// Init makes the first keyring of an install: for each algorithm one key that signs at once and its
// published successor. ErrExists if there is a keyring, clockcheck.ErrClock if this machine's clock is off.
// A mark that an earlier install has left is replaced.
func Init(ctx context.Context, cfg Config) error {
	m, err := newManager(cfg)
	if err != nil {
		return err
	}
	version, _, err := m.store.load(ctx)
	if err != nil {
		return fmt.Errorf("looking for a keyring: %w", err)
	}
	if version != 0 {
		return ErrExists
	}
	if err := m.clock.Check(); err != nil {
		return err
	}
	pending := newPendingKeys(m.store.source, m.cfg.Log)
	first, steps, err := firstDocument(ctx, m.cfg, pending)
	if err != nil {
		pending.discard(ctx, rotation.Keyring{})
		return err
	}
	written, swapped, err := m.store.write(ctx, 0, 1, first, 0)
	if err != nil {
		return err
	}
	if !swapped {
		pending.discard(ctx, rotation.Keyring{})
		return ErrExists
	}
	if err := m.held.adopt(written, m.clock.Reading()); err != nil {
		return err
	}
	m.updater.announce(1, steps)
	if m.cfg.Mark == nil {
		return nil
	}
	if err := m.Edit().ReplaceMark(m.cfg.Mark); err != nil {
		m.cfg.Log.Warn("the mark of the keyring cannot be written", "error", err)
	}
	return nil
}

// firstDocument makes the keys of the first keyring.
func firstDocument(ctx context.Context, cfg *Config, pending *pendingKeys) (document.Document, []rotation.Transition, error) {
	now, fresh := cfg.Now(), pending.fresh()
	if _, _, err := rotation.First(cfg.Timetable, cfg.Algorithms, now, fresh); err != nil {
		return document.Document{}, nil, err
	}
	for _, alg := range fresh.Needs() {
		if err := pending.make(ctx, alg); err != nil {
			return document.Document{}, nil, err
		}
	}
	ring, steps, err := rotation.First(cfg.Timetable, cfg.Algorithms, now, pending.fresh())
	if err != nil {
		return document.Document{}, nil, err
	}
	return document.Document{Ring: ring, Private: pending.private, Records: document.Records{Sealed: cfg.Sealed}}, steps, nil
}

// Open reads the keyring and returns a Manager that can sign. ErrNoKeyring if there is none,
// masterkey.ErrMismatch if it does not open, masterkey.ErrFormat if a newer version wrote it,
// clockcheck.ErrClock if this machine's clock is off, privatekey.ErrProvider if it has keys of a Provider that cfg does
// not have, a mark.Error if the keyring is older than this replica's mark or the mark is not this install's;
// nothing is written. If this machine's clock is only behind the latest time that was seen it returns a
// Manager, which serves the key set and signs nothing until the clock is right.
func Open(ctx context.Context, cfg Config) (*Manager, error) {
	m, err := newManager(cfg)
	if err != nil {
		return nil, err
	}
	now := m.clock.Reading()
	version, sealed, err := m.store.load(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the keyring: %w", err)
	}
	if version == 0 {
		return nil, ErrNoKeyring
	}
	d, err := m.store.open(version, sealed)
	if err != nil {
		return nil, fmt.Errorf("opening the keyring: %w", err)
	}
	if err := m.clock.Check(); err != nil {
		return nil, err
	}
	old, err := m.updater.marks.Check(version, d.Ring.HasUnrevoked)
	if err != nil {
		return nil, err
	}
	if old != nil {
		m.clock.Merge(old.SeenAt, old.ClockResets)
	}
	return m, m.held.adopt(&snapshot{Document: d, version: version, sealed: sealed, readAt: now}, now)
}

func newManager(config Config) (*Manager, error) {
	cfg, err := config.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("configuring the signing keys: %w", err)
	}
	sealer, err := masterkey.NewSealer(cfg.InstallID, cfg.Master)
	if err != nil {
		return nil, err
	}
	m := &Manager{cfg: &cfg, poll: make(chan struct{}, 1)}
	m.clock = clockcheck.New(cfg.Now, cfg.Timetable.Skew, m.Poll)
	source := privatekey.NewSource(cfg.Remote, min(makeTimeout, cfg.Timetable.SignStale/2))
	m.store = &sealedStore{cfg.Storage, sealer, source, m.clock, cfg.Timetable.Notice() / 2}
	m.held = &holder{clock: m.clock, algs: cfg.Algorithms, changed: make(chan struct{}, 1)}
	marks := mark.NewKeeper(cfg.Mark, cfg.InstallID, cfg.Master, cfg.Now, cfg.Log)
	m.updater = &updater{cfg: m.cfg, store: m.store, clock: m.clock, held: m.held, marks: marks, late: map[string]time.Time{}}
	m.prober = source.NewProber(cfg.Log)
	return m, nil
}

// Step reads the keyring and proposes what is due. When another replica was faster it reads again.
// While this replica's clock is off, or the storage's disputed, it only reads. After an error the Manager
// continues with the keyring that it has.
func (m *Manager) Step(ctx context.Context) error { return m.updater.update(ctx, nil) }

// Clock returns this replica's clock, with its status and the latest time that was seen.
func (m *Manager) Clock() *clockcheck.Clock { return m.clock }

// Timetable returns the timetable of this replica.
func (m *Manager) Timetable() timetable.Timetable { return m.cfg.Timetable }

// Configured returns the algorithms that this replica is configured for, the primary first. A new one does not
// sign before its first key has been published for Publish.
func (m *Manager) Configured() []string { return m.cfg.Algorithms }

// Keyring returns the keyring held. The caller must not change it.
func (m *Manager) Keyring() rotation.Keyring { return m.held.load().Ring }

// Records returns what the document held has about the records of the store. The caller must not change the map.
func (m *Manager) Records() document.Records { return m.held.load().Document.Records }

// Version returns the version of the keyring held.
func (m *Manager) Version() uint64 { return m.held.load().version }

// ReadAt returns when this replica last began a read that succeeded.
func (m *Manager) ReadAt() time.Time { return m.held.load().readAt }

// Changed receives after a keyring of another version was adopted. It holds one, so a listener that then asks for
// Version misses nothing. It is for one listener.
func (m *Manager) Changed() <-chan struct{} { return m.held.changed }

// KeyInfo describes a key to an operator.
type KeyInfo struct {
	rotation.Key
	Held   string // where its private half is: privatekey.Local, or the name of a Provider
	State  rotation.State
	Since  time.Time // in that state
	Next   string    // published, or the state that comes next; empty: nothing is planned
	NextAt time.Time // when
}

// Keys describes every key of the keyring, in the order they were made.
func (m *Manager) Keys() (all []KeyInfo) {
	now, s := m.clock.Now(), m.held.load()
	for _, k := range s.Ring.Keys {
		info := KeyInfo{Key: k, Held: s.Private[k.KID].Held(), State: k.State(now), Since: k.Since(now)}
		info.Next, info.NextAt = k.Next(now)
		all = append(all, info)
	}
	return all
}

// Algorithms returns the algorithms that sign at this moment, the primary first.
func (m *Manager) Algorithms() []string {
	s, err := m.held.current(m.clock.Reading())
	if err != nil {
		return nil
	}
	algs := make([]string, 0, len(s.keySet.Signers))
	for _, k := range s.keySet.Signers {
		algs = append(algs, k.Alg)
	}
	return algs
}

// MasterKeyInUse returns the index in Config.Master of the key that the keyring is sealed with. Whatever else
// derives from the master key should use the same: so replicas change over together, at Rewrap, and not
// as each of them is given the new key.
func (m *Manager) MasterKeyInUse() int { return m.store.sealer.KeyOf(m.held.load().sealed) }

// MasterKeyHints names the master keys of this replica. A hint reveals nothing about its key.
func (m *Manager) MasterKeyHints() []string { return m.store.sealer.Hints() }

// MarkedAt returns when this replica last wrote its mark; zero: not since the start.
func (m *Manager) MarkedAt() time.Time { return m.updater.marks.SavedAt() }

// Remote reports whether a signature may come from elsewhere. It can then fail or take long, and a
// caller that consumes something for it signs first.
func (m *Manager) Remote() bool { return m.store.source.Remote() }

// Probe has each remote key that signs, or is to sign next, make a signature, and returns everything that
// went wrong. Run does this at every turn, and Ready uses the result.
func (m *Manager) Probe(ctx context.Context) error {
	if !m.Remote() {
		return nil
	}
	now := m.clock.Reading()
	s, err := m.held.current(now)
	if err != nil {
		return err
	}
	var all []privatekey.Candidate
	for _, k := range s.Ring.Keys {
		if state := k.State(now); state == rotation.Active || state == rotation.Pending {
			all = append(all, privatekey.Candidate{KID: k.KID, About: fmt.Sprintf("%s, %s", k.Alg, state), Key: s.Private[k.KID]})
		}
	}
	return m.prober.Probe(ctx, all, s.keySet.Primary())
}

// Run keeps the keyring up to date: it calls Step at once, every Config.Poll ± 20 %, and after Poll, until
// ctx ends; then it returns nil. Errors are logged and reported as events; they do not end it.
func (m *Manager) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := m.Step(ctx); err != nil && ctx.Err() == nil {
			m.cfg.Log.Warn("keeping the keyring", "error", err)
		}
		if ctx.Err() == nil {
			_ = m.Probe(ctx) // which has logged it
		}
		pause(ctx, m.cfg.Poll, m.poll)
	}
	return nil
}

// Poll asks Run to read the keyring soon instead of at its next turn. It never blocks.
func (m *Manager) Poll() {
	select {
	case m.poll <- struct{}{}:
	default:
	}
}

// pause waits for the next turn. Poll shortens it to a tenth of Config.Poll, so that many requests for it do
// not overload the store.
func pause(ctx context.Context, poll time.Duration, wake <-chan struct{}) {
	least := poll / 10
	if !sleep(ctx, least, nil) {
		return
	}
	jitter := time.Duration((rand.Float64()*0.4 - 0.2) * float64(poll)) // replicas spread out
	sleep(ctx, poll-least+jitter, wake)
}

// sleep reports whether it ended because of d; a nil wake never ends it.
func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-wake:
		return false
	case <-ctx.Done():
		return false
	}
}

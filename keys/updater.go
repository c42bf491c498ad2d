package keys

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"signet/keys/clockcheck"
	"signet/keys/document"
	"signet/keys/mark"
	"signet/keys/rotation"
)

const (
	maxAttempts = 16 // of one update, where other replicas win or keys must be made

	// maxInsisted is how often a replica overwrites a newer keyring that lacks the key that signs. Two
	// replicas whose keyrings have parted would otherwise overwrite each other for ever.
	maxInsisted = 3
)

// errAgain: an attempt did not succeed, and another one is to begin with a fresh read.
var errAgain = errors.New("the keyring changed meanwhile")

// updater reads, plans and writes the keyring, one attempt at a time.
type updater struct {
	cfg   *Config
	store *sealedStore
	clock *clockcheck.Clock
	held  *holder
	marks *mark.Keeper

	mu       sync.Mutex           // serialises updates; guards what follows
	late     map[string]time.Time // pending keys that this replica did not see at their PublishAt, and when it did
	failing  bool                 // the last read failed
	behind   bool                 // the clock was behind at the last look
	insisted int                  // see maxInsisted
	reassert bool                 // the keyring held has revocations that the document lacks
	inDoubt  *proposal            // sent and answered with an error, so it may have been written
}

// proposal is a document that was sent to the store, and the transitions to report once it is there.
type proposal struct {
	sealed []byte
	steps  []rotation.Transition
}

// draft is a changed copy of the document.
type draft struct {
	*rotation.Draft
	records document.Records
	rewrap  bool // to be sealed under the first master key
	changed bool // something has changed that is no transition
}

// update repeats attempts until one succeeds. edit, if any, makes changes beyond what is due. If a key cannot
// be made the rest is done: an HSM that is away must not keep a key from being revoked.
func (u *updater) update(ctx context.Context, edit func(*draft) error) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	pending := newPendingKeys(u.store.source, u.cfg.Log)
	err := errAgain
	for try := 0; try < maxAttempts && errors.Is(err, errAgain); try++ {
		err = u.attempt(ctx, pending, edit)
	}
	u.saveMark()
	return pending.finish(ctx, err, u.held.load().Ring, edit != nil)
}

// attempt is one read, plan and proposal. Nothing slow happens between reading the clock and the proposal:
// if new keys are needed, they are made and another attempt is asked for.
func (u *updater) attempt(ctx context.Context, pending *pendingKeys, edit func(*draft) error) error {
	if mayPlan, err := u.readAndCheck(ctx, edit != nil); err != nil || !mayPlan {
		return err
	}
	now := u.clock.Reading()
	cur, fresh := u.held.load(), pending.fresh()
	d := &draft{Draft: rotation.NewDraft(cur.Ring, u.cfg.Timetable, u.clock.Correct(now), fresh), records: cur.Document.Records}
	for kid, at := range u.late {
		d.SeenLate(kid, at)
	}
	if err := d.Advance(u.cfg.Algorithms); err != nil {
		return err
	}
	if edit != nil {
		if err := edit(d); err != nil {
			return err
		}
	}
	if needs := fresh.Needs(); len(needs) > 0 {
		for _, alg := range needs {
			if pending.make(ctx, alg) != nil {
				break // the next attempt does without
			}
		}
		return errAgain
	}
	if !d.Changed() && !d.changed && !u.reassert {
		return nil
	}
	next := cur.Document.With(d.Keyring, pending.private)
	next.Records = d.records
	return u.propose(ctx, cur, now, next, d)
}

// readAndCheck reads the keyring and reports whether this replica's clock is good enough to plan by. If it is
// not, an edit is an error; what is merely due is left to other replicas.
func (u *updater) readAndCheck(ctx context.Context, editing bool) (mayPlan bool, err error) {
	err = u.read(ctx)
	u.noteRead(err)
	behind := u.noteBehind()
	if err != nil {
		return false, err
	}
	status := u.clock.Status()
	switch {
	case behind > 0 && editing:
		return false, u.clock.BehindError(behind)
	case status.Off && editing:
		return false, u.clock.OffError(status.Offset)
	}
	return behind == 0 && !status.Off && (editing || !status.Disputed), nil
}

// propose writes the next document, planned at now from cur.
func (u *updater) propose(ctx context.Context, cur *snapshot, now time.Time, next document.Document, d *draft) error {
	if clockcheck.Age(now, u.clock.Reading()) > u.store.timeout {
		return errAgain // the machine slept: the plan's notice may be over
	}
	master := u.store.sealer.KeyOf(cur.sealed)
	if d.rewrap {
		master = 0
	}
	version := max(cur.version+1, u.cfg.AtLeast)
	ctx = u.cfg.Writing(ctx, eventsOf(version, d.Transitions))
	written, swapped, err := u.store.write(ctx, cur.version, version, next, master)
	if err != nil {
		u.inDoubt = &proposal{written.sealed, d.Transitions}
		return err
	}
	if !swapped {
		return errAgain
	}
	written.readAt = now
	if err := u.held.adopt(written, now); err != nil {
		return err
	}
	clear(u.late)
	u.reassert = false
	u.announce(written.version, d.Transitions)
	return nil
}

// read loads the keyring and adopts it if it is newer. A keyring that is older than this replica's, gone,
// another document of the same version, or without the key that signs comes from a store that was set
// back: it is overwritten. A key that was revoked stays so, whatever a newer keyring has.
func (u *updater) read(ctx context.Context) error {
	now := u.clock.Reading()
	clock := u.clock.Status()
	version, sealed, err := u.store.load(ctx)
	if err != nil {
		return fmt.Errorf("reading the keyring: %w", err)
	}
	u.noteClock(clock, u.clock.Status())
	cur := u.held.load()
	if version == cur.version && bytes.Equal(sealed, cur.sealed) {
		again := *cur
		again.readAt = now
		return u.held.adopt(&again, now)
	}
	if version <= cur.version {
		return u.restore(ctx, cur, version, now)
	}
	found, err := u.store.open(version, sealed)
	if err != nil {
		return fmt.Errorf("opening the keyring: %w", err)
	}
	if found.Ring.LacksSigner(cur.Ring, u.clock.Correct(now)) && u.insisted < maxInsisted {
		u.insisted++
		return u.restore(ctx, cur, version, now)
	}
	if found.Ring.RevokeAgain(cur.Ring.Revoked(), u.clock.Correct(now)) {
		u.reassert = true
		u.cfg.Log.Error("the keyring had a key in use that was revoked: it stays revoked", "found_version", version)
	}
	u.noteLate(cur, found.Ring)
	if err := u.held.adopt(&snapshot{Document: found, version: version, sealed: sealed, readAt: now}, now); err != nil {
		return err
	}
	if u.inDoubt != nil && bytes.Equal(sealed, u.inDoubt.sealed) {
		u.announce(version, u.inDoubt.steps)
	}
	u.inDoubt = nil
	return nil
}

// restore writes this replica's keyring back, above its own version and the one found.
func (u *updater) restore(ctx context.Context, cur *snapshot, found uint64, now time.Time) error {
	event := Event{Transition: rotation.Transition{Step: StepRestored, At: now}, Version: max(cur.version, found) + 1}
	next, swapped, err := u.store.write(u.cfg.Writing(ctx, []Event{event}), found, event.Version, cur.Document, u.store.sealer.KeyOf(cur.sealed))
	if err != nil {
		return fmt.Errorf("restoring the keyring over version %d: %w", found, err)
	}
	if !swapped {
		return errAgain
	}
	next.readAt = now
	if err := u.held.adopt(next, now); err != nil {
		return err
	}
	u.cfg.Log.Error("the store had lost the keyring: wrote it back",
		"found_version", found, "had_version", cur.version, "version", next.version)
	u.cfg.OnEvent(event)
	return nil
}

// noteLate remembers pending keys that should have been in the read before this one: their proposal
// reached the store late, or they were not in a backup that this replica started from. Until now
// this replica's key set lacked them, so Publish counts from now.
func (u *updater) noteLate(had *snapshot, ring rotation.Keyring) {
	now := u.clock.Now()
	for _, k := range ring.Keys {
		if !had.Ring.Has(k.KID) && k.State(now) == rotation.Pending && k.PublishAt.Before(had.readAt) {
			u.late[k.KID] = now
		}
	}
}

// noteRead reports when reading begins to fail and when it works again.
func (u *updater) noteRead(err error) {
	if errors.Is(err, errAgain) || u.failing == (err != nil) {
		return
	}
	u.failing = err != nil
	step, level, text := StepReadable, slog.LevelInfo, "the keyring can be read again"
	if u.failing {
		step, level, text = StepUnreadable, slog.LevelError, "the keyring cannot be read"
	}
	u.cfg.Log.Log(context.Background(), level, text, "error", err)
	u.cfg.OnEvent(Event{Transition: rotation.Transition{Step: step, At: u.clock.Reading()}, Version: u.held.load().version, Err: err})
}

// noteClock reports when the clock becomes wrong, or disputed, and when that is over.
func (u *updater) noteClock(was, is clockcheck.Status) {
	if was.Off != is.Off {
		if is.Off {
			u.reportClock(slog.LevelError, StepClockOff, "this machine's clock is off: it signs nothing until it is right again", is)
		} else {
			u.reportClock(slog.LevelInfo, StepClockRight, "this machine's clock is right again", is)
		}
	}
	if was.Disputed != is.Disputed {
		if is.Disputed {
			u.reportClock(slog.LevelError, StepClockDisputed, "the store's clock is off, as this machine and the other replicas have it: keys do not rotate until it is right again", is)
		} else {
			u.reportClock(slog.LevelInfo, StepClockAgreed, "the store's clock is no longer disputed", is)
		}
	}
}

// noteBehind looks at the clock, and reports when it falls behind the latest time that was seen, and when
// it has caught up. It returns by how much it is behind.
func (u *updater) noteBehind() (by time.Duration) {
	now := u.clock.Reading()
	if u.clock.Status().Off {
		return 0 // that is reported already, and the reading counts for nothing
	}
	if by = u.clock.Look(now); u.behind == (by > 0) {
		return by
	}
	u.behind = by > 0
	if u.behind {
		u.reportClock(slog.LevelError, StepClockOff, "this machine's clock is behind the latest time that was seen, "+u.clock.Latest().UTC().Format(time.RFC3339)+
			": it signs nothing until it is right again; if that time was the wrong one, `signet keys clock-reset` forgets it", clockcheck.Status{Offset: -by})
	} else {
		u.reportClock(slog.LevelInfo, StepClockRight, "this machine's clock has reached the latest time that was seen", clockcheck.Status{})
	}
	return by
}

func (u *updater) reportClock(level slog.Level, step rotation.Step, text string, is clockcheck.Status) {
	u.cfg.Log.Log(context.Background(), level, text, "offset", is.Offset.Round(clockcheck.Precision).String(), "allowed", u.clock.Tolerance().String())
	u.cfg.OnEvent(Event{Transition: rotation.Transition{Step: step, At: u.clock.Reading()}, Version: u.held.load().version, Offset: is.Offset})
}

// announce reports what was written.
func (u *updater) announce(version uint64, steps []rotation.Transition) {
	for _, e := range eventsOf(version, steps) {
		u.cfg.Log.Info("signing key "+string(e.Step), "kid", e.KID, "alg", e.Alg, "at", e.At, "version", version)
		u.cfg.OnEvent(e)
	}
}

func eventsOf(version uint64, steps []rotation.Transition) []Event {
	events := make([]Event, len(steps))
	for i, t := range steps {
		events[i] = Event{Transition: t, Version: version}
	}
	return events
}

// currentMark is what is to be remembered now.
func (u *updater) currentMark() mark.Mark {
	s := u.held.load()
	return mark.Mark{Version: s.version, Revoked: s.Ring.Revoked(), SeenAt: u.clock.Latest().UTC(), ClockResets: u.clock.Resets()}
}

func (u *updater) saveMark() {
	if u.held.load() != nil {
		u.marks.Save(u.currentMark())
	}
}

package keys

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// trialInput is what trials sign. It has no dot, so its signature can be no part of a token.
const trialInput = "signet: a trial signature"

// trial is what the last Trial found.
type trial struct {
	kid     string // the key that signed by default then
	err     error  // what was wrong with it
	failing bool   // some key did not sign
}

// Trial has each remote key that signs, or is to sign next, make a signature, and returns everything
// that went wrong. So a key that is missing is noticed while its predecessor still signs. Where the
// queue is full nothing is tried: the signer is at work. Run does this at every turn; Ready goes by it.
func (m *Manager) Trial(ctx context.Context) error {
	if m.remote == nil {
		return nil
	}
	now := m.cfg.Now()
	s, err := m.current(now)
	if err != nil {
		return err
	}
	found := trial{kid: s.view.primary()}
	err = found.sign(ctx, s.ring, now, m.cfg.Remote.Timeout)
	if ctx.Err() != nil {
		return ctx.Err() // the caller's impatience says nothing about the keys
	}
	m.noteTrial(&found, err)
	return err
}

// sign makes the signatures, all of them within the timeout.
func (t *trial) sign(ctx context.Context, r Ring, now time.Time, timeout time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, errLate)
	defer cancel()
	var problems []error
	for _, k := range r.Keys {
		state := k.State(now)
		if k.private.Reveal().remote == nil || state != Active && state != Pending {
			continue
		}
		_, err := k.private.sign(ctx, trialInput)
		if err == nil || errors.Is(err, errBusy) {
			continue
		}
		problems = append(problems, fmt.Errorf("key %s (%s, %s): %w", k.KID, k.Alg, state, err))
		if k.KID == t.kid {
			t.err = err
		}
	}
	t.failing = len(problems) > 0
	return errors.Join(problems...)
}

// primary is the kid of the key that signs by default, or "".
func (v *view) primary() string {
	if len(v.signers) == 0 {
		return ""
	}
	return v.signers[0].kid
}

// noteTrial tells when trials begin to fail and when they succeed again.
func (m *Manager) noteTrial(found *trial, err error) {
	before := m.tried.Swap(found)
	if found.failing == (before != nil && before.failing) {
		return
	}
	level, text := slog.LevelInfo, "all remote signing keys sign again"
	if found.failing {
		level, text = slog.LevelError, "a remote signing key does not sign"
	}
	m.cfg.Log.Log(context.Background(), level, text, "error", err)
}

// tryRemote is Trial for Run.
func (m *Manager) tryRemote(ctx context.Context) {
	if ctx.Err() == nil {
		_ = m.Trial(ctx) // which has logged it
	}
}

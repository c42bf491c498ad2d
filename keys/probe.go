package keys

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"signet/keys/clockcheck"
	"signet/keys/rotation"
)

// probeInput is what probes sign. It has no dot, so its signature can be no part of a token.
const probeInput = "signet: a trial signature"

// prober has remote keys make signatures, so that a key which is missing is noticed while its predecessor
// still signs.
type prober struct {
	clock   *clockcheck.Clock
	held    *holder
	timeout time.Duration
	log     *slog.Logger
	last    atomic.Pointer[probeResult] // nil before the first probe
}

// probeResult is what the last probe found.
type probeResult struct {
	kid     string // the key that signed by default then
	err     error  // why it did not sign
	failing bool   // some key did not sign
}

// probe has each remote key that signs, or is to sign next, make a signature, and returns everything that
// went wrong. Where the queue is full nothing is tried: the signer is at work.
func (p *prober) probe(ctx context.Context) error {
	now := p.clock.Reading()
	s, err := p.held.current(now)
	if err != nil {
		return err
	}
	found := probeResult{kid: s.keySet.primary()}
	err = found.sign(ctx, s.document, now, p.timeout)
	if ctx.Err() != nil {
		return ctx.Err() // a caller that gives up proves nothing about the keys
	}
	p.record(&found, err)
	return err
}

// sign makes the signatures, all of them within the timeout.
func (r *probeResult) sign(ctx context.Context, d document, now time.Time, timeout time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, errLate)
	defer cancel()
	var problems []error
	for _, k := range d.ring.Keys {
		state, private := k.State(now), d.private[k.KID]
		if private.Reveal().remote == nil || state != rotation.Active && state != rotation.Pending {
			continue
		}
		_, err := private.sign(ctx, probeInput)
		if err == nil || errors.Is(err, errBusy) {
			continue
		}
		problems = append(problems, fmt.Errorf("key %s (%s, %s): %w", k.KID, k.Alg, state, err))
		if k.KID == r.kid {
			r.err = err
		}
	}
	r.failing = len(problems) > 0
	return errors.Join(problems...)
}

// record logs when probes begin to fail and when they succeed again.
func (p *prober) record(found *probeResult, err error) {
	before := p.last.Swap(found)
	if found.failing == (before != nil && before.failing) {
		return
	}
	level, text := slog.LevelInfo, "all remote signing keys sign again"
	if found.failing {
		level, text = slog.LevelError, "a remote signing key does not sign"
	}
	p.log.Log(context.Background(), level, text, "error", err)
}

// errorOf returns why the key did not sign at the last probe; nil if it did, or was not the one by default.
func (p *prober) errorOf(kid string) error {
	if last := p.last.Load(); last != nil && last.kid == kid {
		return last.err
	}
	return nil
}

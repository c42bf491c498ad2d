package privatekey

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// probeInput is what probes sign. It has no dot, so its signature can be no part of a token.
const probeInput = "signet: a trial signature"

// Prober has remote keys make signatures, so that a key which is missing is noticed while its predecessor
// still signs.
type Prober struct {
	timeout time.Duration
	log     *slog.Logger
	last    atomic.Pointer[probeResult] // nil before the first probe
}

// NewProber returns a Prober for the keys of s.
func (s *Source) NewProber(log *slog.Logger) *Prober {
	return &Prober{timeout: s.signing.timeout, log: log}
}

// Candidate is a key that signs, or is to sign next.
type Candidate struct {
	KID   string
	About string // for messages, such as: ES256, active
	Key   *Key
}

// probeResult is what the last probe found.
type probeResult struct {
	kid     string // the key that signed by default then
	err     error  // why it did not sign
	failing bool   // some key did not sign
}

// Probe has each remote key make a signature, and returns everything that went wrong. Primary is the kid of the key
// that signs by default. Where the queue is full nothing is tried: the signer is at work.
func (p *Prober) Probe(ctx context.Context, keys []Candidate, primary string) error {
	found := probeResult{kid: primary}
	err := found.sign(ctx, keys, p.timeout)
	if ctx.Err() != nil {
		return ctx.Err() // a caller that gives up proves nothing about the keys
	}
	p.record(&found, err)
	return err
}

// sign makes the signatures, all of them within the timeout.
func (r *probeResult) sign(ctx context.Context, keys []Candidate, timeout time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, errLate)
	defer cancel()
	var problems []error
	for _, c := range keys {
		if !c.Key.Remote() {
			continue
		}
		_, err := c.Key.Sign(ctx, probeInput)
		if err == nil || errors.Is(err, errBusy) {
			continue
		}
		problems = append(problems, fmt.Errorf("key %s (%s): %w", c.KID, c.About, err))
		if c.KID == r.kid {
			r.err = err
		}
	}
	r.failing = len(problems) > 0
	return errors.Join(problems...)
}

// record logs when probes begin to fail and when they succeed again.
func (p *Prober) record(found *probeResult, err error) {
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

// ErrorOf returns why the key did not sign at the last probe; nil if it did, or was not the one by default.
func (p *Prober) ErrorOf(kid string) error {
	if last := p.last.Load(); last != nil && last.kid == kid {
		return last.err
	}
	return nil
}

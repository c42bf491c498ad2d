package password

import (
	"context"
	"errors"
	"time"

	"signet/server/password/hash"
)

// idlePoll is how often a hash that may wait looks whether it may run.
const idlePoll = 50 * time.Millisecond

// WrapIdle is Wrap for a hash that may wait: one runs at a time, and only while no other hash runs or waits in this pool. It waits
// for that until ctx ends. In this process, where a hash is felt by other requests, it takes a quarter of the time.
func (p *Pool) WrapIdle(ctx context.Context, imported string) (stored string, err error) {
	prefix, secret, err := hash.Wrap(imported)
	if err != nil {
		return "", err
	}
	defer clear(secret)
	select {
	case p.idle <- struct{}{}:
		defer func() { <-p.idle }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	for {
		if s := p.Stats(); s.Running == 0 && s.Waiting == 0 {
			begun := time.Now()
			made, err := p.hash(ctx, append([]byte(nil), secret...))
			if err == nil && (p.places.worker == nil || p.FellBack()) {
				rest(ctx, 3*time.Since(begun))
			}
			if !errors.Is(err, ErrBusy) {
				return prefix + made, err
			}
		}
		select {
		case <-time.After(idlePoll):
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

func rest(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// MayWrapLater reports whether a hash that must be wrapped may be stored as it is until the pool has time for it: see
// hash.MayWait. It must be one that Verify can check.
func (p *Pool) MayWrapLater(imported string) bool {
	return hash.MayWait(imported) && p.Supported(imported) == nil
}

package keys

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"signet/keys/privatekey"
	"signet/keys/rotation"
)

// pendingKeys are the new keys of one update: each is made once, so that an attempt that loses a race does
// not waste it.
type pendingKeys struct {
	source *privatekey.Source
	log    *slog.Logger

	made    map[string][]string // kids by algorithm
	private map[string]*privatekey.Key
	failed  map[string]error
}

func newPendingKeys(source *privatekey.Source, log *slog.Logger) *pendingKeys {
	return &pendingKeys{source: source, log: log, made: map[string][]string{}, private: map[string]*privatekey.Key{}, failed: map[string]error{}}
}

// fresh supplies one draft with the keys.
func (p *pendingKeys) fresh() *rotation.Fresh {
	failed := map[string]bool{}
	for alg := range p.failed {
		failed[alg] = true
	}
	return &rotation.Fresh{Made: p.made, Failed: failed}
}

// make makes one more key for the algorithm, or records why that is not possible.
func (p *pendingKeys) make(ctx context.Context, alg string) error {
	kid, k, err := p.source.New(ctx, alg)
	if err != nil {
		p.failed[alg] = fmt.Errorf("making a signing key for %s: %w", alg, err)
		return p.failed[alg]
	}
	p.made[alg] = append(p.made[alg], kid)
	p.private[kid] = k
	return nil
}

// finish ends an update whose attempts ended with err. It destroys the keys that another replica's made
// unnecessary (after an error one may be in the store), and reports those that could not be made. If an
// edit is done all the same, a missing key is no failure of the edit: the next Step tries again.
func (p *pendingKeys) finish(ctx context.Context, err error, used rotation.Keyring, edited bool) error {
	if err == nil {
		p.discard(ctx, used)
	}
	if len(p.failed) == 0 {
		return err
	}
	missing := errors.Join(slices.Collect(maps.Values(p.failed))...)
	switch {
	case err == nil && edited:
		p.log.Warn("there is no new signing key yet", "error", missing)
		return nil
	case err == nil, errors.Is(err, rotation.ErrAlgorithm): // for want of the key
		return missing
	}
	return errors.Join(missing, err)
}

// discard destroys the keys that are not in the keyring. A failure only takes room at the Provider.
func (p *pendingKeys) discard(ctx context.Context, used rotation.Keyring) {
	for kid, k := range p.private {
		if used.Has(kid) {
			continue
		}
		if err := p.source.Discard(ctx, k); err != nil {
			p.log.Warn("a key that nothing uses stays where it was made", "error", err)
		}
	}
}

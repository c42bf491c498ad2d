package keys

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"signet/keys/rotation"
)

// pendingKeys are the new keys of one update: each is made once, so that an attempt that loses a race does
// not waste it.
type pendingKeys struct {
	remote *remoteKeys // nil: all keys are made here
	log    *slog.Logger

	made       map[string][]string // kids by algorithm
	private    map[string]*privateKey
	failed     map[string]error
	madeRemote []string // kids of keys made elsewhere, where unused keys take room
}

func newPendingKeys(remote *remoteKeys, log *slog.Logger) *pendingKeys {
	return &pendingKeys{remote: remote, log: log, made: map[string][]string{}, private: map[string]*privateKey{}, failed: map[string]error{}}
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
	kid, k, err := p.newKey(ctx, alg)
	if err != nil {
		p.failed[alg] = fmt.Errorf("making a signing key for %s: %w", alg, err)
		return p.failed[alg]
	}
	p.made[alg] = append(p.made[alg], kid)
	p.private[kid] = k
	return nil
}

func (p *pendingKeys) newKey(ctx context.Context, alg string) (kid string, k *privateKey, err error) {
	if p.remote == nil {
		return newPrivateKey(alg)
	}
	if kid, k, err = p.remote.newKey(ctx, alg); err == nil {
		p.madeRemote = append(p.madeRemote, kid)
	}
	return kid, k, err
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

// discard destroys the remote keys that are not in the keyring. A failure only takes room.
func (p *pendingKeys) discard(ctx context.Context, used rotation.Keyring) {
	for _, kid := range p.madeRemote {
		if used.Has(kid) {
			continue
		}
		if err := p.remote.discard(ctx, p.private[kid].Reveal().reference); err != nil {
			p.log.Warn("a key that nothing uses stays where it was made", "error", err)
		}
	}
}

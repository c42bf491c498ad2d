package password

import (
	"context"

	"signet/server/password/hash"
	"signet/server/password/worker"
)

// Result is what Verify found.
type Result struct {
	Match  bool // the password is the right one
	Rehash bool // it is, and the stored hash is weaker than the policy: store a new one
}

// Hash returns the argon2id hash of the normalised password as a PHC string, with a new random
// salt. It judges no quality (Policy does), but refuses what Verify would never match: ErrPassword
// and ErrTooLong. ErrBusy and the context's error come back as from Verify.
func (p *Pool) Hash(ctx context.Context, password string) (encoded string, err error) {
	text, err := normalizeWithin(password)
	if err != nil {
		return "", err
	}
	secret := []byte(text)
	defer clear(secret)
	made, err := p.run(ctx, p.params.Price(), worker.Job{Params: p.params, Password: secret}, func() worker.Result {
		return worker.Result{Stored: hash.New(p.params, secret).String()}
	})
	return made.Stored, err
}

// Verify compares the normalised password with a stored hash.
//
// An empty hash stands for an unknown user or one without a password: never a match, after the work
// of a new hash. So it is, for any user, with a password that Hash would refuse. A stored hash that
// is not Supported is no match after that same work, and hash.ErrFormat, for the log.
//
// ErrBusy: the queue was full or the wait over. When ctx ends in the queue, its error comes back at
// once; a hash that has begun is finished. After these errors nothing is known of the password.
func (p *Pool) Verify(ctx context.Context, encoded, password string) (Result, error) {
	return p.VerifyFor(ctx, 0, encoded, password)
}

// VerifyFor is Verify for a username, of which draw is a number that looks random and is always the same.
// It decides the format that is worked on where there is none to compare with; see Sample.
func (p *Pool) VerifyFor(ctx context.Context, draw uint64, encoded, password string) (Result, error) {
	h, badHash := p.stored(encoded)
	text, badText := normalizeWithin(password)
	if badText != nil {
		h, text = nil, ""
	}
	target := h
	if target == nil {
		target = p.drawn(draw)
	}
	secret := []byte(text)
	defer clear(secret)
	found, err := p.run(ctx, target.Price(), worker.Job{Stored: target.String(), Password: secret}, func() worker.Result {
		return worker.Result{Match: p.work(target, secret)}
	})
	if err != nil {
		return Result{}, err
	}
	if badHash != nil {
		return Result{}, badHash
	}
	match := found.Match && h != nil
	return Result{Match: match, Rehash: match && h.Weaker(p.params)}, nil
}

// stored reads a hash; nil when there is none to compare with.
func (p *Pool) stored(encoded string) (hash.Hash, error) {
	if encoded == "" {
		return nil, nil
	}
	return p.read(encoded)
}

// Import returns the spelling under which a hash of another program is stored; see hash.Import. It does no slow work.
func (p *Pool) Import(scheme, text string, allowWeak bool) (stored string, err error) {
	return hash.Import(scheme, text, hash.ImportOptions{Caps: p.caps, AllowWeak: allowWeak})
}

// Supported reports whether Verify can check passwords against this hash: nil, or a hash.ErrFormat that gives
// what is wrong with it, or that it costs more than the caps allow. It does no slow work.
func (p *Pool) Supported(encoded string) error {
	_, err := p.read(encoded)
	return err
}

// read is hash.Parse within the pool's caps.
func (p *Pool) read(encoded string) (hash.Hash, error) {
	h, err := hash.Parse(encoded)
	if err != nil {
		return nil, err
	}
	if err := p.caps.Check(h); err != nil {
		return nil, err
	}
	return h, nil
}

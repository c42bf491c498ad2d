package password

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

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
	return p.hash(ctx, []byte(text))
}

// HashAccepted is Hash for a password that was found right. It need not be one that can be set here: then it is hashed
// as it was sent, which is how Verify will compare it. It is refused only if Verify would never match it.
//
// old is the stored hash that it matched, if any. The new one then matches whatever the program that made old takes for the
// same password: see hash.Rehash.
func (p *Pool) HashAccepted(ctx context.Context, old, password string) (encoded string, err error) {
	texts := forms(password)
	if texts == nil {
		return "", fmt.Errorf("%w: more than %d bytes, or a NUL", ErrPassword, maxRaw)
	}
	h, err := p.stored(old)
	if err != nil {
		return "", err
	}
	text := []byte(texts[0])
	defer clear(text)
	prefix, secret := hash.Rehash(h, text)
	encoded, err = p.hash(ctx, secret)
	if err != nil {
		return "", err
	}
	return prefix + encoded, nil
}

// hash runs a new hash and wipes the secret.
func (p *Pool) hash(ctx context.Context, secret []byte) (encoded string, err error) {
	defer clear(secret)
	made, err := p.run(ctx, p.params.Price(), worker.Job{Params: p.params, Password: secret}, func() worker.Result {
		return worker.Result{Stored: hash.New(p.params, secret).String()}
	})
	return made.Stored, err
}

// Verify compares the normalised password with a stored hash.
//
// A password that is not in Unicode's NFC is compared in NFC, which is how passwords are hashed here, and then as it was
// sent, which is how other programs hash them.
//
// An empty hash stands for an unknown user or one without a password: never a match, after the work
// of a new hash. So it is, for any user, with a password that is too long for any program or has a NUL. A stored hash that
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
	texts := forms(password)
	if texts == nil {
		h, texts = nil, []string{""}
	}
	target := h
	if target == nil {
		target = p.drawn(draw)
	}
	match := false
	for _, text := range texts {
		var err error
		if match, err = p.compare(ctx, target, text); err != nil {
			return Result{}, err
		}
		if match {
			break
		}
	}
	if badHash != nil {
		return Result{}, badHash
	}
	match = match && h != nil
	return Result{Match: match, Rehash: match && h.Weaker(p.params)}, nil
}

// forms are what is compared with a stored hash, one after the other: the password as it is hashed here, and as it was
// sent, which is what other programs hashed. Rules for new passwords are no rules for old ones: what can be no new password
// is compared as it was sent alone. The number depends on the password only, so that it is the same for all users. nil:
// no password at all: too long, or with a NUL, where some programs ended it and which others ignored at the end.
func forms(password string) []string {
	if len(password) > maxRaw || strings.Contains(password, "\x00") {
		return nil
	}
	text, err := normalizeWithin(password)
	if err != nil || text == password {
		return []string{password}
	}
	return []string{text, password}
}

// compare runs a hash.
func (p *Pool) compare(ctx context.Context, target hash.Hash, text string) (match bool, err error) {
	secret := make([]byte, 0, len(text)+len(p.pepper))
	if secret = append(secret, text...); hash.Peppered(target) {
		secret = append(secret, p.pepper...)
	}
	defer clear(secret)
	found, err := p.run(ctx, target.Price(), worker.Job{Stored: target.String(), Password: secret}, func() worker.Result {
		return worker.Result{Match: p.work(target, secret)}
	})
	return found.Match, err
}

// Wrap hashes what Import returned if hash.NeedsWrap reports that it needs that: the result is stored. It waits for a place
// until ctx ends. However many wait, no more than there are slots stand in line with the logins.
func (p *Pool) Wrap(ctx context.Context, imported string) (stored string, err error) {
	prefix, secret, err := hash.Wrap(imported)
	if err != nil {
		return "", err
	}
	defer clear(secret)
	select {
	case p.wraps <- struct{}{}:
		defer func() { <-p.wraps }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	for {
		made, err := p.hash(ctx, slices.Clone(secret))
		if err == nil {
			return prefix + made, nil
		}
		if !errors.Is(err, ErrBusy) {
			return "", err
		}
		select {
		case <-time.After(p.places.wait / 4):
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
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
	stored, err = hash.Import(scheme, text, hash.ImportOptions{Caps: p.caps, AllowWeak: allowWeak})
	if err != nil || hash.NeedsWrap(stored) {
		return stored, err
	}
	return stored, p.Supported(stored)
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
	if hash.Peppered(h) && len(p.pepper) == 0 {
		return nil, fmt.Errorf("%w: it needs the pepper of the old application, which is not configured", hash.ErrFormat)
	}
	if err := p.caps.Check(h); err != nil {
		return nil, err
	}
	return h, nil
}

// Scheme names the format of a stored hash, and reports whether the next login of its user will replace it. ok is false
// for a hash that cannot be used.
func (p *Pool) Scheme(encoded string) (name string, weak, ok bool) {
	h, err := p.read(encoded)
	if err != nil {
		return "", true, false
	}
	return h.Scheme(), h.Weaker(p.params), true
}

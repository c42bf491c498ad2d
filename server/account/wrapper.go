package account

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"signet/server/password"
	"signet/server/password/hash"
	"signet/store"
)

const (
	wrapEvery = 24 * time.Hour
	wrapRetry = time.Minute
	wrapPage  = 200
	// wrapPause is between two pages, so that a walk through many users is not felt.
	wrapPause = 20 * time.Millisecond
	// wrapLog is how many hashes there are between two lines of the log.
	wrapLog = 10_000
)

// Wrapper wraps stored password hashes that are fast to guess: those of an import that left them for later, and those of earlier
// versions. It hashes only while nobody logs in. Each server of a store walks through all users, from a place of its own.
type Wrapper struct {
	store  store.Users
	pool   *password.Pool
	log    *slog.Logger
	wanted chan struct{}
}

// NewWrapper returns a Wrapper for a pool.
func NewWrapper(s store.Users, pool *password.Pool, log *slog.Logger) *Wrapper {
	return &Wrapper{s, pool, log, make(chan struct{}, 1)}
}

// Want asks for a walk soon.
func (w *Wrapper) Want() {
	select {
	case w.wanted <- struct{}{}:
	default:
	}
}

// Run walks at once, when a walk is wanted, and once a day, until ctx ends.
func (w *Wrapper) Run(ctx context.Context) {
	for {
		wait := wrapEvery
		done, err := w.Walk(ctx)
		if done > 0 {
			w.log.InfoContext(ctx, "password hashes that were fast to guess are hashed once more", slog.Int("users", done))
		}
		if err != nil && ctx.Err() == nil {
			w.log.WarnContext(ctx, "hashing password hashes once more; it is tried again", slog.Any("error", err))
			wait = wrapRetry
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		case <-w.wanted:
		}
	}
}

// Walk goes through all users once, and returns how many hashes it has replaced.
func (w *Wrapper) Walk(ctx context.Context) (done int, err error) {
	begin := string(rune('a' + rand.IntN(26)))
	after, turned := begin, false
	for {
		users, err := w.store.ListUsers(ctx, after, wrapPage)
		if err != nil {
			return done, err
		}
		for _, u := range users {
			if after = u.Username; turned && after > begin {
				return done, nil
			}
			if !hash.NeedsWrap(u.PasswordHash) {
				continue
			}
			replaced, err := w.wrap(ctx, u.ID)
			if err != nil {
				return done, err
			}
			if !replaced {
				continue
			}
			if done++; done%wrapLog == 0 {
				w.log.InfoContext(ctx, "hashing password hashes once more", slog.Int("users", done))
			}
		}
		if len(users) < wrapPage {
			if turned {
				return done, nil
			}
			after, turned = "", true
		}
		select {
		case <-ctx.Done():
			return done, ctx.Err()
		case <-time.After(wrapPause):
		}
	}
}

// errSuperseded ends an update that another server or a login has made needless.
var errSuperseded = errors.New("superseded")

// wrap replaces the hash of a user, unless another one did meanwhile. Sessions stay, because the password is the same.
func (w *Wrapper) wrap(ctx context.Context, id store.UserID) (replaced bool, err error) {
	u, err := w.store.User(ctx, id) // the page may be of an hour ago
	if errors.Is(err, store.ErrNotFound) || err == nil && !hash.NeedsWrap(u.PasswordHash) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	wrapped, err := w.pool.WrapIdle(ctx, u.PasswordHash)
	if errors.Is(err, hash.ErrFormat) {
		w.log.WarnContext(ctx, "a password hash cannot be hashed once more", slog.String("sub", id.String()), slog.Any("error", err))
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, err = w.store.UpdateUser(ctx, id, func(now *store.User) error {
		if now.PasswordHash != u.PasswordHash {
			return errSuperseded
		}
		now.PasswordHash = wrapped
		return nil
	})
	if errors.Is(err, errSuperseded) || errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

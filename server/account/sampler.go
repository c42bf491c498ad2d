package account

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"signet/server/password"
	"signet/store"
)

// The work for an unknown name is drawn from the formats of hash that the store has; see
// password.Pool.Sample. Each replica looks at some users now and then, and again soon after it has met a
// format that it had not seen.
const (
	sampleEvery = 10 * time.Minute
	sampleSoon  = 5 * time.Second // at most this often
	samplePages = 8
	samplePage  = 100
)

// Sampler samples the formats of hash.
type Sampler struct {
	store  store.Users
	pool   *password.Pool
	log    *slog.Logger
	wanted chan struct{}
}

// NewSampler returns a Sampler for a pool.
func NewSampler(s store.Users, pool *password.Pool, log *slog.Logger) *Sampler {
	return &Sampler{s, pool, log, make(chan struct{}, 1)}
}

// Want asks for a sample out of turn.
func (s *Sampler) Want() {
	select {
	case s.wanted <- struct{}{}:
	default:
	}
}

// Run samples until ctx ends.
func (s *Sampler) Run(ctx context.Context) {
	for {
		if err := s.sampleOnce(ctx); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "looking at the formats of password hashes", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(sampleSoon):
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(sampleEvery - sampleSoon):
		case <-s.wanted:
		}
	}
}

// sampleOnce looks at users in several places of the alphabet; at all of them where they are few.
func (s *Sampler) sampleOnce(ctx context.Context) error {
	var hashes []string
	for page := range samplePages {
		after := ""
		if page > 0 {
			after = string(rune('a' + rand.IntN(26)))
		}
		users, err := s.store.ListUsers(ctx, after, samplePage)
		if err != nil {
			return err
		}
		for _, u := range users {
			if u.PasswordHash != "" {
				hashes = append(hashes, u.PasswordHash)
			}
		}
		if page == 0 && len(users) < samplePage {
			break
		}
	}
	s.pool.Sample(hashes)
	return nil
}

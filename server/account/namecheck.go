package account

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"signet/server/password"
	"signet/store"
)

const (
	namePage = 2000
	// maxFormer bounds the memory of a check: names in spellings of earlier versions are few.
	maxFormer = 100_000
	// checkNamesEvery is how often a server looks again. `signet user rename` ends a collision.
	checkNamesEvery = 24 * time.Hour
	maxNamed        = 20 // collisions in the log
)

// NameReport is what CheckNames found.
type NameReport struct {
	Former     int        // names in a spelling of an earlier version; their users are found by any spelling
	Collisions [][]string // names that are one name by now, and belong to several users, in order
	Partial    bool       // there were more such names than are looked at
}

// CheckNames looks for users whom an earlier version stored under different names that are one name by now. None of them is
// merged or renamed: each is found by the spelling that is stored. It reads names alone, and each name but the few in
// former spellings costs nothing more.
func CheckNames(ctx context.Context, s store.Users) (r NameReport, err error) {
	former := map[string][]string{} // by canonical name
	for after := ""; ; {
		page, err := s.ListUsernames(ctx, after, namePage)
		if err != nil {
			return r, err
		}
		for _, name := range page {
			canonical, err := password.CanonicalUsername(name)
			if err != nil || canonical == name {
				continue
			}
			if r.Former++; r.Former > maxFormer {
				r.Partial = true
				continue
			}
			former[canonical] = append(former[canonical], name)
		}
		if len(page) < namePage {
			break
		}
		after = page[len(page)-1]
	}
	for _, canonical := range slices.Sorted(maps.Keys(former)) {
		names, err := ofSeveral(ctx, s, append(former[canonical], canonical))
		if err != nil {
			return r, err
		}
		if len(names) > 1 {
			r.Collisions = append(r.Collisions, names)
		}
	}
	return r, nil
}

// ofSeveral returns one name of each user who has any of the names.
func ofSeveral(ctx context.Context, s store.Users, names []string) (list []string, err error) {
	seen := map[store.UserID]bool{}
	slices.Sort(names)
	for _, name := range names {
		u, err := s.UserByName(ctx, name)
		switch {
		case errors.Is(err, store.ErrNotFound): // the canonical one, or the user is gone meanwhile
		case err != nil:
			return nil, err
		case !seen[u.ID]:
			seen[u.ID] = true
			list = append(list, name)
		}
	}
	return list, nil
}

// NameChecker repeats CheckNames while a server runs.
type NameChecker struct {
	store store.Users
	log   *slog.Logger
	found atomic.Int64
}

// NewNameChecker returns a NameChecker.
func NewNameChecker(s store.Users, log *slog.Logger) *NameChecker {
	return &NameChecker{store: s, log: log}
}

// Collisions is how many names belonged to several users at the last check.
func (c *NameChecker) Collisions() int { return int(c.found.Load()) }

// Run checks at once, and then now and again until ctx ends.
func (c *NameChecker) Run(ctx context.Context) {
	for {
		wait := checkNamesEvery
		if err := c.check(ctx); err != nil && ctx.Err() == nil {
			c.log.WarnContext(ctx, "looking for usernames that are one name", slog.Any("error", err))
			wait = time.Minute
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func (c *NameChecker) check(ctx context.Context) error {
	r, err := CheckNames(ctx, c.store)
	if err != nil {
		return err
	}
	c.found.Store(int64(len(r.Collisions)))
	for i, names := range r.Collisions {
		if i == maxNamed {
			c.log.WarnContext(ctx, fmt.Sprintf("%d more usernames belong to several users; `signet doctor` counts them", len(r.Collisions)-i))
			break
		}
		c.log.WarnContext(ctx, "users have different spellings of one name, from an earlier version: each logs in with the own spelling; rename all but one with `signet user rename`",
			slog.String("usernames", strings.Join(names, " ")))
	}
	return nil
}

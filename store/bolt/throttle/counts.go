// Package throttle keeps the counts of failed attempts of a bolt file in memory, where an attempt costs no I/O, and writes them
// behind. It also notes the networks that logins have succeeded from.
package throttle

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"signet/store"
	"signet/store/bolt/commit"
	"signet/store/bolt/file"
	"signet/store/bolt/layout"
	"signet/store/seal"
)

// maxCounts bounds the memory that an attacker with many addresses and names can fill; at about
// 250 bytes each this is 16 MB. Attempts that are refused make no new ones.
const maxCounts = 1 << 16

// Counts is a store.Throttle and a commit.Behind.
type Counts struct {
	db *commit.DB

	mu      sync.Mutex
	byKey   map[string]tally
	changed map[string]struct{} // keys whose record in the file is out of date

	flushing map[string]struct{} // those of them that are in a commit now, or were in one that failed
}

// tally is a store.Tally and when it may be deleted.
type tally struct {
	store.Tally
	forgotten time.Time
}

// New returns the counts of the file.
func New(db *commit.DB) (*Counts, error) {
	c := &Counts{db: db, byKey: map[string]tally{}, changed: map[string]struct{}{}}
	return c, db.View(context.Background(), c.load)
}

func (c *Counts) load(tx *layout.Tx) error {
	return tx.Bucket(layout.Throttle).ForEach(func(key, raw []byte) error {
		raw, err := tx.Open(layout.Throttle, key, raw)
		if sealed, ok := errors.AsType[*seal.Error](err); ok && sealed.Unknown {
			return nil // of a master key that is not here: opening the keyring reports that
		}
		if err != nil {
			return fmt.Errorf("%w: reading a throttle count: %w", file.ErrDamaged, err)
		}
		t, err := layout.DecodeTally(raw)
		if err != nil {
			return fmt.Errorf("%w: reading a throttle count: %w", file.ErrDamaged, err)
		}
		if len(t.Reserved) > 0 { // by a process that is gone: none of them was answered, so no guess was made
			t.Reserved = nil
			c.changed[string(key)] = struct{}{}
		}
		if !t.Empty() {
			c.byKey[string(key)] = tally{t, t.Forgotten(time.Hour)}
		}
		return nil
	})
}

// Allow implements store.Throttle.
func (c *Counts) Allow(ctx context.Context, now time.Time, a store.Attempt) (adm store.Admission, err error) {
	now = store.Millis(now)
	exempt, err := c.exempt(ctx, now, a.Scopes)
	if err != nil {
		return adm, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.db.Later()
	type place struct {
		key   string
		limit store.Limit
	}
	var places []place
	for i, scope := range a.Scopes {
		for _, l := range scope.Limits {
			if exempt[i] {
				continue
			}
			key := placed(scope.Place, l.Key)
			t := c.byKey[key]
			failures, underWay := t.Failures, len(t.Reserved)
			v := t.Ask(now, l)
			if v.Reached {
				adm.Reached = append(adm.Reached, l.Key)
			}
			if t.Failures != failures || len(t.Reserved) != underWay {
				c.set(key, t.Tally, l)
			}
			adm.Wait, adm.Busy = max(adm.Wait, v.Wait), adm.Busy || v.Busy
			if v.Place {
				places = append(places, place{key, l})
			}
		}
	}
	if adm.Wait > 0 || adm.Busy {
		return adm, nil
	}
	for _, p := range places {
		t := c.byKey[p.key]
		t.Ask(now, p.limit)
		t.Take(now, a.ID)
		c.set(p.key, t.Tally, p.limit)
	}
	adm.Receipt = store.Receipt{Attempt: a, Places: len(places)}
	return adm, nil
}

// exempt reports for each scope whether its limits do not hold for the network that the attempt is from.
func (c *Counts) exempt(ctx context.Context, now time.Time, scopes []store.Scope) ([]bool, error) {
	exempt := make([]bool, len(scopes))
	err := c.db.View(ctx, func(tx *layout.Tx) error {
		for i, scope := range scopes {
			if len(scope.From) == 0 {
				continue
			}
			noted, err := layout.ReadNetworks(tx, []byte(scope.Place))
			if err != nil {
				return c.db.Unavailable("reading", file.Damaged(c.db.File.Path, "the networks of an account: "+err.Error()))
			}
			exempt[i] = noted.Has(now, scope.From)
		}
		return nil
	})
	return exempt, err
}

// Fail implements store.Throttle.
func (c *Counts) Fail(ctx context.Context, now time.Time, r store.Receipt) (reached []string, err error) {
	err = c.settle(ctx, r, func(t *store.Tally, l store.Limit) {
		if t.Fail(store.Millis(now), r.ID, l) {
			reached = append(reached, l.Key)
		}
	})
	return reached, err
}

// Refund implements store.Throttle.
func (c *Counts) Refund(ctx context.Context, _ time.Time, r store.Receipt) error {
	return c.settle(ctx, r, func(t *store.Tally, _ store.Limit) { t.Refund(r.ID) })
}

// Succeed is for a login that was good: its reservations go, and what the limits forgive then.
func (c *Counts) Succeed(ctx context.Context, r store.Receipt) error {
	return c.settle(ctx, r, func(t *store.Tally, l store.Limit) { t.Succeed(r.ID, l) })
}

// settle changes the counts that the attempt of r had, where they are still there.
func (c *Counts) settle(ctx context.Context, r store.Receipt, change func(*store.Tally, store.Limit)) error {
	if err := c.db.Usable(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.db.Later()
	for _, scope := range r.Scopes {
		for _, l := range scope.Limits {
			key := placed(scope.Place, l.Key)
			if t, known := c.byKey[key]; known {
				change(&t.Tally, l)
				c.set(key, t.Tally, l)
			}
		}
	}
	return nil
}

// Count implements store.Throttle.
func (c *Counts) Count(ctx context.Context, now time.Time, scope store.Scope) (wait time.Duration, err error) {
	if err := c.db.Usable(ctx); err != nil {
		return 0, err
	}
	now = store.Millis(now)
	c.mu.Lock()
	defer c.mu.Unlock()
	next := make([]store.Tally, len(scope.Limits))
	for i, l := range scope.Limits {
		t := c.byKey[placed(scope.Place, l.Key)].Tally
		v := t.Ask(now, l)
		wait = max(wait, v.Wait)
		if v.Place {
			t.CountNow(now, l)
		}
		next[i] = t
	}
	if wait > 0 {
		return wait, nil
	}
	for i, l := range scope.Limits {
		c.set(placed(scope.Place, l.Key), next[i], l)
	}
	c.db.Later()
	return 0, nil
}

// placed is what a limit is kept under. No place has a slash.
func placed(place, key string) string { return place + "/" + key }

func (c *Counts) set(key string, t store.Tally, l store.Limit) {
	if t.Empty() {
		c.drop(key)
		return
	}
	if _, known := c.byKey[key]; !known && len(c.byKey) >= maxCounts {
		c.evict()
	}
	c.byKey[key] = tally{t, t.Forgotten(l.Window)}
	c.changed[key] = struct{}{}
}

// evictFrom is how many counts are looked at to find the one that is forgotten.
const evictFrom = 16

// evict forgets one count: of a few taken at random the one that matters least. A count that makes
// a login wait has more failures than those that an attacker can make by the thousand, each of which costs
// a hashed password; so it is the last to go.
func (c *Counts) evict() {
	var victim string
	var least tally
	seen := 0
	for key, t := range c.byKey {
		weight, most := int(t.Failures)+len(t.Reserved), int(least.Failures)+len(least.Reserved)
		if seen == 0 || weight < most || weight == most && t.forgotten.Before(least.forgotten) {
			victim, least = key, t
		}
		if seen++; seen == evictFrom {
			break
		}
	}
	c.drop(victim)
}

func (c *Counts) drop(key string) {
	if _, known := c.byKey[key]; !known {
		return
	}
	delete(c.byKey, key)
	c.changed[key] = struct{}{}
}

// ListThrottle implements store.Throttle.
func (c *Counts) ListThrottle(ctx context.Context, now time.Time, pick func(place, key string) bool, limit int) (list []store.ThrottleState, err error) {
	if err := c.db.Usable(ctx); err != nil {
		return nil, err
	}
	now = store.Millis(now)
	c.mu.Lock()
	defer c.mu.Unlock()
	for full, t := range c.byKey {
		place, key, _ := strings.Cut(full, "/")
		if len(list) < limit && pick(place, key) && now.Before(t.forgotten) {
			list = append(list, t.State(place, key))
		}
	}
	return list, nil
}

// ClearThrottle implements store.Throttle.
func (c *Counts) ClearThrottle(ctx context.Context, place string, keys []string) error {
	var limits []store.Limit
	for _, key := range keys {
		limits = append(limits, store.Limit{Key: key})
	}
	a := store.Attempt{Scopes: []store.Scope{{Place: place, Limits: limits}}}
	return c.settle(ctx, store.Receipt{Attempt: a}, func(t *store.Tally, _ store.Limit) { t.Clear() })
}

// Sweep forgets what has run out, and returns how many counts that were.
func (c *Counts) Sweep(now time.Time) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, t := range c.byKey {
		if !now.Before(t.forgotten) {
			c.drop(key)
			n++
		}
	}
	if n > 0 {
		c.db.Later()
	}
	return n
}

// Flush implements commit.Behind. It writes the changed counts. What a failed commit was to write is written with the next.
func (c *Counts) Flush(tx *layout.Tx) (committed func(), err error) {
	for key, value := range c.outgoing() {
		if value == nil {
			err = tx.Delete(layout.Throttle, []byte(key))
		} else {
			err = tx.Put(layout.Throttle, []byte(key), value)
		}
		if err != nil {
			return nil, err
		}
	}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.flushing = nil
	}, nil
}

// outgoing moves what has changed to flushing and encodes it; nil stands for a forgotten count.
func (c *Counts) outgoing() map[string][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.Copy(c.changed, c.flushing)
	c.flushing, c.changed = c.changed, map[string]struct{}{}
	encoded := make(map[string][]byte, len(c.flushing))
	for key := range c.flushing {
		encoded[key] = nil
		if t, known := c.byKey[key]; known {
			encoded[key] = layout.EncodeTally(t.Tally)
		}
	}
	return encoded
}

// Unwritten implements commit.Behind.
func (c *Counts) Unwritten() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.changed)+len(c.flushing) > 0
}

// NoteNetworks keeps the network of a success in the scopes that have one.
func NoteNetworks(t *layout.Tx, now time.Time, a store.Attempt) error {
	for _, scope := range a.Scopes {
		if len(scope.From) == 0 {
			continue
		}
		key := []byte(scope.Place)
		noted, err := layout.ReadNetworks(t, key)
		if err != nil {
			noted = nil // damaged: begin anew
		}
		if noted, changed := noted.Note(now, scope.From); changed {
			if err := layout.PutNetworks(t, key, noted); err != nil {
				return err
			}
		}
	}
	return nil
}

// Forgotten reports whether no network of a place is kept any more.
func Forgotten(tx *layout.Tx, now time.Time, place []byte) bool {
	noted, err := layout.ReadNetworks(tx, place)
	if err != nil {
		return true
	}
	for _, k := range noted {
		if noted.Has(now, k.From[:]) {
			return false
		}
	}
	return true
}

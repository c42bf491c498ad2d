package password

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
)

// Config configures a Pool. All fields have working zero values.
type Config struct {
	Argon2 Params        // costs of new hashes, and of what an unknown user is given to wait for
	Slots  int           // passwords hashed at once; 0: one less than the cores, as memory allows, at least 1
	Queue  int           // how many may wait for a slot; 0: 32 a slot, about what Wait allows; negative: none
	Wait   time.Duration // how long one waits at most; 0: a second

	// Observe, when set, is told for every hash that is run how long it waited. It is called by
	// many goroutines at once.
	Observe func(wait time.Duration)
}

// Validate reports every field that cannot be used.
func (c Config) Validate() error {
	errs := []error{c.Argon2.Validate()}
	if c.Slots < 0 {
		errs = append(errs, fmt.Errorf("slots: %d is negative", c.Slots))
	}
	if c.Wait < 0 {
		errs = append(errs, fmt.Errorf("wait: %v is negative", c.Wait))
	}
	return errors.Join(errs...)
}

// Pool hashes and verifies passwords, a bounded number at once. It has no goroutines: the work is
// done by its callers.
type Pool struct {
	params  Params
	queue   int64
	wait    time.Duration
	observe func(time.Duration)
	dummy   argon2Hash // what is worked on when there is nothing to compare with
	work    func(h hashed, password string) bool

	slots   chan struct{} // holds one element for every hash that runs
	waiting atomic.Int64
	refused atomic.Uint64
}

// New returns a Pool. It panics on a Config that Validate refuses.
func New(c Config) *Pool {
	if err := c.Validate(); err != nil {
		panic(fmt.Sprintf("password.New: %v", err))
	}
	p := &Pool{params: c.Argon2.withDefaults(), wait: c.Wait, observe: c.Observe, work: hashed.verify}
	if c.Slots == 0 {
		c.Slots = slotsFor(runtime.GOMAXPROCS(0), MemoryLimit(), p.params)
	}
	if c.Queue == 0 {
		c.Queue = 32 * c.Slots
	}
	if c.Wait == 0 {
		p.wait = time.Second
	}
	p.queue = int64(max(c.Queue, 0))
	p.slots = make(chan struct{}, c.Slots)
	p.dummy = argon2Hash{id: true, params: p.params, salt: make([]byte, saltSize), tag: make([]byte, tagSize)}
	rand.Read(p.dummy.salt)
	return p
}

// Stats is a moment of a Pool, for metrics.
type Stats struct {
	Slots   int    // hashes that can run at once
	Running int    // hashes that run
	Waiting int    // callers in the queue
	Refused uint64 // answers of ErrBusy so far
}

// Stats returns the present numbers.
func (p *Pool) Stats() Stats {
	return Stats{Slots: cap(p.slots), Running: len(p.slots), Waiting: int(p.waiting.Load()), Refused: p.refused.Load()}
}

// run calls do in a slot. The slot is free again afterwards, even if do panics.
func (p *Pool) run(ctx context.Context, do func()) error {
	waited, err := p.acquire(ctx)
	if err != nil {
		return err
	}
	defer func() { <-p.slots }()
	if p.observe != nil {
		p.observe(waited)
	}
	do()
	return nil
}

// acquire takes a slot and says how long that took. A freed slot goes to the one who has waited
// longest: senders on a full channel are served in order, before any newcomer.
func (p *Pool) acquire(ctx context.Context) (time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	select {
	case p.slots <- struct{}{}:
		return 0, nil
	default:
	}
	if p.waiting.Add(1) > p.queue {
		p.waiting.Add(-1)
		p.refused.Add(1)
		return 0, ErrBusy
	}
	defer p.waiting.Add(-1)
	return p.await(ctx)
}

func (p *Pool) await(ctx context.Context) (time.Duration, error) {
	start := time.Now()
	timer := time.NewTimer(p.wait)
	defer timer.Stop()
	select {
	case p.slots <- struct{}{}:
		// The caller may have gone in the same moment; then there is nobody to hash for.
		if err := ctx.Err(); err != nil {
			<-p.slots
			return 0, err
		}
		return time.Since(start), nil
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-timer.C:
		p.refused.Add(1)
		return 0, ErrBusy
	}
}

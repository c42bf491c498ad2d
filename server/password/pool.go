package password

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"signet/server/password/hash"
)

// Config configures a Pool. All fields have working zero values.
type Config struct {
	Argon2 hash.Params   // costs of new hashes, and of what an unknown user is given to wait for
	Slots  int           // passwords hashed at once; 0: as many as there are cores and memory allows, at least 1
	Queue  int           // how many may wait for a slot, whatever the time; 0: 256 a slot; negative: none
	Wait   time.Duration // how long one waits at most; 0: a second
	Caps   hash.Caps     // of hashes that were made elsewhere
	Memory uint64        // bytes that running hashes may take together; 0: half of MemoryLimit

	// Observe, when set, is told for every hash that is run how long it waited. It is called by
	// many goroutines at once.
	Observe func(wait time.Duration)

	// Threads follows the hashes that run; nil: nothing does.
	Threads *Threads
}

// Validate reports every field that cannot be used.
func (c Config) Validate() error {
	errs := []error{c.Argon2.Validate(), c.Caps.Validate()}
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
//
// A hash takes a slot while it runs, and its memory of what all of them may take. One that costs much more
// than a new hash also takes one of a few places for such hashes, so that these cannot occupy all slots, and
// waits for it outside of the queue of the others.
type Pool struct {
	params  hash.Params
	caps    hash.Caps
	queue   int64
	wait    time.Duration
	observe func(time.Duration)
	dummy   hash.Hash             // what is worked on when there is nothing to compare with, and no sample
	kinds   atomic.Pointer[kinds] // see Sample
	work    func(h hash.Hash, password []byte) bool

	slots   chan struct{} // holds one element for every hash that runs
	heavy   chan struct{} // and of those for every expensive one
	memory  *semaphore.Weighted
	budget  uint64 // of memory
	waiting atomic.Int64
	refused atomic.Uint64
	threads *Threads
	mean    atomic.Int64 // nanoseconds that a hash took lately
}

// New returns a Pool. It panics on a Config that Validate refuses.
func New(c Config) *Pool {
	if err := c.Validate(); err != nil {
		panic(fmt.Sprintf("password.New: %v", err))
	}
	p := &Pool{params: c.Argon2.WithDefaults(), wait: c.Wait, observe: c.Observe, work: hash.Hash.Verify}
	if c.Memory == 0 {
		c.Memory = MemoryLimit() / 2
	}
	if c.Slots == 0 {
		c.Slots = slotsFor(runtime.GOMAXPROCS(0), c.Memory, p.params)
	}
	if c.Queue == 0 {
		c.Queue = 256 * c.Slots
	}
	if c.Wait == 0 {
		p.wait = time.Second
	}
	p.queue = int64(max(c.Queue, 0))
	p.slots = make(chan struct{}, c.Slots)
	if p.threads = c.Threads; p.threads != nil {
		p.threads.extra = c.Slots
	}
	p.heavy = make(chan struct{}, max(1, c.Slots/2))
	p.budget = max(min(c.Memory, 1<<62), uint64(c.Slots)*uint64(p.params.Memory)<<10, 1<<20) // what the slots need in any case
	p.memory = semaphore.NewWeighted(int64(p.budget))
	p.caps = c.Caps.WithDefaults()
	p.caps.Memory = uint32(min(uint64(p.caps.Memory), p.budget>>10))
	p.caps = p.caps.Raised(p.params)
	p.dummy = hash.Dummy(p.params)
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
func (p *Pool) run(ctx context.Context, cost hash.Price, do func()) error {
	waited, release, err := p.acquire(ctx, cost)
	if err != nil {
		if errors.Is(err, ErrBusy) {
			p.refused.Add(1)
		}
		return err
	}
	defer release()
	if p.observe != nil {
		p.observe(waited)
	}
	p.threads.begin()
	defer p.threads.end()
	begun := time.Now()
	do()
	p.took(time.Since(begun))
	return nil
}

// took moves the mean by an eighth towards how long a hash took.
func (p *Pool) took(d time.Duration) {
	if old := p.mean.Load(); old == 0 {
		p.mean.Store(int64(d))
	} else {
		p.mean.Store(old + (int64(d)-old)/8) // two at once may lose one of them
	}
}

// heavyWork is how much work, in that of a new hash or of the default's, makes a hash an expensive one.
const heavyWork = 4

func (p *Pool) isHeavy(c hash.Price) bool {
	own, normal := p.params.Price(), hash.Params{}.WithDefaults().Price()
	return c.Work > heavyWork*max(own.Work, normal.Work) || c.Memory > heavyWork*max(own.Memory, normal.Memory) || c.Lanes > max(own.Lanes, cap(p.slots))
}

// acquire takes a slot and says how long that took. A freed slot goes to the one who has waited
// longest: senders on a full channel are served in order, before any newcomer.
func (p *Pool) acquire(ctx context.Context, cost hash.Price) (waited time.Duration, release func(), err error) {
	if err := ctx.Err(); err != nil {
		return 0, nil, err
	}
	start, size := time.Now(), int64(min(cost.Memory, p.budget))
	heavy := p.isHeavy(cost)
	if !heavy && p.memory.TryAcquire(size) {
		select {
		case p.slots <- struct{}{}:
			return 0, func() { <-p.slots; p.memory.Release(size) }, nil
		default:
			p.memory.Release(size)
		}
	}
	if n := p.waiting.Add(1); n > p.queue || p.tooLong(n) {
		p.waiting.Add(-1)
		return 0, nil, ErrBusy
	}
	defer p.waiting.Add(-1)
	turn, cancel := context.WithTimeout(ctx, p.wait)
	defer cancel()
	if err := p.take(turn, heavy, size); err != nil {
		if gone := ctx.Err(); gone != nil {
			err = gone
		}
		return 0, nil, err
	}
	release = func() {
		<-p.slots
		p.memory.Release(size)
		if heavy {
			<-p.heavy
		}
	}
	if err := ctx.Err(); err != nil { // the caller may have gone in the same moment; then there is nobody to hash for
		release()
		return 0, nil, err
	}
	return time.Since(start), release, nil
}

// tooLong reports whether the n-th in the queue would wait in vain, as things are.
func (p *Pool) tooLong(n int64) bool {
	return time.Duration(n*p.mean.Load()/int64(cap(p.slots))) > p.wait
}

// take waits for what a hash needs, always in this order, so that no two wait for each other.
func (p *Pool) take(turn context.Context, heavy bool, size int64) error {
	if heavy {
		if err := enter(turn, p.heavy); err != nil {
			return err
		}
	}
	leave := func() {
		if heavy {
			<-p.heavy
		}
	}
	if err := enter(turn, p.slots); err != nil {
		leave()
		return err
	}
	if p.memory.Acquire(turn, size) != nil {
		<-p.slots
		leave()
		return ErrBusy
	}
	return nil
}

func enter(turn context.Context, places chan struct{}) error {
	select {
	case places <- struct{}{}:
		return nil
	case <-turn.Done():
		return ErrBusy
	}
}

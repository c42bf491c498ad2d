package password

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"signet/server/password/hash"
	"signet/server/password/worker"
)

// Config configures a Pool. All fields have working zero values.
type Config struct {
	Argon2 hash.Params   // costs of new hashes, and of what an unknown user is given to wait for
	Slots  int           // passwords hashed at once; 0: as many as there are cores and memory allows, at least 1
	Queue  int           // how many may wait for a slot, whatever the time; 0: 256 a slot; negative: none
	Wait   time.Duration // how long one waits at most; 0: a second
	Caps   hash.Caps     // of hashes that were made elsewhere
	Pepper []byte        // of the old application: what Devise put behind every password before hashing; nil: none
	Memory uint64        // bytes that running hashes may take together; 0: half of MemoryLimit

	// Observe, when set, is told for every hash that is run how long it waited. It is called by
	// many goroutines at once.
	Observe func(wait time.Duration)

	// Worker hashes in another process; nil: all hashes run in this one.
	Worker Worker

	// Threads follows the hashes that run in this process; nil: nothing does.
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

// Pool hashes and verifies passwords, a bounded number at once: in the process of its Worker, and otherwise in the
// goroutines of its callers.
//
// A hash takes a slot while it runs, and its memory of what all of them may take. One that costs much more
// than a new hash also takes one of a few places for such hashes, so that these cannot occupy all slots, and
// waits for it outside of the queue of the others.
type Pool struct {
	params  hash.Params
	pepper  []byte
	caps    hash.Caps
	observe func(time.Duration)
	dummy   hash.Hash             // what is worked on when there is nothing to compare with, and no sample
	kinds   atomic.Pointer[kinds] // see Sample
	work    func(h hash.Hash, password []byte) bool

	places  *places
	wraps   chan struct{} // has an element for each Wrap that may ask for a place
	idle    chan struct{} // has one for the WrapIdle that may
	budget  uint64        // of memory
	refused atomic.Uint64
	hashed  [2]atomic.Uint64 // hashes here and there
	threads *Threads
}

// New returns a Pool. It panics on a Config that Validate refuses.
func New(c Config) *Pool {
	if err := c.Validate(); err != nil {
		panic(fmt.Sprintf("password.New: %v", err))
	}
	p := &Pool{params: c.Argon2.WithDefaults(), observe: c.Observe, work: hash.Hash.Verify, pepper: c.Pepper, threads: c.Threads}
	if c.Memory == 0 {
		c.Memory = MemoryLimit() / 2
	}
	helpers := 0
	if c.Worker != nil {
		helpers = 1
	}
	if c.Slots == 0 {
		c.Slots = slotsFor(usableCores(), c.Memory, p.params, helpers)
	}
	if c.Queue == 0 {
		c.Queue = 256 * c.Slots
	}
	if c.Wait == 0 {
		c.Wait = time.Second
	}
	p.wraps, p.idle = make(chan struct{}, c.Slots), make(chan struct{}, 1)
	if p.threads != nil {
		p.threads.extra = c.Slots
		if c.Worker != nil {
			p.threads.rush = 1 // one that runs here does so because the machine is busy
		}
	}
	p.budget = max(min(c.Memory, 1<<62), uint64(c.Slots+helpers)*uint64(p.params.Memory)<<10, 1<<20) // what the slots need in any case
	p.places = &places{slots: c.Slots, heavies: max(1, c.Slots/2), queue: max(c.Queue, 0), wait: c.Wait, worker: c.Worker,
		free: p.budget, there: map[*ticket]time.Time{}}
	if c.Worker != nil {
		c.Worker.Limit(c.Slots, p.budget, p.params.Price().Memory)
		c.Worker.Watch(p.places.wake)
	}
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
	p.places.mu.Lock()
	defer p.places.mu.Unlock()
	return Stats{Slots: p.places.slots, Running: p.places.here + len(p.places.there),
		Waiting: len(p.places.line) + len(p.places.heavyLine), Refused: p.refused.Load()}
}

// FellBack reports whether hashes run in this process because the worker does not run or does not answer.
func (p *Pool) FellBack() bool {
	p.places.mu.Lock()
	defer p.places.mu.Unlock()
	if p.places.worker == nil {
		return false
	}
	takes, _ := p.places.lookAtWorker()
	return !takes
}

// Hashed returns how many hashes were done so far, in this process and in that of the worker.
func (p *Pool) Hashed() (inServer, inWorker uint64) { return p.hashed[0].Load(), p.hashed[1].Load() }

// run does a hash when it is its turn: the job in the worker, or local here.
func (p *Pool) run(ctx context.Context, cost hash.Price, job worker.Job, local func() worker.Result) (worker.Result, error) {
	begun := time.Now()
	t := p.places.newTicket(min(cost.Memory, p.budget), p.isHeavy(cost))
	at, err := p.places.enter(ctx, t)
	if err == nil && p.observe != nil {
		p.observe(time.Since(begun))
	}
	var result worker.Result
	if err == nil && at == there {
		if result, t, err = p.hashThere(t, job); t == nil && err == nil {
			return result, nil
		}
	}
	if errors.Is(err, ErrBusy) {
		p.refused.Add(1)
	}
	if err != nil {
		return worker.Result{}, err
	}
	return p.hashHere(t, local), nil
}

// hashHere hashes in this process, at the place of t. The place is free again afterwards, even if local panics.
func (p *Pool) hashHere(t *ticket, local func() worker.Result) worker.Result {
	defer p.places.leave(t, here)
	p.threads.begin()
	defer p.threads.end()
	begun := time.Now()
	result := local()
	p.places.took(time.Since(begun))
	p.hashed[0].Add(1)
	return result
}

// hashThere has the worker hash, at the place of t. If placed is not nil there is no result: the worker is late or has lost
// the hash, and placed has a place for it in this process.
func (p *Pool) hashThere(t *ticket, job worker.Job) (result worker.Result, placed *ticket, err error) {
	begun := time.Now()
	results := p.places.worker.Do(job)
	again := p.places.newTicket(t.size, false)
	tick, over := time.NewTicker(p.places.wait/8), time.NewTimer(p.places.wait)
	defer tick.Stop()
	defer over.Stop()
	for {
		select {
		case result = <-results:
			p.places.leave(t, there)
			if result.Err == nil {
				p.places.withdraw(again)
				p.places.took(time.Since(begun))
				p.hashed[1].Add(1)
				return result, nil, nil
			}
			if t.heavy && errors.Is(result.Err, worker.ErrGone) { // which may be why the process has ended
				p.places.withdraw(again)
				return worker.Result{}, nil, ErrBusy
			}
			again.lost, results = true, nil
			p.places.askHere(again)
		case <-again.placed:
			p.abandon(results, t)
			return worker.Result{}, again, nil
		case <-tick.C:
			p.places.askHere(again)
		case <-over.C:
			p.abandon(results, t)
			p.places.withdraw(again)
			return worker.Result{}, nil, ErrBusy
		}
	}
}

// abandon gives the place of t back when the worker has answered, for a caller that no longer waits. results is nil if it has.
func (p *Pool) abandon(results <-chan worker.Result, t *ticket) {
	if results != nil {
		go func() {
			<-results
			p.places.leave(t, there)
		}()
	}
}

// heavyWork is how much work, in that of a new hash or of the default's, makes a hash an expensive one.
const heavyWork = 4

func (p *Pool) isHeavy(c hash.Price) bool {
	own, normal := p.params.Price(), hash.Params{}.WithDefaults().Price()
	return c.Work > heavyWork*max(own.Work, normal.Work) || c.Memory > heavyWork*max(own.Memory, normal.Memory) || c.Lanes > max(own.Lanes, p.places.slots)
}

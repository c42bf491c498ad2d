package password

import (
	"context"
	"slices"
	"sync"
	"time"

	"signet/server/password/worker"
)

// Worker hashes passwords in another process, which gives the cores away to everything else. *worker.Process is one.
type Worker interface {
	Limit(slots int, memory, usual uint64)
	State() worker.State
	Want()
	Watch(changed func())
	Do(worker.Job) <-chan worker.Result
	CPUTime() (used time.Duration, ok bool)
}

// places are where hashes run: slots in this process, or as many in that of the worker. They are given out in the order in
// which they were asked for.
//
// While the worker takes hashes, all go there. One that has waited for half of the bound may run here, one at a time, if
// other work keeps the cores from the worker: that is where logins would starve. For a minute after that an eighth of the
// bound is enough, so that a machine that is always busy does not make every login slow. While the worker does not take hashes, or
// has not answered one for as long as a login may wait, all run here.
type places struct {
	slots   int           // in each of the two processes
	heavies int           // of them for expensive hashes
	queue   int           // how many may wait
	wait    time.Duration // how long
	worker  Worker        // nil: there is none

	mu        sync.Mutex
	free      uint64                // guarded by mu; memory for hashes, in bytes
	here      int                   // guarded by mu; hashes that run in this process
	there     map[*ticket]time.Time // guarded by mu; hashes that run in the worker's, and since when
	heavy     int                   // guarded by mu; expensive hashes in line or running
	line      []*ticket             // guarded by mu
	heavyLine []*ticket             // guarded by mu; expensive hashes that are not in line yet
	help      []*ticket             // guarded by mu; hashes that the worker has begun or has lost, for a place here
	share     share                 // guarded by mu
	helped    time.Time             // guarded by mu; when a hash of a worker without cores ran here
	fast      time.Duration         // guarded by mu; what a hash takes at best
}

// ticket is a hash that asks for a place.
type ticket struct {
	size   uint64 // of its memory, in bytes
	heavy  bool
	begun  time.Time  // the wait
	late   bool       // has waited for so long that it may run here
	lost   bool       // the worker had it and will not answer
	placed chan place // gets one place
}

// place is where a hash runs.
type place bool

const (
	here  place = false
	there place = true
)

func (p *places) newTicket(size uint64, heavy bool) *ticket {
	return &ticket{size: size, heavy: heavy, begun: time.Now(), placed: make(chan place, 1)}
}

// enter waits for a place. ErrBusy: the wait is over, or would certainly be too long.
func (p *places) enter(ctx context.Context, t *ticket) (place, error) {
	if err := ctx.Err(); err != nil {
		return here, err
	}
	p.mu.Lock()
	to := &p.line
	if t.heavy {
		to = &p.heavyLine
	}
	*to = append(*to, t)
	p.dispatch()
	placed := len(t.placed) > 0
	refused := !placed && (len(p.line)+len(p.heavyLine) > p.queue || !t.heavy && p.tooLong(len(p.line)))
	if refused {
		p.remove(t)
	}
	p.mu.Unlock()
	if refused {
		return here, ErrBusy
	}
	return p.await(ctx, t)
}

// await waits for the place of a ticket that is in line.
func (p *places) await(ctx context.Context, t *ticket) (place, error) {
	tick, over := time.NewTicker(p.wait/8), time.NewTimer(p.wait)
	defer tick.Stop()
	defer over.Stop()
	err := ErrBusy
	for waiting := true; waiting; {
		select {
		case at := <-t.placed:
			if err := ctx.Err(); err != nil { // the caller has gone in the same moment, and the hash is not needed
				p.leave(t, at)
				return here, err
			}
			return at, nil
		case <-tick.C:
			p.mu.Lock()
			p.age(t)
			p.dispatch()
			p.mu.Unlock()
		case <-over.C:
			waiting = false
		case <-ctx.Done():
			err, waiting = ctx.Err(), false
		}
	}
	p.withdraw(t)
	return here, err
}

// helpAgain is how long after a hash has run here the next ones need not wait as long for that.
const helpAgain = time.Minute

// age decides whether a ticket has waited for long enough to run here.
func (p *places) age(t *ticket) {
	patience := p.wait / 2
	if !p.helped.IsZero() && time.Since(p.helped) < helpAgain {
		patience = p.wait / 8
	}
	t.late = t.late || time.Since(t.begun) >= patience
}

// withdraw gives up a ticket, and its place if it has got one meanwhile.
func (p *places) withdraw(t *ticket) {
	p.mu.Lock()
	p.remove(t)
	p.dispatch()
	p.mu.Unlock()
	select {
	case at := <-t.placed:
		p.leave(t, at)
	default:
	}
}

// remove takes a ticket out of the lines.
func (p *places) remove(t *ticket) {
	isIt := func(other *ticket) bool { return other == t }
	if t.heavy && slices.Contains(p.line, t) {
		p.heavy--
	}
	p.line, p.heavyLine, p.help = slices.DeleteFunc(p.line, isIt), slices.DeleteFunc(p.heavyLine, isIt), slices.DeleteFunc(p.help, isIt)
}

// askHere asks for a place in this process, for a hash that the worker has lost, or has had for too long.
func (p *places) askHere(t *ticket) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.age(t)
	if (t.late || t.lost) && len(t.placed) == 0 && !slices.Contains(p.help, t) {
		p.help = append(p.help, t)
	}
	p.dispatch()
}

// leave gives a place back.
func (p *places) leave(t *ticket, at place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free += t.size
	if t.heavy {
		p.heavy--
	}
	if at == there {
		p.share.small(p.worker.CPUTime, len(p.there))
		delete(p.there, t)
	} else {
		p.here--
	}
	p.dispatch()
}

// wake looks again whom a place can be given to.
func (p *places) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dispatch()
}

// dispatch gives out the places that are free.
func (p *places) dispatch() {
	for len(p.heavyLine) > 0 && p.heavy < p.heavies {
		p.heavy++
		p.line = append(p.line, p.heavyLine[0])
		p.heavyLine = p.heavyLine[1:]
	}
	if len(p.line)+len(p.help) == 0 {
		return
	}
	if p.worker != nil {
		p.worker.Want()
	}
	takes, starved := p.lookAtWorker()
	for {
		switch {
		case len(p.help) > 0 && p.free >= p.help[0].size && (!takes && p.here < p.slots || p.here < 1 && (starved || p.help[0].lost)):
			p.give(&p.help, here)
		case len(p.line) == 0 || p.free < p.line[0].size:
			return
		case takes && len(p.there) < p.slots && p.worker.State() == worker.Running:
			p.give(&p.line, there)
		case !takes && p.here < p.slots, p.line[0].late && starved && p.here < 1:
			p.give(&p.line, here)
		default:
			return
		}
	}
}

// give gives a place to the first of a line.
func (p *places) give(line *[]*ticket, at place) {
	t := (*line)[0]
	*line = (*line)[1:]
	p.free -= t.size
	if at == there {
		p.share.count(len(p.there))
		p.there[t] = time.Now()
	} else {
		p.here++
		if t.late {
			p.helped = time.Now()
		}
	}
	t.placed <- at
}

// lookAtWorker reports whether the worker takes hashes or will within moments, and whether it gets too little of the cores.
func (p *places) lookAtWorker() (takes, starved bool) {
	if p.worker == nil {
		return false, false
	}
	switch p.worker.State() {
	case worker.Failed:
		return false, false
	case worker.Running:
	default:
		return true, true
	}
	for t, since := range p.there {
		if !t.heavy && time.Since(since) > p.wait {
			return false, true
		}
	}
	return true, p.share.small(p.worker.CPUTime, len(p.there))
}

// tooLong reports whether the n-th in line would wait in vain even if every hash took as little as the fastest of late.
// Without that certainty one waits: whoever is sent away comes again.
func (p *places) tooLong(n int) bool {
	at := p.slots
	if p.worker != nil {
		at++ // the one that helps out
	}
	return time.Duration(n)*p.fast/time.Duration(at) > p.wait
}

// took notes what a hash took. p.fast is the least of the last thousand or so.
func (p *places) took(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fast == 0 || d < p.fast {
		p.fast = d
		return
	}
	p.fast += (d - p.fast) / 1024
}

// share is how much of the cores the worker gets.
type share struct {
	since   time.Time     // of the last count
	due     time.Duration // of the processors, if each hash had had one since used was read
	used    time.Duration // what the worker had used in all then
	isSmall bool          // as last looked at
}

// shareWindow is the time that hashes must have run for before used is compared with it.
const shareWindow = 100 * time.Millisecond

// count adds the time for which so many hashes have run.
func (s *share) count(running int) {
	now := time.Now()
	if running > 0 {
		s.due += time.Duration(running) * now.Sub(s.since)
	}
	s.since = now
}

// small reports whether the worker got less than half of the processor time that its hashes could have used. Where that
// cannot be found out it is true.
func (s *share) small(cpuTime func() (time.Duration, bool), running int) bool {
	s.count(running)
	if s.due < shareWindow {
		return s.isSmall
	}
	used, ok := cpuTime()
	if got := used - s.used; ok && got >= 0 { // less than before is another process
		s.isSmall = got < s.due/2
	} else {
		s.isSmall = !ok
	}
	s.used, s.due = used, 0
	return s.isSmall
}

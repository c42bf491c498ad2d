package keys

import (
	"slices"
	"sync"
	"time"
)

// peerKept is how long a replica that is not heard of any more is still a witness.
const peerKept = time.Minute

// witnesses are the other clocks that this replica knows of.
type witnesses struct {
	mu      sync.Mutex
	storage *reading // nil: it has told no time
	peers   map[string]peer
	asked   time.Time // when the peers were last asked after; zero: never
}

// peer is what is known of another replica's clock.
type peer struct {
	showed  time.Time // in its newest heartbeat
	reading *reading  // nil: it is not known when that was
}

// reading says that this replica's clock was ahead of another by something between least and most.
type reading struct {
	least, most time.Duration
	at          time.Time // by this replica's clock
}

// storageShowed takes down what the storage's clock showed at some moment between two of this
// replica's: half the round trip is what one does not know.
func (w *witnesses) storageShowed(at, before, after time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	one, other := before.Sub(at), after.Sub(at)
	w.storage = &reading{min(one, other), max(one, other), after}
}

// peersShowed takes down heartbeats. One that was not there at the last look was written since then;
// one that was says nothing new, and of one never seen before nobody knows how old it is.
func (w *witnesses) peersShowed(clocks map[string]time.Time, asked, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	since := now.Sub(w.asked)
	peers := make(map[string]peer, len(clocks))
	for name, showed := range clocks {
		p, known := w.peers[name]
		if known && !showed.Equal(p.showed) {
			ahead := now.Sub(showed)
			p.reading = &reading{ahead - since, ahead, now}
		}
		p.showed = showed
		peers[name] = p
	}
	w.peers, w.asked = peers, asked
}

// judge lets the clocks vote, this replica's own among them: those within the tolerance of it are on
// its side. It is off if it is outvoted. Where the votes are even the storage's side wins: there is
// one storage for all replicas, so they do not each believe that they are right.
//
// A peer whose reading is too coarse to tell abstains. It only counts where the storage's clock differs
// and the reading is exact enough to show that the peer does not agree with the storage.
func (w *witnesses) judge(now time.Time, tolerance time.Duration) (c ClockState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	agree, differ := 1, 0
	against := true // where the storage does not say, in doubt nobody signs
	var storage reading
	if w.storage != nil {
		c.Known, storage = true, w.storage.asOf(now)
		c.Offset, against = storage.middle(), storage.differs(tolerance)
		if against {
			differ++
		} else {
			agree++
		}
	}
	var others []time.Duration
	for name, p := range w.peers {
		if p.reading != nil && now.Sub(p.reading.at) > peerKept {
			p.reading = nil
			w.peers[name] = p
		}
		if p.reading == nil {
			continue
		}
		c.Known = true
		r := p.reading.asOf(now)
		differs := r.differs(tolerance)
		switch {
		case differs:
			differ++
		case r.agrees(tolerance), w.storage != nil && against && storage.minus(r).differs(tolerance):
			agree++
		}
		if differs || w.storage == nil {
			others = append(others, r.middle())
		}
	}
	c.Off = differ > agree || differ == agree && against
	c.Disputed = !c.Off && w.storage != nil && against
	if len(others) > 0 && (w.storage == nil || c.Off && !against) {
		slices.Sort(others)
		c.Offset = others[len(others)/2]
	}
	return c
}

// asOf is the reading as it would be now: this clock may have jumped since.
func (r reading) asOf(now time.Time) reading {
	by := jump(r.at, now)
	return reading{r.least + by, r.most + by, now}
}

func (r reading) middle() time.Duration { return r.least + (r.most-r.least)/2 }

// differs reports whether the clocks are certainly further apart than that.
func (r reading) differs(tolerance time.Duration) bool {
	return r.least > tolerance || r.most < -tolerance
}

// agrees reports whether the clocks are certainly no further apart than that.
func (r reading) agrees(tolerance time.Duration) bool {
	return r.most <= tolerance && r.least >= -tolerance
}

// minus is by how much the clock of the other reading is ahead of the one of r.
func (r reading) minus(other reading) reading {
	return reading{r.least - other.most, r.most - other.least, r.at}
}

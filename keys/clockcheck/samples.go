package clockcheck

import (
	"slices"
	"sync"
	"time"
)

// peerKept is how long the sample of a replica counts after its last heartbeat.
const peerKept = time.Minute

// Status is the result of comparing this machine's clock with others.
type Status struct {
	Offset   time.Duration // how far it is ahead of the storage's; of the other replicas' where the storage has none
	Known    bool          // there is a clock to compare it with
	Off      bool          // it is wrong by more than the tolerance: nothing may be signed, verified or planned by it
	Disputed bool          // the storage's is wrong by more than the tolerance, by the other replicas' clocks: nothing may be planned
}

// Samples are comparisons of this machine's clock with others. The zero Samples are none.
type Samples struct {
	mu      sync.Mutex
	storage *reading // nil: it has shown no time
	peers   map[string]peer
	asked   time.Time // when the heartbeats were last read; zero: never
}

// peer is what is known of another replica's clock.
type peer struct {
	showed  time.Time // in its newest heartbeat
	reading *reading  // nil: the age of that heartbeat is not known
}

// reading is a sample: this machine's clock was ahead of another by something between least and most.
type reading struct {
	least, most time.Duration
	at          time.Time // by this machine's clock
}

// ObserveStorage records what the storage's clock showed at some moment between two readings of this
// machine's: half of the round trip is uncertain.
func (s *Samples) ObserveStorage(at, before, after time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one, other := before.Sub(at), after.Sub(at)
	s.storage = &reading{min(one, other), max(one, other), after}
}

// ObservePeers records heartbeats that were read between asked and now. A heartbeat that is new since the
// last time was written since then, which makes it a sample. One that is not new adds nothing, and the age of
// the first one of a replica is not known.
func (s *Samples) ObservePeers(clocks map[string]time.Time, asked, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	since := now.Sub(s.asked)
	peers := make(map[string]peer, len(clocks))
	for name, showed := range clocks {
		p, known := s.peers[name]
		if known && !showed.Equal(p.showed) {
			ahead := now.Sub(showed)
			p.reading = &reading{ahead - since, ahead, now}
		}
		p.showed = showed
		peers[name] = p
	}
	s.peers, s.asked = peers, asked
}

// Evaluate lets the clocks vote, this machine's included: those within the tolerance of it are on its side. It is
// off if it is outvoted. Where the votes are even the storage's side wins, so that replicas which share a
// storage do not each trust their own clock.
//
// A peer whose sample is too coarse to decide abstains. It counts for this machine only where the storage's
// clock differs and the sample is exact enough to show that the peer does not agree with the storage.
func (s *Samples) Evaluate(now time.Time, tolerance time.Duration) (status Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	agree, differ := 1, 0
	against := true // where the storage shows no time, a draw stops this replica
	var storage reading
	if s.storage != nil {
		status.Known, storage = true, s.storage.asOf(now)
		status.Offset, against = storage.middle(), storage.differs(tolerance)
		if against {
			differ++
		} else {
			agree++
		}
	}
	var others []time.Duration
	for name, p := range s.peers {
		if p.reading != nil && now.Sub(p.reading.at) > peerKept {
			p.reading = nil
			s.peers[name] = p
		}
		if p.reading == nil {
			continue
		}
		status.Known = true
		r := p.reading.asOf(now)
		differs := r.differs(tolerance)
		switch {
		case differs:
			differ++
		case r.agrees(tolerance), s.storage != nil && against && storage.minus(r).differs(tolerance):
			agree++
		}
		if differs || s.storage == nil {
			others = append(others, r.middle())
		}
	}
	status.Off = differ > agree || differ == agree && against
	status.Disputed = !status.Off && s.storage != nil && against
	if len(others) > 0 && (s.storage == nil || status.Off && !against) {
		slices.Sort(others)
		status.Offset = others[len(others)/2]
	}
	return status
}

// asOf returns the reading as it would be now: this machine's clock may have jumped since.
func (r reading) asOf(now time.Time) reading {
	by := jump(r.at, now)
	return reading{r.least + by, r.most + by, now}
}

func (r reading) middle() time.Duration { return r.least + (r.most-r.least)/2 }

// differs reports whether the clocks are certainly further apart than the tolerance.
func (r reading) differs(tolerance time.Duration) bool {
	return r.least > tolerance || r.most < -tolerance
}

// agrees reports whether the clocks are certainly within the tolerance.
func (r reading) agrees(tolerance time.Duration) bool {
	return r.most <= tolerance && r.least >= -tolerance
}

// minus returns by how much the clock of the other reading is ahead of that of r.
func (r reading) minus(other reading) reading {
	return reading{r.least - other.most, r.most - other.least, r.at}
}

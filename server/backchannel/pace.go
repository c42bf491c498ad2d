package backchannel

import (
	"math/rand/v2"
	"time"
)

// pace is how a client is treated that has failed.
type pace struct {
	failures int // in a row
	until    time.Time
	trying   bool // a delivery that finds out whether it answers again is under way
}

const (
	firstPause   = time.Second
	longestPause = 5 * time.Minute
	// mostPaces bounds the clients that are remembered. There are more only where more are down at once.
	mostPaces = 10_000
)

// begin returns how long the client is left alone, or 0 where a delivery may begin, of which end or failed is called.
func (s *Sender) begin(client string) (wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.clients[client]
	if p == nil {
		return 0
	}
	if wait = p.until.Sub(s.cfg.Now()); wait > 0 {
		return wait + rand.N(wait/2+1) // one of many is the trial, and the others of an app that is down are not due all at once
	}
	if p.trying {
		return min(firstPause<<min(p.failures, 16), s.cfg.Timeout+firstPause) // it is found out by then
	}
	p.trying = true
	return 0
}

// end forgets the failures of a client that answers, and returns how many there were. Where nothing was found out the next
// delivery is tried at once.
func (s *Sender) end(client string, answered bool) (failures int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.clients[client]
	switch {
	case p == nil:
		return 0
	case answered:
		delete(s.clients, client)
	default:
		p.trying = false
	}
	return p.failures
}

// failed returns how long the client is left alone after one more failure, and whether it was the first. Deliveries that were under way
// together count as one.
func (s *Sender) failed(client string) (wait time.Duration, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.Now()
	p := s.clients[client]
	if p == nil {
		if len(s.clients) >= mostPaces {
			return longestPause, false
		}
		p = &pace{}
		s.clients[client] = p
	}
	if wait = p.until.Sub(now); wait > 0 {
		return wait, false
	}
	p.trying = false
	wait = min(firstPause<<min(p.failures, 16), longestPause)
	wait += rand.N(wait/4 + 1) // so that replicas do not come together
	p.failures, p.until = p.failures+1, now.Add(wait)
	return wait, p.failures == 1
}

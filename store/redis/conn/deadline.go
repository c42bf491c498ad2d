package conn

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// A command can reach the server long after its caller got a 503: a network that is half open
// delivers it seconds later. The app has refreshed elsewhere by then, and a late rotation would look like
// the reuse of an old token. So every script that changes something carries the time at which its
// caller gives up, by the server's own clock, and changes nothing after that (deadline.lua).
//
// The server's clock is estimated from answers to TIME, against the local monotonic clock, so that
// neither the clock of this machine nor its steps matter. An estimate that is wrong, because the
// server's clock was set, shows in the answer LATE, which has the server's time: the estimate is
// corrected, and the same command sent once more while its caller waits. Where the server does not let
// us ask for TIME, commands have no deadline; redis.Store.Check reports that.

// serverClock is what the clock of one server shows, as far as it is known.
type serverClock struct {
	mu    sync.Mutex
	known bool
	shown time.Time     // by the server
	asked time.Time     // here, before the question went out: the server showed that then or later
	trip  time.Duration // how much later at most
}

// clockSlack: samples that differ by less than this and their trips agree.
const clockSlack = 2 * time.Millisecond

// learn takes what the server showed between two moments here. The best sample is the one that took the
// least time, and it grows worse by a thousandth of its age; one that contradicts it is newer and right.
func (c *serverClock) learn(asked, answered, shown time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	trip := answered.Sub(asked)
	if c.known {
		age := asked.Sub(c.asked)
		apart := shown.Sub(c.shown.Add(age)).Abs()
		if trip > c.trip+age/1000 && apart <= trip+c.trip+age/1000+clockSlack {
			return
		}
	}
	c.known, c.shown, c.asked, c.trip = true, shown, asked, trip
}

func (c *serverClock) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known = false
}

// latest is the latest time that the server may show now; ok is false where nothing is known of it.
func (c *serverClock) latest(now time.Time) (t time.Time, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shown.Add(now.Sub(c.asked)), c.known
}

// clockOf returns the clock of one node.
func (s *servers) clockOf(node *redis.Client) *serverClock {
	addr := node.Options().Addr
	s.mu.Lock()
	defer s.mu.Unlock()
	clock := s.clocks[addr]
	if clock == nil {
		clock = &serverClock{}
		s.clocks[addr] = clock
	}
	return clock
}

// sampleClock asks a node for the time.
func (s *servers) sampleClock(ctx context.Context, node *redis.Client) {
	asked := time.Now()
	shown, err := node.Time(ctx).Result()
	switch {
	case err == nil:
		s.clockOf(node).learn(asked, time.Now(), shown)
	case HasCode(err, "NOPERM"):
		s.clockOf(node).forget()
	}
}

// deadline is the last argument of a script that changes something. It is worked out when it is
// written to the connection: waiting for one does not count.
type deadline struct {
	clock  *serverClock
	caller context.Context
	within time.Duration // the longest that an answer is waited for
}

// MarshalBinary implements encoding.BinaryMarshaler, which is what go-redis asks for.
func (d deadline) MarshalBinary() ([]byte, error) {
	now := time.Now()
	latest, ok := d.clock.latest(now)
	if !ok {
		return []byte("0"), nil
	}
	within := d.within
	if until, bounded := d.caller.Deadline(); bounded {
		within = min(within, until.Sub(now))
	}
	return strconv.AppendInt(nil, latest.Add(within).UnixMilli(), 10), nil
}

// tooLate reports whether the server has answered that the command came after its deadline.
func tooLate(err error) bool { return HasCode(err, "LATE") }

// learnFromLate corrects the clock by the time in the answer of a late command.
func (c *serverClock) learnFromLate(asked time.Time, err error) {
	var reply redis.Error
	if !errors.As(err, &reply) {
		return
	}
	fields := strings.Fields(reply.Error())
	if len(fields) < 2 {
		return
	}
	if ms, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
		c.learn(asked, time.Now(), time.UnixMilli(ms))
	}
}

package call

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"signet/store"
)

const (
	// streamStall is how long one step of a stream may take. The stream as a whole has no limit.
	streamStall = 30 * time.Second
	// rightsEvery is how often the rights of a stream's caller are checked again.
	rightsEvery = 2 * time.Second
)

// Guard bounds a verb whose body or response may be of any length. Each step has a time limit of its own. The
// caller's token is checked again at each step and between them, so a stream does not outlive the right to it.
type Guard struct {
	r     *Request
	conn  *http.ResponseController
	check func(ctx context.Context) error // nil on the socket
	stop  context.CancelFunc
	done  sync.WaitGroup

	mu      sync.Mutex // guards the fields below and the connection's deadlines
	sending bool       // the response has begun, so a write may be waiting
	ended   error      // why the stream must not go on
}

// NewGuard returns the guard of a request. The caller closes it.
func NewGuard(r *Request) *Guard {
	g := &Guard{r: r, conn: http.NewResponseController(r.Writer), check: r.Recheck}
	ctx, stop := context.WithCancel(r.Context())
	g.stop = stop
	if g.check != nil {
		g.done.Go(func() { g.watch(ctx) })
	}
	return g
}

// Close ends the checks.
func (g *Guard) Close() {
	g.stop()
	g.done.Wait()
}

// Step gives the stream time for its next step, or returns why the stream must end.
func (g *Guard) Step() error {
	if g.check != nil {
		if err := g.check(g.r.Context()); err != nil && !unanswered(err) { // the step itself asks the same store
			g.end(err)
		}
	}
	return g.Extend()
}

// Extend is Step without a check of the token, for steps that are many a second.
func (g *Guard) Extend() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended != nil {
		return g.ended
	}
	until := time.Now().Add(streamStall) // a writer that has no deadlines needs none
	_ = g.conn.SetReadDeadline(until)
	_ = g.conn.SetWriteDeadline(until)
	return nil
}

// Cause returns why the stream was ended, or err if nothing ended it.
func (g *Guard) Cause(err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended != nil {
		return g.ended
	}
	return err
}

// end ends the reads and writes that wait for the caller. A response that has not begun can still be written.
func (g *Guard) end(why error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended != nil {
		return
	}
	g.ended = why
	_ = g.conn.SetReadDeadline(time.Now())
	if g.sending {
		_ = g.conn.SetWriteDeadline(time.Now())
	}
}

// Send notes that the response begins.
func (g *Guard) Send() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sending = true
}

// watch ends a stream whose caller has lost the right to it while the stream waits. A store that does not answer for
// streamStall ends it too.
func (g *Guard) watch(ctx context.Context) {
	every := time.NewTicker(rightsEvery)
	defer every.Stop()
	asked := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		err := g.check(ctx)
		switch {
		case err == nil:
			asked = time.Now()
		case ctx.Err() != nil:
			return
		case !unanswered(err) || time.Since(asked) > streamStall:
			g.end(err)
			return
		}
	}
}

// unanswered reports whether err means only that the store did not answer.
func unanswered(err error) bool {
	return errors.Is(err, store.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded)
}

package admin

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"signet/store"
)

const (
	// streamStall is how long one step of a stream may take: what goes on has no limit, what hangs does.
	streamStall = 30 * time.Second
	// rightsEvery is how often a stream asks whether its caller may still do what it does.
	rightsEvery = 2 * time.Second
)

// streamGuard bounds a verb that takes as long as its bytes do. Each step has a time of its own, and the caller's
// token is checked again at each step and between them: a stream does not outlive the right to it.
type streamGuard struct {
	call  *Request
	conn  *http.ResponseController
	check func(ctx context.Context) error // nil on the socket
	stop  context.CancelFunc
	done  sync.WaitGroup

	mu      sync.Mutex // guards what follows, and the connection's deadlines
	sending bool       // the answer has begun, and a write may be what waits
	ended   error      // why the stream must not go on
}

// guardStream begins one. The caller closes it.
func guardStream(r *Request) *streamGuard {
	g := &streamGuard{call: r, conn: http.NewResponseController(r.Writer), check: r.recheck}
	ctx, stop := context.WithCancel(r.Context())
	g.stop = stop
	if g.check != nil {
		g.done.Go(func() { g.watch(ctx) })
	}
	return g
}

func (g *streamGuard) close() {
	g.stop()
	g.done.Wait()
}

// step gives the stream time for its next step, or says why there is none.
func (g *streamGuard) step() error {
	if g.check != nil {
		if err := g.check(g.call.Context()); err != nil && !unanswered(err) { // the step itself asks the same store
			g.end(err)
		}
	}
	return g.extend()
}

// extend is step without a look at the token, for steps that are many a second.
func (g *streamGuard) extend() error {
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

// cause is why the stream was ended, or err where nothing ended it.
func (g *streamGuard) cause(err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended != nil {
		return g.ended
	}
	return err
}

// end wakes what waits for the caller. An answer that has not begun can still be written.
func (g *streamGuard) end(why error) {
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

// send notes that the answer begins.
func (g *streamGuard) send() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sending = true
}

// watch ends a stream whose caller has lost the right to it while it waits. A store that cannot be asked for
// streamStall ends it too.
func (g *streamGuard) watch(ctx context.Context) {
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

// unanswered reports whether err only says that the store could not be asked.
func unanswered(err error) bool {
	return errors.Is(err, store.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded)
}

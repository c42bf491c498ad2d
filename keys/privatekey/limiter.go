package privatekey

import (
	"context"
	"errors"
	"time"
)

var (
	errBusy = errors.New("too many wait for their turn already")
	errLate = errors.New("it took too long")
)

// limiter bounds calls that may hang: so many at once, so many waiting, so long in all.
type limiter struct {
	room    chan struct{} // holds one for each call that runs or waits
	slots   chan struct{} // holds one for each call that runs
	timeout time.Duration
}

func newLimiter(slots, queue int, timeout time.Duration) *limiter {
	return &limiter{room: make(chan struct{}, slots+queue), slots: make(chan struct{}, slots), timeout: timeout}
}

// do runs call when its turn has come, and waits for it no longer than the timeout. A call that does not
// return is abandoned and keeps its slot until it does: so there are never more of them than slots. The
// context of call has ended when its caller has given up.
func (l *limiter) do(ctx context.Context, call func(context.Context) error) error {
	select {
	case l.room <- struct{}{}:
	default:
		return errBusy
	}
	ctx, cancel := context.WithTimeoutCause(ctx, l.timeout, errLate)
	defer cancel()
	select {
	case l.slots <- struct{}{}:
	case <-ctx.Done():
		<-l.room
		return context.Cause(ctx)
	}
	done := make(chan error, 1)
	go func() {
		err := call(ctx)
		<-l.slots
		<-l.room
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

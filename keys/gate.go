package keys

import (
	"context"
	"errors"
	"time"
)

var (
	errBusy = errors.New("too many wait for their turn already")
	errLate = errors.New("it took too long")
)

// gate bounds calls that may hang: so many at once, so many waiting, so long in all.
type gate struct {
	room    chan struct{} // holds one for each call that runs or waits
	slots   chan struct{} // holds one for each call that runs
	timeout time.Duration
}

func newGate(slots, queue int, timeout time.Duration) *gate {
	return &gate{room: make(chan struct{}, slots+queue), slots: make(chan struct{}, slots), timeout: timeout}
}

// do runs call when its turn has come, and waits for it no longer than the timeout. A call that does
// not come back is left behind and keeps its slot until it does: so there are never more of them
// than slots. The context that call gets has ended when nobody waits for it any more.
func (g *gate) do(ctx context.Context, call func(context.Context) error) error {
	select {
	case g.room <- struct{}{}:
	default:
		return errBusy
	}
	ctx, cancel := context.WithTimeoutCause(ctx, g.timeout, errLate)
	defer cancel()
	select {
	case g.slots <- struct{}{}:
	case <-ctx.Done():
		<-g.room
		return context.Cause(ctx)
	}
	done := make(chan error, 1)
	go func() {
		err := call(ctx)
		<-g.slots
		<-g.room
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

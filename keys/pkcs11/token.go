//go:build pkcs11 && cgo

package pkcs11

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Built reports whether the program was compiled with PKCS #11.
const Built = true

// pause is how long a failed login stands before the next is tried.
const pause = time.Second

var errClosed = errors.New("pkcs11: the token was closed")

// token implements Token.
type token struct {
	cfg  Config
	turn chan struct{} // held by the one who connects

	mu       sync.Mutex
	current  *connection // nil: there is none
	former   *connection // given up, perhaps with calls still in it; its end comes before the next connection
	failure  error       // of the last attempt to connect
	failedAt time.Time
	closed   bool

	refusedPIN [sha256.Size]byte // guarded by turn: the hash of the PIN that the token called wrong
}

func open(cfg Config) (Token, error) {
	return &token{cfg: cfg, turn: make(chan struct{}, 1)}, nil
}

func (*token) Name() string { return Name }

// use runs call over a connection. Where the connection turns out to be gone and again is set, it is
// run once more over a new one.
func (t *token) use(ctx context.Context, again bool, call func(*connection) error) error {
	c, err := t.enter(ctx)
	if err != nil {
		return err
	}
	err = call(c)
	t.leave(c, err)
	if again && lost(err) && ctx.Err() == nil {
		return t.use(ctx, false, call)
	}
	return err
}

// enter returns the connection, with this call counted in, and makes one if there is none.
func (t *token) enter(ctx context.Context) (*connection, error) {
	if c := t.join(); c != nil {
		return c, nil
	}
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("pkcs11: waiting for a connection: %w", context.Cause(ctx))
	}
	if c := t.join(); c != nil {
		return c, nil
	}
	if err := t.connect(ctx); err != nil {
		return nil, err
	}
	if c := t.join(); c != nil {
		return c, nil
	}
	return nil, errClosed
}

// join counts one call more over the current connection, or returns nil.
func (t *token) join() *connection {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current != nil {
		t.current.calls++
	}
	return t.current
}

// leave counts the call out, and gives the connection up if that is what its error means.
func (t *token) leave(c *connection, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c.calls--
	if lost(err) && t.current == c {
		t.giveUp()
	}
	if c.calls == 0 && t.current != c {
		close(c.drained)
	}
}

// giveUp lets no further call into the current connection. mu is held.
func (t *token) giveUp() { t.current, t.former = nil, t.current }

// connect ends the former connection and makes a new one. turn is held.
func (t *token) connect(ctx context.Context) error {
	t.mu.Lock()
	former, failure, closed := t.former, t.failure, t.closed
	recent := time.Since(t.failedAt) < pause
	t.mu.Unlock()
	switch {
	case closed:
		return errClosed
	case failure != nil && recent:
		return failure
	}
	if err := former.end(ctx); err != nil {
		return err
	}
	c, err := t.dial()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.former, t.current = nil, c
	t.failure, t.failedAt = err, time.Now()
	return err
}

// Close implements Token.
func (t *token) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), pause)
	defer cancel()
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return fmt.Errorf("pkcs11: closing the token: %w", ctx.Err())
	}
	t.mu.Lock()
	t.closed = true
	if t.current != nil {
		idle := t.current.calls == 0
		t.giveUp()
		if idle {
			close(t.former.drained)
		}
	}
	former := t.former
	t.former = nil
	t.mu.Unlock()
	return former.end(ctx)
}

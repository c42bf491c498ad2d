package server_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/server/password"
	"signet/server/servertest"
)

// gate is a pool of hash slots that can be held occupied.
type gate struct {
	pool    *password.Pool
	held    atomic.Bool
	entered chan struct{}
	leave   chan struct{}
	login   sync.WaitGroup
}

func newGate(t testing.TB, slots int) *gate {
	g := &gate{entered: make(chan struct{}), leave: make(chan struct{})}
	g.pool = password.New(password.Config{Argon2: servertest.CheapHash, Slots: slots, Queue: -1, Observe: func(time.Duration) {
		if g.held.Load() {
			g.entered <- struct{}{}
			<-g.leave
		}
	}})
	return g
}

// occupy starts a login and returns when it holds a slot, which it keeps until release.
func (sc *script) occupy([]string) {
	sc.gate.held.Store(true)
	r := sc.goodLogin()
	sc.gate.login.Go(func() { r.Do() })
	<-sc.gate.entered
}

func (sc *script) release([]string) {
	sc.gate.held.Store(false)
	close(sc.gate.leave)
	sc.gate.login.Wait()
}

package password

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"signet/server/password/hash"
)

// held returns a pool whose hashes last until release gets an element for each.
func held(c Config) (p *Pool, release chan struct{}) {
	c.Argon2 = cheap
	p = New(c)
	release = make(chan struct{})
	p.work = func(hash.Hash, []byte) bool { <-release; return false }
	return p, release
}

func verify(ctx context.Context, p *Pool) error {
	_, err := p.Verify(ctx, "", "Correct Horse Battery")
	return err
}

// Under load never more than Slots hashes run, all of them do at some time, and all callers are served.
func TestNeverMoreThanSlots(t *testing.T) {
	const slots, callers = 3, 60
	var running, most atomic.Int64
	p := New(Config{Argon2: cheap, Slots: slots, Queue: callers, Wait: time.Minute})
	p.work = func(h hash.Hash, password []byte) bool {
		now := running.Add(1)
		for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
		}
		defer running.Add(-1)
		return h.Verify(password)
	}
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range 20 {
				if err := verify(t.Context(), p); err != nil {
					t.Errorf("got %v, want nil", err)
				}
			}
		})
	}
	wg.Wait()
	if got := most.Load(); got > slots {
		t.Errorf("got %d hashes at once, want at most %d", got, slots)
	}
	if got := p.Stats(); got != (Stats{Slots: slots}) {
		t.Errorf("afterwards: got %+v, want all idle", got)
	}
}

// All slots are used, and the rest stands in the queue.
func TestSlotsAndQueueFill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, release := held(Config{Slots: 2, Queue: 3})
		results := make(chan error, 6)
		for range 5 {
			go func() { results <- verify(t.Context(), p) }()
		}
		synctest.Wait()
		if got, want := p.Stats(), (Stats{Slots: 2, Running: 2, Waiting: 3}); got != want {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		start := time.Now()
		if err := verify(t.Context(), p); !errors.Is(err, ErrBusy) {
			t.Errorf("queue full: got %v, want ErrBusy", err)
		}
		if waited := time.Since(start); waited != 0 {
			t.Errorf("queue full: answered after %v, want at once", waited)
		}
		if _, err := p.Hash(t.Context(), "Correct Horse Battery"); !errors.Is(err, ErrBusy) {
			t.Errorf("Hash with a full queue: got %v, want ErrBusy", err)
		}
		close(release)
		for range 5 {
			if err := <-results; err != nil {
				t.Errorf("got %v, want nil", err)
			}
		}
		if got, want := p.Stats(), (Stats{Slots: 2, Refused: 2}); got != want {
			t.Errorf("afterwards: got %+v, want %+v", got, want)
		}
	})
}

func TestWaitIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, release := held(Config{Slots: 1})
		go verify(t.Context(), p)
		synctest.Wait()
		start := time.Now()
		err := verify(t.Context(), p)
		if waited := time.Since(start); !errors.Is(err, ErrBusy) || waited != time.Second {
			t.Errorf("got %v after %v, want ErrBusy after 1s", err, waited)
		}
		if got, want := p.Stats(), (Stats{Slots: 1, Running: 1, Refused: 1}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		release <- struct{}{}
	})
}

// A client that hangs up leaves the queue at once, and its place goes to another.
func TestCancelledFreesItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, release := held(Config{Slots: 1, Queue: 1})
		ctx, cancel := context.WithCancel(t.Context())
		waiter, next := make(chan error, 1), make(chan error, 1)
		go verify(t.Context(), p)
		synctest.Wait()
		go func() { waiter <- verify(ctx, p) }()
		synctest.Wait()
		start := time.Now()
		cancel()
		if err := <-waiter; !errors.Is(err, context.Canceled) || time.Since(start) != 0 {
			t.Errorf("got %v after %v, want context.Canceled at once", err, time.Since(start))
		}
		go func() { next <- verify(t.Context(), p) }()
		synctest.Wait()
		if got, want := p.Stats(), (Stats{Slots: 1, Running: 1, Waiting: 1}); got != want {
			t.Errorf("after the cancel: got %+v, want %+v", got, want)
		}
		close(release)
		if err := <-next; err != nil {
			t.Errorf("the next one: got %v, want nil", err)
		}
		if err := verify(ctx, p); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled before: got %v, want context.Canceled", err)
		}
	})
}

// Who has waited longest is next, and Observe hears how long each has waited.
func TestOrderAndObserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waits []time.Duration
		p, release := held(Config{Slots: 1, Queue: 8, Wait: time.Minute, Observe: func(d time.Duration) { waits = append(waits, d) }})
		order := make(chan int, 4)
		for i := range 4 {
			go func() { verify(t.Context(), p); order <- i }()
			synctest.Wait()
			time.Sleep(time.Second)
		}
		for want := range 4 {
			release <- struct{}{}
			if got := <-order; got != want {
				t.Errorf("got caller %d, want %d", got, want)
			}
			synctest.Wait()
		}
		for i, want := range []time.Duration{0, 3 * time.Second, 2 * time.Second, time.Second} {
			if len(waits) != 4 || waits[i] != want {
				t.Fatalf("got waits %v, want [0s 3s 2s 1s]", waits)
			}
		}
	})
}

func TestPanicFreesTheSlot(t *testing.T) {
	p := New(Config{Argon2: cheap, Slots: 1, Queue: -1})
	work := p.work
	p.work = func(hash.Hash, []byte) bool { panic("in the hash") }
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		verify(t.Context(), p)
	}()
	p.work = work
	if err := verify(t.Context(), p); err != nil {
		t.Errorf("after a panic: got %v, want nil", err)
	}
}

func TestSlotsFor(t *testing.T) {
	const mib, noLimit = 1 << 20, 1<<64 - 1
	standard := hash.Params{}.WithDefaults()
	for _, c := range []struct {
		cores  int
		memory uint64
		want   int
	}{
		{1, noLimit, 1}, {2, noLimit, 2}, {8, noLimit, 8}, {0, noLimit, 1},
		{8, 64 * mib, 3}, {8, 19 * mib, 1}, {8, 1 * mib, 1}, {64, 4096 * mib, 64},
	} {
		if got := slotsFor(c.cores, c.memory, standard, 0); got != c.want {
			t.Errorf("%d cores, %d MiB: got %d slots, want %d", c.cores, c.memory/mib, got, c.want)
		}
	}
}

func TestCoresWithin(t *testing.T) {
	for text, want := range map[string]int{
		"": 8, "max 100000\n": 8, "100000 100000\n": 1, "50000 100000\n": 1, "250000 100000\n": 2, "3200000 100000\n": 8,
		"100000 0\n": 8, "-1 100000\n": 8,
	} {
		if got := coresWithin(8, text); got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
}

func TestParseBytes(t *testing.T) {
	for s, want := range map[string]uint64{
		"1073741824\n": 1 << 30, "max\n": 1<<64 - 1, "": 1<<64 - 1, "0": 1<<64 - 1, "-1": 1<<64 - 1,
	} {
		if got := parseBytes(s, 1); got != want {
			t.Errorf("%q: got %d, want %d", s, got, want)
		}
	}
	if got := parseBytes("18446744073709551615", 1024); got != 1<<64-1 {
		t.Errorf("overflow: got %d, want no limit", got)
	}
	if got := MemoryLimit(); got < 1<<20 {
		t.Errorf("this machine: got %d bytes, want some memory", got)
	}
}

func TestConfigValidate(t *testing.T) {
	if err := (Config{}).Validate(); err != nil {
		t.Errorf("zero: got %v, want nil", err)
	}
	for name, c := range map[string]Config{
		"slots":  {Slots: -1},
		"wait":   {Wait: -1},
		"memory": {Argon2: hash.Params{Memory: 7}},
		"lanes":  {Argon2: hash.Params{Memory: 31, Threads: 4}},
		"large":  {Argon2: hash.Params{Memory: 1<<20 + 1, Time: 1}},
		"long":   {Argon2: hash.Params{Memory: 1 << 20, Time: 5}},
	} {
		if c.Validate() == nil {
			t.Errorf("%s: got nil, want an error", name)
		}
	}
	// What a Pool may be configured to write, it must be able to read.
	largest := hash.Dummy(hash.Params{Memory: 1 << 20, Time: 4, Threads: 255})
	if _, err := hash.Parse(largest.String()); err != nil {
		t.Errorf("the largest valid parameters: got %v, want nil", err)
	}
}

// A hash that may wait runs when no login does and none waits, and ends with its context.
func TestWrapIdleLetsLoginsGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, release := held(Config{Slots: 2})
		login := make(chan error, 1)
		go func() { login <- verify(t.Context(), p) }()
		synctest.Wait()
		wrapped := make(chan string, 1)
		go func() {
			stored, err := p.WrapIdle(t.Context(), "$1$salt$aaaaaaaaaaaaaaaaaaaaa1")
			if err != nil {
				t.Errorf("WrapIdle: %v", err)
			}
			wrapped <- stored
		}()
		time.Sleep(time.Hour) // of the bubble
		if got, want := p.Stats(), (Stats{Slots: 2, Running: 1}); got != want {
			t.Fatalf("while a login is hashed: got %+v, want %+v", got, want)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := p.WrapIdle(ctx, "$1$salt$aaaaaaaaaaaaaaaaaaaaa1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the error of the context", err)
		}
		release <- struct{}{}
		if err := <-login; err != nil {
			t.Error(err)
		}
		if stored := <-wrapped; hash.NeedsWrap(stored) || p.Supported(stored) != nil {
			t.Errorf("got %s", stored)
		}
	})
}

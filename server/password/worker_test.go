package password

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signet/server/password/hash"
	"signet/server/password/worker"
)

// fakeWorker is a Worker whose hashes take as long as a test wants.
type fakeWorker struct {
	take  time.Duration // of one hash; 0: for ever
	share float64       // of that time it has a core

	mu      sync.Mutex
	state   worker.State
	changed func()
	running map[chan worker.Result]*time.Timer
	most    int           // hashes at once
	used    time.Duration // of the processors, by hashes that have ended
	begun   map[chan worker.Result]time.Time
	err     error // of the next hashes
}

func newFakeWorker(take time.Duration, share float64) *fakeWorker {
	return &fakeWorker{take: take, share: share, state: worker.Running, changed: func() {},
		running: map[chan worker.Result]*time.Timer{}, begun: map[chan worker.Result]time.Time{}}
}

func (w *fakeWorker) State() worker.State {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state
}

func (w *fakeWorker) Limit(int, uint64, uint64) {}

func (w *fakeWorker) Want() {}

func (w *fakeWorker) Watch(f func()) { w.changed = f }

func (w *fakeWorker) CPUTime() (time.Duration, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	used := w.used
	for _, since := range w.begun {
		used += time.Duration(w.share * float64(time.Since(since)))
	}
	return used, true
}

func (w *fakeWorker) Do(j worker.Job) <-chan worker.Result {
	result := make(chan worker.Result, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		result <- worker.Result{Err: w.err}
		return result
	}
	take := w.take
	if take == 0 {
		take = 1000 * time.Hour
	}
	w.begun[result] = time.Now()
	w.running[result] = time.AfterFunc(take, func() { w.end(result, worker.Result{Match: string(j.Password) == rightText, Stored: "made there"}) })
	w.most = max(w.most, len(w.running))
	return result
}

func (w *fakeWorker) end(result chan worker.Result, r worker.Result) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.used += time.Duration(w.share * float64(time.Since(w.begun[result])))
	w.running[result].Stop()
	delete(w.running, result)
	delete(w.begun, result)
	result <- r
}

// die ends it: its hashes are lost.
func (w *fakeWorker) die() {
	w.mu.Lock()
	w.state = worker.Failed
	var lost []chan worker.Result
	for result := range w.running {
		lost = append(lost, result)
	}
	w.mu.Unlock()
	for _, result := range lost {
		w.end(result, worker.Result{Err: worker.ErrGone})
	}
	w.changed()
}

const rightText = "correct horse battery"

// withWorker returns a pool of two slots with a bound of 2 s. A hash here takes 25 ms.
func withWorker(w *fakeWorker) *Pool {
	p := New(Config{Argon2: cheap, Slots: 2, Wait: 2 * time.Second, Memory: 1 << 30, Worker: w})
	p.work = func(_ hash.Hash, password []byte) bool {
		time.Sleep(25 * time.Millisecond)
		return string(password) == rightText
	}
	return p
}

// crowd lets n log in, one every pause, every second one with a wrong password. It fails the test for every wrong answer and
// for every refusal before the bound, and returns how many were refused and what the slowest answer took.
func crowd(t *testing.T, p *Pool, n int, pause time.Duration) (refused int, slowest time.Duration) {
	t.Helper()
	stored := hash.New(cheap, []byte(rightText)).String()
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			secret, right := rightText, i%2 == 0
			if !right {
				secret = "wrong horse battery"
			}
			begun := time.Now()
			got, err := p.Verify(context.Background(), stored, secret)
			took := time.Since(begun)
			mu.Lock()
			defer mu.Unlock()
			slowest = max(slowest, took)
			switch {
			case errors.Is(err, ErrBusy):
				refused++
				if took < p.places.wait {
					t.Errorf("refused after %v", took)
				}
			case err != nil || got.Match != right:
				t.Errorf("right %t: got %+v, %v", right, got, err)
			}
		})
		time.Sleep(pause)
	}
	all.Wait()
	return refused, slowest
}

// While the worker uses the cores everything runs there, never more than the slots at once, also after more than half of
// the bound: a hash here would only take a core from it.
func TestWorkerHashes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFakeWorker(25*time.Millisecond, 0.9)
		p := withWorker(w)
		refused, slowest := crowd(t, p, 150, 0)
		if refused != 0 || slowest < p.places.wait/2 {
			t.Errorf("got %d refused and the slowest after %v, want none and more than half of the bound", refused, slowest)
		}
		if inServer, inWorker := p.Hashed(); inServer != 0 || inWorker != 150 || w.most != 2 {
			t.Errorf("got %d here and %d in the worker, %d at once", inServer, inWorker, w.most)
		}
		if made, err := p.Hash(t.Context(), rightText); made != "made there" || err != nil {
			t.Errorf("a new hash: got %q, %v", made, err)
		}
	})
}

// Where the worker gets no core, one hash at a time runs here, and every login is answered within the bound. When it gets
// cores again it has everything again.
func TestStarvedWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFakeWorker(8*time.Second, 0.003)
		p := withWorker(w)
		refused, slowest := crowd(t, p, 100, 100*time.Millisecond)
		if refused != 0 || slowest > p.places.wait {
			t.Errorf("got %d refused, the slowest after %v", refused, slowest)
		}
		if _, slowest := crowd(t, p, 30, 100*time.Millisecond); slowest > p.places.wait/8+100*time.Millisecond {
			t.Errorf("once that is known: the slowest after %v", slowest)
		}
		time.Sleep(10 * time.Second)
		w.mu.Lock()
		w.take, w.share = 25*time.Millisecond, 1
		w.mu.Unlock()
		crowd(t, p, 10, 100*time.Millisecond)
		before, _ := p.Hashed()
		crowd(t, p, 100, 0)
		if after, _ := p.Hashed(); after != before {
			t.Errorf("with cores again: %d hashes here", after-before)
		}
	})
}

// A worker that is stopped answers nothing. Nobody is refused, and when it is known that it does not answer, this process
// hashes as if there were none.
func TestStoppedWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFakeWorker(0, 0)
		p := withWorker(w)
		if refused, slowest := crowd(t, p, 4, 0); refused != 0 || slowest > p.places.wait*3/4 {
			t.Errorf("got %d refused, the slowest after %v", refused, slowest)
		}
		time.Sleep(p.places.wait)
		if !p.FellBack() {
			t.Error("FellBack is false")
		}
		if refused, slowest := crowd(t, p, 40, 0); refused != 0 || slowest > 600*time.Millisecond {
			t.Errorf("afterwards: got %d refused, the slowest after %v", refused, slowest)
		}
		w.die()
		synctest.Wait()
		if got := p.Stats(); got.Running != 0 || got.Waiting != 0 {
			t.Errorf("in the end: %+v", got)
		}
		if p.places.free != p.budget {
			t.Errorf("%d of %d bytes are free", p.places.free, p.budget)
		}
	})
}

// What the worker had under way when it was killed is hashed again here.
func TestWorkerIsKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFakeWorker(100*time.Millisecond, 1)
		p := withWorker(w)
		time.AfterFunc(250*time.Millisecond, w.die)
		if refused, slowest := crowd(t, p, 30, 0); refused != 0 || slowest > 700*time.Millisecond {
			t.Errorf("got %d refused, the slowest after %v", refused, slowest)
		}
		inServer, inWorker := p.Hashed()
		if inServer+inWorker != 30 || inWorker != 4 {
			t.Errorf("got %d here and %d there", inServer, inWorker)
		}
	})
	// Unless it is one that takes so much that it may be why.
	synctest.Test(t, func(t *testing.T) {
		w := newFakeWorker(0, 1)
		p := withWorker(w)
		time.AfterFunc(100*time.Millisecond, w.die)
		if _, err := p.Verify(t.Context(), bcryptOf(14), rightText); !errors.Is(err, ErrBusy) {
			t.Errorf("an expensive one: got %v, want ErrBusy", err)
		}
		if p.places.free != p.budget || p.places.heavy != 0 {
			t.Errorf("in the end: %d of %d bytes free, %d expensive ones", p.places.free, p.budget, p.places.heavy)
		}
	})
}

// What the worker cannot do is done here, and logins wait for a worker that is starting.
func TestWorkerCannot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFakeWorker(25*time.Millisecond, 1)
		w.err = worker.ErrFailed
		p := withWorker(w)
		if refused, _ := crowd(t, p, 20, 0); refused != 0 {
			t.Errorf("%d refused", refused)
		}
		w.err, w.state = nil, worker.Starting
		time.AfterFunc(50*time.Millisecond, func() {
			w.mu.Lock()
			w.state = worker.Running
			w.mu.Unlock()
			w.changed()
		})
		if _, slowest := crowd(t, p, 2, 0); slowest != 75*time.Millisecond {
			t.Errorf("while it starts: got %v, want 75ms", slowest)
		}
		if _, inWorker := p.Hashed(); inWorker != 2 {
			t.Errorf("got %d in the worker, want 2", inWorker)
		}
		w.mu.Lock()
		w.state = worker.Starting // and it never gets ready
		w.mu.Unlock()
		if refused, slowest := crowd(t, p, 20, 0); refused != 0 || slowest > p.places.wait {
			t.Errorf("got %d refused, the slowest after %v", refused, slowest)
		}
	})
}

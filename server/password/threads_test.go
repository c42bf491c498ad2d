package password

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signet/server/password/hash"
	"signet/server/password/worker"
)

// TestThreadsFollowTheHashes: there are more threads than cores while hashes run on all cores and shortly
// after that, and at no other time.
func TestThreadsFollowTheHashes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var set []int
		threads := NewThreads(2, func(n int) {
			mu.Lock()
			defer mu.Unlock()
			set = append(set, n)
		})
		p := New(Config{Argon2: hash.Params{Memory: 64, Time: 1, Threads: 1}, Slots: 2, Memory: 1 << 30, Threads: threads})
		hash := func(d time.Duration) {
			go func() {
				_, _ = p.run(context.Background(), hash.Price{}, worker.Job{}, func() worker.Result { time.Sleep(d); return worker.Result{} })
			}()
		}
		wants := func(when string, want ...int) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(set, want) {
				t.Errorf("%s: got %v, want %v", when, set, want)
			}
		}
		for range 3 {
			hash(time.Second)
			time.Sleep(2 * time.Second)
		}
		wants("one hash at a time")
		hash(10 * time.Second)
		hash(10 * time.Second)
		wants("two at once", 4)
		time.Sleep(9 * time.Second)
		wants("while they run", 4)
		time.Sleep(2 * time.Second)
		hash(2 * time.Second)
		hash(2 * time.Second)
		time.Sleep(3 * time.Second)
		wants("two more before it is calm", 4)
		time.Sleep(5 * time.Second)
		wants("when it is calm", 4, 2)
		hash(time.Second)
		hash(time.Second)
		wants("the next rush", 4, 2, 4)
		time.Sleep(time.Minute)
		wants("when it is calm again", 4, 2, 4, 2)
	})
}

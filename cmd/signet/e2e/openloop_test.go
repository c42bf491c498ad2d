package e2e

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// loginLoad is what an openLoop has done.
type loginLoad struct {
	calls   int64
	took    time.Duration
	atOnce  int64           // the most calls at once
	lasting []time.Duration // each call, sorted
}

func (l loginLoad) String() string {
	if l.calls == 0 {
		return "no logins"
	}
	at := func(percent int) time.Duration {
		return l.lasting[(len(l.lasting)-1)*percent/100].Round(time.Millisecond)
	}
	return fmt.Sprintf("%d logins begun, %.1f a second, at most %d at once, each took %v (median), %v (p99), %v (longest)",
		l.calls, float64(l.calls)/l.took.Seconds(), l.atOnce, at(50), at(99), at(100))
}

// openLoop makes calls at a rate, whether those before have ended or not, until the returned function is called and
// enough reports true, or a grace period after the former is over. That function waits for all calls.
func openLoop(perSecond int, grace time.Duration, call func(), enough func() bool) (stop func() loginLoad) {
	stopped, ended := make(chan struct{}), make(chan struct{})
	var done loginLoad
	go func() {
		defer close(ended)
		var all sync.WaitGroup
		var lock sync.Mutex
		var atOnce atomic.Int64
		begun, over := time.Now(), time.Time{} // over is the end of the grace period
		for {
			time.Sleep(time.Until(begun.Add(time.Duration(done.calls) * time.Second / time.Duration(perSecond)))) // the rate
			select {
			case <-stopped:
				if over.IsZero() {
					over = time.Now().Add(grace)
				}
			default:
			}
			if !over.IsZero() && (enough() || time.Now().After(over)) {
				break
			}
			done.calls++
			all.Go(func() {
				since, now := time.Now(), atOnce.Add(1)
				call()
				atOnce.Add(-1)
				lock.Lock()
				defer lock.Unlock()
				done.atOnce, done.lasting = max(done.atOnce, now), append(done.lasting, time.Since(since))
			})
		}
		done.took = time.Since(begun)
		all.Wait()
		slices.Sort(done.lasting)
	}()
	return sync.OnceValue(func() loginLoad { close(stopped); <-ended; return done })
}

package e2e

import (
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"
)

// BenchmarkLoginFlood prints how much of what the machine can hash becomes logins, and what a flood of logins costs
// everybody else. All is measured in one run, the limit of the machine before and after each flood, because machines
// change their speed. The load generator shares the machine.
//
//	go test ./cmd/signet/e2e -run '^$' -bench LoginFlood -benchtime 1x -timeout 30m
func BenchmarkLoginFlood(b *testing.B) {
	const length = 5 * time.Second
	_, d := benchServer(b, "SIGNET_REFRESH_SESSIONS_PER_USER=1000")
	idle := others(b, d)
	time.Sleep(length)
	idleRefresh, idleKeys := idle()
	b.Run("idle", func(b *testing.B) {
		report(b, map[string]float64{"refresh-p99-ms": ms(p99(idleRefresh)), "jwks-p99-ms": ms(p99(idleKeys))})
	})
	for _, workers := range []int{16, 64} {
		b.Run(fmt.Sprintf("%d-logins", workers), func(b *testing.B) {
			before := hashLimit(length / 2)
			stop := others(b, d)
			f := flood(b, d, workers, length)
			refresh, keys := stop()
			limit := (before + hashLimit(length/2)) / 2
			report(b, map[string]float64{
				"logins/s":       f.rate(),
				"x-limit":        f.rate() / limit,
				"busy":           float64(len(f.busy)),
				"busy-too-early": float64(f.early()),
				"refresh-x-idle": float64(p99(refresh)) / float64(p99(idleRefresh)),
				"jwks-x-idle":    float64(p99(keys)) / float64(p99(idleKeys)),
				"login-p99-ms":   ms(p99(f.served)),
			})
		})
	}
	// Refreshes fill all cores, and 5 logins a second go on beside them.
	b.Run("refresh-flood", func(b *testing.B) {
		var logins []time.Duration
		var mu sync.Mutex
		var busy atomic.Int64
		underLoad(b, 32, refreshing(b, d, d.Issuer), func(requests func() int64) {
			counted := requests()
			var all sync.WaitGroup
			for range 5 * int(length/time.Second) {
				all.Go(func() {
					begun := time.Now()
					status, err := postStatus(d)
					mu.Lock()
					defer mu.Unlock()
					switch {
					case err != nil:
						b.Error(err)
					case status == http.StatusOK:
						logins = append(logins, time.Since(begun))
					default:
						busy.Add(1)
					}
				})
				time.Sleep(200 * time.Millisecond)
			}
			all.Wait()
			slices.Sort(logins)
			report(b, map[string]float64{"refreshes/s": float64(requests()-counted) / length.Seconds(), "logins": float64(len(logins)),
				"busy": float64(busy.Load()), "login-p50-ms": ms(logins[len(logins)/2]), "login-p99-ms": ms(p99(logins))})
		})
	})
}

func report(b *testing.B, metrics map[string]float64) {
	for name, value := range metrics {
		b.ReportMetric(value, name)
	}
	b.ReportMetric(0, "ns/op")
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func p99(d []time.Duration) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[len(d)*99/100]
}

// hashLimit returns how many hashes of the default costs a second all cores do without anything else.
func hashLimit(length time.Duration) float64 {
	var n atomic.Int64
	var all sync.WaitGroup
	begun := time.Now()
	for range runtime.NumCPU() {
		all.Go(func() {
			for time.Since(begun) < length {
				argon2.IDKey([]byte("three green herons"), make([]byte, 16), 2, 19456, 1, 32)
				n.Add(1)
			}
		})
	}
	all.Wait()
	return float64(n.Load()) / time.Since(begun).Seconds()
}

// others refreshes 200 times a second and gets the key set 200 times a second, until it is stopped. What they took is
// counted from when they were due.
func others(b *testing.B, d demo) (stop func() (refresh, keys []time.Duration)) {
	const each, rate = 4, 50 // sessions, and requests a second of each
	ended := make(chan struct{})
	var all sync.WaitGroup
	var mu sync.Mutex
	var took [2][]time.Duration
	refresh, keys := refreshing(b, d, d.Issuer), repeatGet(d.Issuer+"/.well-known/jwks.json")
	for i := range each {
		for kind, ask := range []func() error{refresh(i), keys(i)} {
			all.Go(func() {
				due := time.Now().Add(time.Duration(i) * time.Second / rate / each)
				for {
					select {
					case <-ended:
						return
					case <-time.After(time.Until(due)):
					}
					if err := ask(); err != nil {
						b.Error(err)
						return
					}
					mu.Lock()
					took[kind] = append(took[kind], time.Since(due))
					mu.Unlock()
					due = due.Add(time.Second / rate)
				}
			})
		}
	}
	return func() (r, k []time.Duration) {
		close(ended)
		all.Wait()
		return took[0], took[1]
	}
}

// floodResult is what became of a flood of logins.
type floodResult struct {
	length       time.Duration
	served, busy []time.Duration
}

func (f floodResult) rate() float64 { return float64(len(f.served)) / f.length.Seconds() }

// early returns how many were refused before they had waited for the bound of 2 s.
func (f floodResult) early() (n int) {
	for _, d := range f.busy {
		if d < 2*time.Second {
			n++
		}
	}
	return n
}

// flood has workers log in again and again.
func flood(b *testing.B, d demo, workers int, length time.Duration) (f floodResult) {
	var mu sync.Mutex
	var all sync.WaitGroup
	start := time.Now()
	for range workers {
		all.Go(func() {
			for time.Since(start) < length {
				begun := time.Now()
				status, err := postStatus(d)
				took := time.Since(begun)
				mu.Lock()
				switch {
				case err != nil:
					b.Error(err)
				case status == http.StatusOK:
					f.served = append(f.served, took)
				default:
					f.busy = append(f.busy, took)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	f.length = time.Since(start)
	return f
}

func postStatus(d demo) (int, error) {
	res, err := benchClient.PostForm(d.Issuer+"/token", d.login())
	if err != nil {
		return 0, err
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusServiceUnavailable {
		return 0, fmt.Errorf("status %d", res.StatusCode)
	}
	return res.StatusCode, nil
}

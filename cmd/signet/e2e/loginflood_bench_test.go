package e2e

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"signet/cmd/signet/internal/daemon"
	"signet/server/password/hash"
	"signet/server/password/worker"
)

// BenchmarkLoginFlood prints how much of what the machine can hash becomes logins, and what a flood of logins costs
// everybody else: with the process that hashes, and without it. All is measured in one run, and the limit of the machine
// before and after each flood, because machines change their speed. The load generator shares the machine, and so do the
// other requests. So x-limit, which is of a machine that only hashes, cannot reach 1. x-beside compares with a process of
// the idle class that hashes without logins, beside the same other requests.
//
//	go test ./cmd/signet/e2e -run '^$' -bench LoginFlood -benchtime 1x -timeout 30m
func BenchmarkLoginFlood(b *testing.B) {
	const length = 5 * time.Second
	for _, mode := range []string{"auto", "off"} {
		b.Run("process="+mode, func(b *testing.B) {
			_, d := benchServer(b, "SIGNET_REFRESH_SESSIONS_PER_USER=1000", "SIGNET_THROTTLE_PER_NETWORK=0", "SIGNET_PASSWORD_PROCESS="+mode)
			users := benchUsers(b, d, 64) // an account may have ten logins under way
			stop := others(b, d)
			time.Sleep(length)
			idle := stop()
			b.Run("idle", func(b *testing.B) {
				for kind, name := range otherKinds {
					b.ReportMetric(ms(p99(idle[kind])), name+"-p99-ms")
				}
				report(b, nil)
			})
			besideFlood(b, d, "16-logins", idle, func() *loginFlood { return flood(b, users, 16, length) })
			besideFlood(b, d, "64-logins", idle, func() *loginFlood { return flood(b, users, 64, length) })
			besideFlood(b, d, "open-loop", idle, func() *loginFlood { return openFlood(b, users, 200, length) })
			b.Run("refresh-flood", func(b *testing.B) { besideRefreshes(b, d, length) })
		})
	}
}

// besideFlood reports a flood of logins and what it costs others.
func besideFlood(b *testing.B, d demo, name string, idle [3][]time.Duration, run func() *loginFlood) {
	b.Run(name, func(b *testing.B) {
		before := hashLimit(2 * time.Second)
		stop := others(b, d)
		idleClass := hashLimitBeside(b, 2*time.Second)
		stop()
		stop = others(b, d)
		f := run()
		beside := stop()
		limit := (before + hashLimit(2*time.Second)) / 2
		for kind, name := range otherKinds {
			b.ReportMetric(float64(p99(beside[kind]))/float64(p99(idle[kind])), name+"-x-idle")
		}
		report(b, map[string]float64{"logins/s": f.rate(), "x-limit": f.rate() / limit, "x-beside": f.rate() / idleClass, "busy": float64(len(f.busy)),
			"busy-early": float64(f.early()), "login-p99-ms": ms(p99(f.served))})
	})
}

// besideRefreshes fills all cores with refreshes, and reports 5 logins a second beside them.
func besideRefreshes(b *testing.B, d demo, length time.Duration) {
	var f *loginFlood
	var refreshes float64
	underLoad(b, 32, refreshing(b, d, d.Issuer), func(requests func() int64) {
		counted := requests()
		f = openFlood(b, []demo{d}, 5, length)
		refreshes = float64(requests()-counted) / f.length.Seconds()
	})
	slices.Sort(f.served)
	report(b, map[string]float64{"refreshes/s": refreshes, "logins": float64(len(f.served)), "busy": float64(len(f.busy)),
		"login-p50-ms": ms(f.served[len(f.served)/2]), "login-p99-ms": ms(p99(f.served))})
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

// hashLimitBeside returns how many hashes a second a process of the idle class does on all cores, without logins.
func hashLimitBeside(b *testing.B, length time.Duration) float64 {
	p := worker.New(worker.Config{Program: signetBinary(b), Args: []string{"signet", daemon.HashArgument}, Log: slog.New(slog.DiscardHandler)})
	defer p.Close()
	p.Limit(runtime.NumCPU(), 1<<30, uint64(hash.Params{}.WithDefaults().Price().Memory))
	running := make(chan struct{})
	p.Watch(func() {
		if p.State() == worker.Running {
			close(running)
		}
	})
	p.Want()
	<-running
	job := worker.Job{Params: hash.Params{Memory: 19456, Time: 2, Threads: 1}, Password: []byte("three green herons")}
	var n atomic.Int64
	var all sync.WaitGroup
	begun := time.Now()
	for range runtime.NumCPU() {
		all.Go(func() {
			for time.Since(begun) < length {
				if r := <-p.Do(job); r.Err != nil {
					b.Error(r.Err)
					return
				}
				n.Add(1)
			}
		})
	}
	all.Wait()
	return float64(n.Load()) / time.Since(begun).Seconds()
}

// otherKinds are the requests that need no hash.
var otherKinds = [3]string{"refresh", "client", "jwks"}

// others sends 100 requests a second of each kind until it is stopped. What they took is counted from when they were due.
func others(b *testing.B, d demo) (stop func() [3][]time.Duration) {
	const each, rate = 2, 50 // workers, and requests a second of each
	ended := make(chan struct{})
	var all sync.WaitGroup
	var mu sync.Mutex
	var took [3][]time.Duration
	kinds := [3]func(int) func() error{refreshing(b, d, d.Issuer),
		repeatForm(d.Issuer, url.Values{"grant_type": {"client_credentials"}, "client_id": {d.ClientID}, "client_secret": {d.ClientSecret}}),
		repeatGet(d.Issuer + "/.well-known/jwks.json")}
	for i := range each {
		for kind, start := range kinds {
			ask := start(i)
			all.Go(func() {
				due := time.Now().Add(time.Duration(3*i+kind) * time.Second / rate / each / 3)
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
	return func() [3][]time.Duration {
		close(ended)
		all.Wait()
		return took
	}
}

// benchUsers makes users beside the demo's.
func benchUsers(b *testing.B, d demo, n int) (users []demo) {
	for i := range n {
		user := d
		user.Username = fmt.Sprint("user", i)
		if _, errs, code := runSignet(b, user.Password, "user", "create", "--username", user.Username, "--password-stdin", "--socket", d.AdminSocket); code != 0 {
			b.Fatal(errs)
		}
		users = append(users, user)
	}
	return users
}

// loginFlood is what became of a flood of logins.
type loginFlood struct {
	length time.Duration

	mu           sync.Mutex
	served, busy []time.Duration // guarded by mu
}

func (f *loginFlood) rate() float64 { return float64(len(f.served)) / f.length.Seconds() }

// early returns how many were refused before they had waited for the bound of 2 s.
func (f *loginFlood) early() (n int) {
	for _, d := range f.busy {
		if d < 2*time.Second {
			n++
		}
	}
	return n
}

// flood has workers log in again and again.
func flood(b *testing.B, users []demo, workers int, length time.Duration) *loginFlood {
	f := &loginFlood{}
	var all sync.WaitGroup
	start := time.Now()
	for i := range workers {
		all.Go(func() {
			for time.Since(start) < length {
				f.login(b, users[i%len(users)])
			}
		})
	}
	all.Wait()
	f.length = time.Since(start)
	return f
}

// openFlood starts so many logins a second, whether or not those before were answered.
func openFlood(b *testing.B, users []demo, rate int, length time.Duration) *loginFlood {
	f := &loginFlood{}
	var all sync.WaitGroup
	start := time.Now()
	due := start
	for i := 0; time.Since(start) < length; i++ {
		all.Go(func() { f.login(b, users[i%len(users)]) })
		due = due.Add(time.Second / time.Duration(rate))
		time.Sleep(time.Until(due))
	}
	all.Wait()
	f.length = time.Since(start)
	return f
}

// login logs in once.
func (f *loginFlood) login(b *testing.B, d demo) {
	begun := time.Now()
	res, err := benchClient.PostForm(d.Issuer+"/token", d.login())
	took := time.Since(begun)
	if err != nil {
		b.Error(err)
		return
	}
	res.Body.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	switch res.StatusCode {
	case http.StatusOK:
		f.served = append(f.served, took)
	case http.StatusServiceUnavailable:
		f.busy = append(f.busy, took)
	default:
		b.Errorf("got %s", res.Status)
	}
}

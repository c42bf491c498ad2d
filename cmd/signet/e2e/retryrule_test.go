package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/store/redis/redistest"
	"signet/store/redis/redistest/network"
)

// apps are programs that follow the rule for retries in server/README.md: on 503 or no answer they send the same request
// again after Retry-After, at any replica; they store the new token before they use it.
type apps struct {
	f     *fleet
	pause time.Duration // between two refreshes of one app, ±50 %
	http  *http.Client
	all   sync.WaitGroup
	stop  context.CancelFunc

	mu     sync.Mutex
	tokens [][]string // of each app, all that it was given
	out    []string   // why apps were signed out
	asked  []retry
	begun  time.Time

	refreshed, unavailable atomic.Int64
}

// retry is one answer 503.
type retry struct {
	at    time.Duration // since the beginning of the outage
	after int           // its Retry-After, in seconds
}

func (f *fleet) startApps(n int, pause time.Duration) *apps {
	f.t.Helper()
	a := &apps{f: f, pause: pause, tokens: make([][]string, n), http: &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: n}}}
	for i := range n {
		_, refresh := f.login(f.replicas[i%len(f.replicas)])
		a.tokens[i] = []string{refresh}
	}
	ctx, stop := context.WithCancel(context.Background())
	a.stop = stop
	for i := range n {
		a.all.Go(func() { a.run(ctx, i) })
	}
	f.t.Cleanup(func() { a.stop(); a.all.Wait() })
	return a
}

func (a *apps) run(ctx context.Context, i int) {
	token := a.tokens[i][0]
	for wait(ctx, a.pause/2+rand.N(a.pause)) {
		r := a.f.replicas[rand.IntN(len(a.f.replicas))]
		status, header, body, err := r.postWith(a.http, "/token", a.f.app.refresh(token))
		switch {
		case err != nil:
			a.unavailable.Add(1)
			wait(ctx, time.Second)
		case status == http.StatusOK:
			token = body["refresh_token"].(string)
			a.mu.Lock()
			a.tokens[i] = append(a.tokens[i], token)
			a.mu.Unlock()
			a.refreshed.Add(1)
		case status == http.StatusServiceUnavailable:
			a.unavailable.Add(1)
			seconds, bad := strconv.Atoi(header.Get("Retry-After"))
			a.mu.Lock()
			if a.asked = append(a.asked, retry{time.Since(a.begun), seconds}); bad != nil {
				a.out = append(a.out, "503 without Retry-After")
			}
			a.mu.Unlock()
			wait(ctx, time.Duration(seconds)*time.Second)
		default:
			a.mu.Lock()
			a.out = append(a.out, fmt.Sprint(status, " ", body))
			a.mu.Unlock()
			return
		}
	}
}

// wait returns whether the time has passed, and not the context ended.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// outage marks the beginning of one.
func (a *apps) outage() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.begun, a.asked = time.Now(), nil
}

func (a *apps) signedOut() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.out
}

// allRefreshed waits until each app that is left has refreshed again.
func (a *apps) allRefreshed() {
	a.f.t.Helper()
	counts := func() (n []int) {
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, tokens := range a.tokens {
			n = append(n, len(tokens))
		}
		return n
	}
	before := counts()
	for deadline := time.Now().Add(90 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		left := -len(a.signedOut())
		for i, n := range counts() {
			if n == before[i] {
				left++
			}
		}
		if left <= 0 {
			return
		}
		if time.Now().After(deadline) {
			a.f.t.Fatalf("%d apps have not refreshed again", left)
		}
	}
}

// end stops the apps and returns what all replicas have counted of an outcome.
func (a *apps) end() (outcomes func(string) int) {
	a.stop()
	a.all.Wait()
	return func(outcome string) (n int) {
		for _, r := range a.f.replicas {
			n += r.outcomes(outcome)
		}
		return n
	}
}

// retryAfter returns mean and greatest Retry-After of the answers from one moment of the outage to another.
func (a *apps) retryAfter(from, to time.Duration) (mean float64, most int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, r := range a.asked {
		if r.at >= from && r.at < to {
			n, mean, most = n+1, mean+float64(r.after), max(most, r.after)
		}
	}
	return mean / float64(max(n, 1)), most
}

// stormSize is the length of an outage, and how many apps there are: SIGNET_STORM=30s makes a great one.
func stormSize(t testing.TB) (length time.Duration, n int) {
	text := os.Getenv("SIGNET_STORM")
	if text == "" {
		return 3 * time.Second, 120
	}
	length, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return length, 500
}

// TestOutageUnderApps: Redis is away, or takes bytes and answers nothing, while several hundred apps refresh. Nobody
// is signed out and no theft is suspected, the log stays short, and callers are asked to wait the longer the longer it lasts.
func TestOutageUnderApps(t *testing.T) {
	t.Parallel()
	length, n := stormSize(t)
	for name, begin := range map[string]func(*network.Proxy){"refused": (*network.Proxy).Cut, "silent": (*network.Proxy).Hold} {
		t.Run(name, func(t *testing.T) {
			proxy := network.NewProxy(t, redistest.Start(t, redistest.Config{Persist: true}).Addr())
			f := startFleet(t, 3, "redis://"+proxy.Addr(), "SIGNET_REFRESH_SESSIONS_PER_USER=1000")
			a := f.startApps(n, 500*time.Millisecond)
			a.allRefreshed()
			logged := f.logged()
			before := a.refreshed.Load()
			a.outage()
			begin(proxy)
			time.Sleep(length)
			inOutage := logged()
			failed, refreshed := a.unavailable.Load(), a.refreshed.Load()-before
			proxy.Heal()
			back := time.Now()
			a.allRefreshed()
			took := time.Since(back)
			outcomes := a.end()
			first, _ := a.retryAfter(0, length/4)
			last, most := a.retryAfter(length*3/4, length)
			t.Logf("%v outage, %d apps, 3 replicas: %d answers 503; %d lines, %d bytes of log, %.0f bytes a second and replica; mean Retry-After %.1f s in the first quarter, %.1f s in the last (at most %d); "+
				"all apps were back %v after it; %d signed out; outcomes: %d replayed, %d late, %d healed, %d reuse; lines: %v",
				length, n, failed, inOutage.lines, inOutage.bytes, float64(inOutage.bytes)/length.Seconds()/3, first, last, most,
				took.Round(100*time.Millisecond), len(a.signedOut()), outcomes("replayed"), outcomes("late"), outcomes("healed"), outcomes("reuse"), inOutage.messages)
			if failed < int64(n) {
				t.Fatalf("%d requests failed and %d went through: the outage was none", failed, refreshed)
			}
			if out := a.signedOut(); len(out) > 0 || outcomes("reuse") != 0 {
				t.Errorf("%d apps were signed out (%.200q), %d thefts suspected", len(out), out, outcomes("reuse"))
			}
			// A request has one line at most, and each replica has some of its own work. Beyond that the lines about what
			// one client sends from one network are counted: 100 a minute and type.
			own := 3 * (10 + 12*int(length/time.Second))
			if allowed := own + min(int(failed), 3*200*(1+int(length/time.Minute))); inOutage.lines > allowed {
				t.Errorf("%d lines of log for %d requests, want at most %d: %v", inOutage.lines, failed, allowed, inOutage.messages)
			}
			if last <= first {
				t.Errorf("Retry-After does not grow: %.1f s, then %.1f s", first, last)
			}
		})
	}
}

// logLines is a piece of the logs of all replicas.
type logLines struct {
	lines, bytes int
	messages     map[string]int
}

// logged returns what is logged from now on, but for requests that succeeded.
func (f *fleet) logged() func() logLines {
	var begun []int
	for _, r := range f.replicas {
		begun = append(begun, len(r.stderr.String()))
	}
	return func() (l logLines) {
		l.messages = map[string]int{}
		for i, r := range f.replicas {
			for line := range strings.Lines(r.stderr.String()[begun[i]:]) {
				if strings.Contains(line, `"status":200`) {
					continue
				}
				_, message, _ := strings.Cut(line, `"msg":"`)
				message, _, _ = strings.Cut(message, `"`)
				l.lines, l.bytes = l.lines+1, l.bytes+len(line)
				l.messages[message]++
			}
		}
		return l
	}
}

// TestHeldBytesUnderApps: one of three replicas is behind a network that holds its bytes for seconds and then delivers
// them. No app is signed out by a command that comes late; afterwards an old refresh token is a theft as ever.
func TestHeldBytesUnderApps(t *testing.T) {
	t.Parallel()
	holds := []time.Duration{time.Second, 3 * time.Second}
	if os.Getenv("SIGNET_STORM") != "" {
		holds = append(holds, 7*time.Second, 15*time.Second)
	}
	server := redistest.Start(t, redistest.Config{Persist: true})
	proxy := network.NewProxy(t, server.Addr())
	f := startFleet(t, 2, "redis://"+server.Addr())
	f.replicas = append(f.replicas, startReplica(t, f.anotherDir(), append(f.replicas[0].cmd.Env, "SIGNET_STORE=redis://"+proxy.Addr())))
	const n = 24
	a := f.startApps(n, 100*time.Millisecond)
	a.allRefreshed()
	held := proxy.Counts().Held
	for _, hold := range holds {
		proxy.Hold()
		time.Sleep(hold)
		proxy.Heal()
		a.allRefreshed()
	}
	a.allRefreshed()
	outcomes := a.end()
	t.Logf("%d apps, bytes of one of 3 replicas held for %v (%d pieces): %d refreshes, %d answers 503, %d signed out; outcomes: %d replayed, %d late, %d reuse; %v commands refused as late",
		n, holds, proxy.Counts().Held-held, a.refreshed.Load(), a.unavailable.Load(), len(a.signedOut()), outcomes("replayed"), outcomes("late"), outcomes("reuse"),
		f.replicas[2].metric("signet_store_late_commands_total"))
	if proxy.Counts().Held == held || a.unavailable.Load() == 0 {
		t.Fatal("nothing was held: the test proves nothing")
	}
	if out := a.signedOut(); len(out) > 0 || outcomes("reuse") != 0 {
		t.Errorf("%d apps were signed out (%.200q), %d thefts suspected", len(out), out, outcomes("reuse"))
	}
	for i, tokens := range a.tokens {
		if len(tokens) < 4 {
			t.Fatalf("app %d has refreshed %d times only", i, len(tokens)-1)
		}
		for _, token := range []string{tokens[len(tokens)-4], tokens[len(tokens)-1]} {
			if status, _, body, err := f.replicas[i%3].post("/token", f.app.refresh(token)); err != nil || status != http.StatusBadRequest || body["error"] != "invalid_grant" {
				t.Errorf("app %d: an old token, then its newest: got %d %v %v, want invalid_grant", i, status, body, err)
			}
		}
	}
	if got := outcomes("reuse"); got != n {
		t.Errorf("%d thefts were found of %d", got, n)
	}
}

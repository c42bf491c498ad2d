package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/server"
	"signet/server/password"
	"signet/server/servertest"
	"signet/server/throttle"
	"signet/store"
)

// normalThrottle has the defaults of the configuration.
var normalThrottle = throttle.Config{PerAccount: 10, PerNetwork: 100, PerClient: 100, Anywhere: 30}

// hashCounter counts the passwords that are hashed.
func hashCounter(cfg *server.Config) *atomic.Int64 {
	hashed := &atomic.Int64{}
	cfg.Passwords = password.New(password.Config{Argon2: servertest.CheapHash, Slots: 2, Queue: 4096, Wait: 30 * time.Second,
		Observe: func(time.Duration) { hashed.Add(1) }})
	return hashed
}

// loginFrom tries to log in from an address, through a proxy that is trusted, and returns the status.
func loginFrom(t testing.TB, s *servertest.Server, from, user, secret string) (status int, retryAfter string) {
	t.Helper()
	body := url.Values{"grant_type": {"password"}, "username": {user}, "password": {secret}}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, s.URL+"/token", strings.NewReader(body.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if from != "" {
		req.Header.Set("X-Forwarded-For", from)
	}
	req.SetBasicAuth(servertest.Web, servertest.WebSecret)
	res, err := servertest.Client.Do(req)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode, res.Header.Get("Retry-After")
}

func behindProxy(cfg *server.Config) {
	cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
}

// addUsers makes n users with the test's password.
func addUsers(t testing.TB, s *servertest.Server, n int) (names []string) {
	t.Helper()
	hash, err := s.Config.Passwords.Hash(t.Context(), servertest.Password)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		u := store.User{Username: fmt.Sprintf("user%03d", i), PasswordHash: hash, CreatedAt: s.Clock.Now(), UpdatedAt: s.Clock.Now()}
		copy(u.ID[:], fmt.Sprintf("the user %07d", i))
		if err := s.Store.CreateUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		names = append(names, u.Username)
	}
	return names
}

// Right passwords never make anybody wait, however many come at one moment from one address.
func TestRightLoginsAtOnce(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(cfg *server.Config) { cfg.Throttle = normalThrottle })
	many := addUsers(t, s, 150)
	for _, row := range []struct {
		name           string
		workers, times int
		user           func(i int) string
	}{
		{"300 of one account", 300, 1, func(int) string { return servertest.User }},
		{"300 of 150 accounts", 300, 1, func(i int) string { return many[i%len(many)] }},
		{"50 again and again", 50, 8, func(i int) string { return many[i] }},
	} {
		t.Run(row.name, func(t *testing.T) {
			var mu sync.Mutex
			statuses := map[int]int{}
			start := make(chan struct{})
			var all sync.WaitGroup
			for i := range row.workers {
				all.Go(func() {
					<-start
					for range row.times {
						status, after := loginFrom(t, s, "", row.user(i), servertest.Password)
						mu.Lock()
						statuses[status]++
						mu.Unlock()
						if seconds, _ := strconv.Atoi(after); status == http.StatusServiceUnavailable && (seconds < 1 || seconds > 2) {
							t.Errorf("503 with Retry-After %q, want a second or two", after)
						}
					}
				})
			}
			close(start)
			all.Wait()
			t.Logf("statuses: %v", statuses)
			if statuses[200] == 0 || statuses[200]+statuses[503] != row.workers*row.times {
				t.Errorf("got %v, want only 200 and 503", statuses)
			}
			if status, _ := loginFrom(t, s, "", row.user(0), servertest.Password); status != 200 {
				t.Errorf("one more afterwards: got %d, want 200", status)
			}
		})
	}
}

// Hanging up gains nothing: between two guesses the same login is sent again and again, and its connection is
// half-closed at once.
func TestHangingUpGainsNoGuesses(t *testing.T) {
	t.Parallel()
	var hashed *atomic.Int64
	s := servertest.New(t, func(cfg *server.Config) {
		cfg.Throttle = normalThrottle
		hashed = hashCounter(cfg)
	})
	addr := strings.TrimPrefix(s.URL, "http://")
	before := hashed.Load()
	hungUp, guesses := 0, 30
	if testing.Short() {
		guesses = 15
	}
	for guess := range guesses {
		secret := fmt.Sprintf("wrong password %d", guess)
		loginFrom(t, s, "", servertest.User, secret)
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() { halfClosed(t, addr, secret) })
		}
		all.Wait()
		hungUp += 20
	}
	n := countGuesses(s) // each of them may have been hashed several times, within ten seconds
	t.Logf("%d hashes and %d different guesses compared, %d connections half-closed", hashed.Load()-before, n, hungUp)
	if n < 1 || n > 10 {
		t.Errorf("%d different guesses were hashed, want at most the 10 that are free", n)
	}
	if most := int64(normalThrottle.Anywhere); hashed.Load()-before > most {
		t.Errorf("%d passwords were hashed, want at most the %d of the account", hashed.Load()-before, most)
	}
}

// halfClosed sends a login with a long scope and shuts its side down at once.
func halfClosed(t testing.TB, addr, secret string) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	body := url.Values{"grant_type": {"password"}, "username": {servertest.User}, "password": {secret},
		"client_id": {servertest.Web}, "client_secret": {servertest.WebSecret}, "scope": {strings.TrimSuffix(strings.Repeat("profile ", 4400), " ")}}.Encode()
	fmt.Fprintf(conn, "POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	_ = conn.(*net.TCPConn).CloseWrite()
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	_, _ = io.Copy(io.Discard, bufio.NewReader(conn))
}

// countGuesses is how many failures the account has from this network.
func countGuesses(s *servertest.Server) int {
	states, err := s.Store.ListThrottle(context.Background(), s.Clock.Now(), func(_, key string) bool { return strings.HasPrefix(key, throttle.KindAccount+".") }, 10)
	if err != nil || len(states) == 0 {
		return -1
	}
	return states[0].Failures
}

// An account has a bound over all networks, whoever it is, and its owner gets in from where they were before.
func TestGuessesFromManyNetworks(t *testing.T) {
	if testing.Short() {
		t.Skip("it is thousands of logins; the full suite has it")
	}
	t.Parallel()
	for _, row := range []struct {
		name    string
		network func(i int) string
		n, most int
	}{
		{"600 networks of IPv4", func(i int) string { return fmt.Sprintf("10.%d.%d.9", i/250, i%250) }, 600, 30},
		{"400 of one /48", func(i int) string { return fmt.Sprintf("2001:db8:7:%x::9", i) }, 400, 30},
		{"400 of a /32", func(i int) string { return fmt.Sprintf("2001:db8:%x::9", i) }, 400, 30},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := servertest.New(t, func(cfg *server.Config) {
				cfg.Throttle = normalThrottle
				behindProxy(cfg)
			})
			home := "203.0.113.5"
			if status, _ := loginFrom(t, s, home, servertest.User, servertest.Password); status != 200 {
				t.Fatalf("the owner, before: got %d", status)
			}
			hashed := map[string]int{}
			for i := range row.n {
				for _, user := range []string{servertest.User, "nobody"} {
					switch status, after := loginFrom(t, s, row.network(i), user, fmt.Sprint("wrong ", i)); status {
					case 400:
						hashed[user]++
					case 429:
						if seconds, _ := strconv.Atoi(after); seconds < 1 || seconds > 60 {
							t.Errorf("Retry-After %q", after)
						}
					default:
						t.Fatalf("got %d", status)
					}
				}
				if i%100 == 99 {
					if status, _ := loginFrom(t, s, home, servertest.User, servertest.Password); status != 200 {
						t.Errorf("the owner at home, after %d networks: got %d", i+1, status)
					}
				}
			}
			if hashed[servertest.User] > row.most || hashed["nobody"] != hashed[servertest.User] {
				t.Errorf("hashed guesses: got %v, want at most %d, and as many for nobody", hashed, row.most)
			}
			if !logged(s.Log.String(), "audit", "type", store.EventUnderAttack) {
				t.Error("no event tells the operator")
			}
			if n := strings.Count(s.Log.String(), `"`+store.EventUnderAttack+`"`); n > 3 { // one of each account
				t.Errorf("got %d events, want one of an episode", n)
			}
			// An hour: one a minute after the first.
			total := hashed[servertest.User]
			for range 60 {
				s.Move(t, time.Minute)
				for i := range 3 {
					if status, _ := loginFrom(t, s, row.network(row.n+i), servertest.User, fmt.Sprint("wrong at ", s.Clock.Now(), i)); status == 400 {
						total++
					}
				}
			}
			if total > throttle.MaxGuessesPerHour {
				t.Errorf("%d guesses were hashed in an hour, want at most %d", total, throttle.MaxGuessesPerHour)
			}
			// From a new place the owner shares the trickle, and is home again afterwards.
			s.Move(t, time.Minute)
			if status, _ := loginFrom(t, s, "198.51.100.77", servertest.User, servertest.Password); status != 200 {
				t.Errorf("the owner at a new place, at their turn: got %d", status)
			}
			if status, _ := loginFrom(t, s, "198.51.100.78", servertest.User, servertest.Password); status != 200 {
				t.Errorf("the owner at that place again: got %d", status)
			}
		})
	}
}

// Made-up client ids share one limit, and leave one count a network in the store.
func TestMadeUpClientsShareOneLimit(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(cfg *server.Config) { cfg.Throttle = normalThrottle })
	statuses := map[int]int{}
	for i := range 300 {
		statuses[s.Form(t, "/token", "grant_type=client_credentials").Basic(fmt.Sprint("made-up-", i), "canary").Do().Status]++
	}
	if statuses[401] != 100 || statuses[429] != 200 {
		t.Errorf("got %v, want 100 times 401 and then 429", statuses)
	}
	states, err := s.Store.ListThrottle(t.Context(), s.Clock.Now(), func(_, _ string) bool { return true }, 1000)
	if err != nil || len(states) != 1 || states[0].Failures != 100 {
		t.Errorf("in the store: got %d counts, %v, want one", len(states), err)
	}
	s.Form(t, "/token", "grant_type=client_credentials").Web().Wants(200, "") // the right secret is never turned away
	if lines := strings.Count(s.Log.String(), `"client_auth"`); lines > 110 {
		t.Errorf("the log has %d lines of them", lines)
	}
}

// writtenBytes counts what is written to it.
type writtenBytes struct{ atomic.Int64 }

func (w *writtenBytes) Write(p []byte) (int, error) {
	w.Add(int64(len(p)))
	return len(p), nil
}

// An attacker with 1,000 networks goes for 100 accounts while their owners log in from where they were before. It takes
// SIGNET_ATTACK, such as 10m; otherwise five seconds.
func TestLongAttack(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	length := 5 * time.Second
	if text := os.Getenv("SIGNET_ATTACK"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	var hashes *atomic.Int64
	var logged writtenBytes
	s := servertest.New(t, func(cfg *server.Config) {
		cfg.Throttle, cfg.Now = normalThrottle, time.Now
		cfg.Log = slog.New(slog.NewJSONHandler(&logged, nil)) // the test's own log keeps every line, and would be the heap
		behindProxy(cfg)
		hashes = hashCounter(cfg)
	})
	owners := addUsers(t, s, 100)
	home := func(i int) string { return fmt.Sprintf("203.%d.113.5", i) }
	for i, name := range owners {
		if status, _ := loginFrom(t, s, home(i), name, servertest.Password); status != 200 {
			t.Fatalf("%s, before: got %d", name, status)
		}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	var guesses [100]atomic.Int64
	var refused, logins, owed atomic.Int64
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := worker; ctx.Err() == nil; i += 8 {
				account := i % len(owners)
				switch status, _ := loginFrom(t, s, fmt.Sprintf("10.%d.%d.9", i*7%1000/250, i*7%250), owners[account], fmt.Sprint("wrong ", i)); status {
				case 400:
					guesses[account].Add(1)
				case 429, 503:
					refused.Add(1)
				}
			}
		})
	}
	all.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			status, _ := loginFrom(t, s, home(i%len(owners)), owners[i%len(owners)], servertest.Password)
			if logins.Add(1); status != 200 {
				owed.Add(1)
				t.Errorf("the owner of %s was refused: %d", owners[i%len(owners)], status)
			}
			time.Sleep(20 * time.Millisecond) // people, not a flood
		}
	})
	all.Wait()
	runtime.GC()
	runtime.ReadMemStats(&after)
	most, total := int64(0), int64(0)
	for i := range guesses {
		most, total = max(most, guesses[i].Load()), total+guesses[i].Load()
	}
	states, err := s.Store.ListThrottle(context.Background(), time.Now(), func(_, _ string) bool { return true }, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	grown := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	bound := int64(normalThrottle.Anywhere + 6 + int(length/time.Minute) + 1)
	t.Logf("%v: %d guesses hashed, at most %d of one account (bound %d), %d refused; %d owners' logins, %d refused; %d hashes in all; %d counts in the store; heap %+d KiB, log %d KiB",
		length, total, most, bound, refused.Load(), logins.Load(), owed.Load(), hashes.Load(), len(states), grown/1024, logged.Load()/1024)
	if grown > 64<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	if most > bound {
		t.Errorf("%d guesses of one account were hashed, want at most %d", most, bound)
	}
	if len(states) > 4*int(total)+1000 {
		t.Errorf("%d counts in the store for %d guesses", len(states), total)
	}
}

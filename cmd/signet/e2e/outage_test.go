package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/store/redis/redistest"
)

// get returns the status of a GET.
func (r *replica) get(path string) int {
	res, err := fleetClient.Get("http://" + r.address + path)
	if err != nil {
		r.t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

// TestRedisDown: while Redis is away nothing is decided, and what needs no store goes on; when it is
// back so is everything, and nobody has to log in.
func TestRedisDown(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{Persist: true})
	f := startFleet(t, 1, "redis://"+server.Addr())
	r := f.replicas[0]
	access, refresh := f.login(r)
	server.Kill()

	credentials := url.Values{"client_id": {f.app.ClientID}, "client_secret": {f.app.ClientSecret}}
	for name, ask := range map[string]func() (int, http.Header, map[string]any, error){
		"refresh":       func() (int, http.Header, map[string]any, error) { return r.post("/token", f.app.refresh(refresh)) },
		"login":         func() (int, http.Header, map[string]any, error) { return r.post("/token", f.app.login()) },
		"revocation":    func() (int, http.Header, map[string]any, error) { return r.post("/revoke", f.token(refresh)) },
		"introspection": func() (int, http.Header, map[string]any, error) { return r.post("/introspect", f.token(access)) },
	} {
		for range 3 { // also once the breaker is open
			begun := time.Now()
			status, header, body, err := ask()
			if err != nil || status != http.StatusServiceUnavailable || body["error"] != "temporarily_unavailable" || header.Get("Retry-After") == "" {
				t.Errorf("%s: got %d %v %v, want 503 with Retry-After", name, status, body, err)
			}
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("%s took %v", name, took)
			}
		}
	}
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 503, "/.well-known/jwks.json": 200, "/.well-known/openid-configuration": 200} {
		if got := r.get(path); got != want {
			t.Errorf("%s: got %d, want %d", path, got, want)
		}
	}
	waitFor(t, "what is cached of a client to be too old", func() bool {
		status, _, _, _ := r.post("/token", with(credentials, "grant_type", "client_credentials"))
		return status == http.StatusServiceUnavailable
	})

	server.Restart()
	waitFor(t, "the server to be ready again", func() bool { return r.get("/readyz") == http.StatusOK })
	r.must("/token", f.app.refresh(refresh))
	r.must("/token", f.app.login())
	r.must("/token", with(credentials, "grant_type", "client_credentials"))
}

// TestElectionUnderLoad kills the master while two replicas refresh through Sentinel. Service is
// back within 15 s, nobody is logged out, and what was revoked stays so.
func TestElectionUnderLoad(t *testing.T) {
	t.Parallel()
	sentinels := redistest.StartSentinel(t, redistest.SentinelConfig{})
	addrs := sentinels.Addrs()
	f := startFleet(t, 2, fmt.Sprintf("redis+sentinel://%s,%s,%s/%s", addrs[0], addrs[1], addrs[2], sentinels.MasterName()))

	_, revoked := f.login(f.replicas[0])
	var workers sync.WaitGroup
	var refreshed, unavailable, back atomic.Int64
	var killed atomic.Int64 // when, in Unix nanoseconds; 0: not yet
	stop := make(chan struct{})
	for i := range 8 {
		_, refresh := f.login(f.replicas[i%2])
		workers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				r := f.replicas[(i+n)%2]
				asked := time.Now().UnixNano()
				status, header, body, err := r.post("/token", f.app.refresh(refresh))
				switch {
				case err != nil:
					t.Errorf("refresh: %v", err)
					return
				case status == http.StatusOK:
					refresh = body["refresh_token"].(string)
					refreshed.Add(1)
					if at := killed.Load(); at != 0 && asked > at && unavailable.Load() > 0 {
						back.CompareAndSwap(0, time.Now().UnixNano())
					}
				case status == http.StatusServiceUnavailable && header.Get("Retry-After") != "":
					unavailable.Add(1)
					time.Sleep(100 * time.Millisecond) // a client that is told to wait does; a second would only make the test slower
				default:
					t.Errorf("refresh: got %d %v", status, body)
					return
				}
			}
		})
	}
	waitFor(t, "some refreshes", func() bool { return refreshed.Load() > 200 })
	f.replicas[0].must("/revoke", f.token(revoked))
	old := sentinels.Master()
	old.Kill()
	killed.Store(time.Now().UnixNano())
	waitFor(t, "refreshes to fail", func() bool { return unavailable.Load() > 0 || t.Failed() })
	waitFor(t, "service to be back", func() bool { return back.Load() != 0 || t.Failed() })
	before := refreshed.Load()
	waitFor(t, "refreshes after the election", func() bool { return refreshed.Load() > before+200 || t.Failed() })
	close(stop)
	workers.Wait()

	if now := sentinels.Master(); now == old {
		t.Error("the master is the one that was killed: nothing was elected")
	}
	took := time.Duration(back.Load() - killed.Load())
	if took > 15*time.Second {
		t.Errorf("service was back after %v, want 15 s at most", took)
	}
	for i, r := range f.replicas {
		if status, _, body, _ := r.post("/token", f.app.refresh(revoked)); status != http.StatusBadRequest || body["error"] != "invalid_grant" {
			t.Errorf("replica %d: the revoked session: got %d %v, want invalid_grant", i, status, body)
		}
	}
	healed := f.replicas[0].outcomes("healed") + f.replicas[1].outcomes("healed")
	for i, r := range f.replicas {
		waitFor(t, fmt.Sprint("replica ", i, " to notice that the master has changed"), func() bool {
			return r.metric("signet_redis_master_changes_total") > 0
		})
	}
	t.Logf("back after %v; %d refreshes, %d answers 503, %d healed", took.Round(10*time.Millisecond), refreshed.Load(), unavailable.Load(), healed)
}

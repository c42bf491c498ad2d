package e2e

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/store/redis/redistest"
)

// TestLoginRush: an office behind one address at nine o'clock. Right passwords are answered 200, or 503 with a second or
// two where there are more than can be hashed; nobody has to wait for what others did right.
func TestLoginRush(t *testing.T) {
	for _, store := range []string{"bolt", "Redis"} {
		t.Run(store, func(t *testing.T) {
			url := "bolt:signet.db"
			if store == "Redis" {
				url = "redis://" + redistest.Start(t, redistest.Config{Persist: true}).Addr()
			}
			f := startFleet(t, 1, url, "SIGNET_THROTTLE_PER_NETWORK=100", "SIGNET_REFRESH_SESSIONS_PER_USER=1000")
			r := f.replicas[0]
			var apps []demo
			for i := range 20 {
				app := f.app
				app.Username = fmt.Sprint("user", i)
				r.admin(app.Password, "user", "create", "--username", app.Username, "--password-stdin")
				apps = append(apps, app)
			}
			client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 300}}
			for _, row := range []struct {
				name    string
				workers int
				length  time.Duration // each goes on for so long
			}{{"300 at one moment", 300, 0}, {"200 again and again", 200, 2 * time.Second}} {
				statuses := map[int]int{}
				longest := 0 // Retry-After
				var mu sync.Mutex
				var all sync.WaitGroup
				start := make(chan struct{})
				for i := range row.workers {
					all.Go(func() {
						<-start
						for begun := time.Now(); ; {
							status, header, body, err := r.postWith(client, "/token", apps[i%len(apps)].login())
							after, _ := strconv.Atoi(header.Get("Retry-After"))
							mu.Lock()
							statuses[status]++
							longest = max(longest, after)
							mu.Unlock()
							if err != nil || status != http.StatusOK && (status != http.StatusServiceUnavailable || after < 1) {
								t.Errorf("%s: got %d %v, Retry-After %d, %v", row.name, status, body, after, err)
								return
							}
							if time.Since(begun) > row.length {
								return
							}
						}
					})
				}
				close(start)
				all.Wait()
				t.Logf("%s: %v", row.name, statuses)
				// A machine may be so busy that the store is late as well, which is another kind of 503.
				if longest > 3 && !strings.Contains(r.stderr.String(), "store unavailable") {
					t.Errorf("%s: Retry-After %d where only passwords were waiting", row.name, longest)
				}
				if statuses[http.StatusOK] == 0 {
					t.Errorf("%s: nobody got in", row.name)
				}
			}
			f.login(r)
		})
	}
}

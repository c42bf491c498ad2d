package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/store/redis/redistest"
)

// soak is a fleet whose keys rotate every few seconds and whose replicas are killed all the time,
// and verifiers that must not notice.
type soak struct {
	t      *testing.T
	mu     sync.Mutex // guards replicas of the fleet
	fleet  *fleet
	turn   atomic.Uint64 // whose it is to be asked
	ask    url.Values    // for a token
	stop   chan struct{}
	counts []soakCount // of the verifiers

	unavailable atomic.Int64 // answers 503, and connections to a killed replica
	kills       map[string]int
}

// soakCount is what became of the tokens that a verifier was given.
type soakCount struct {
	fresh, old atomic.Int64
	mu         sync.Mutex
	failures   []string
}

// TestSoak: the headline claim with real processes, a real Redis and the libraries that services
// use. SIGNET_SOAK=20 lets the keys rotate twenty times.
func TestSoak(t *testing.T) {
	t.Parallel()
	rotations := 3
	if n, err := strconv.Atoi(os.Getenv("SIGNET_SOAK")); err == nil {
		rotations = n
	}
	s := startSoak(t)
	const cache, cdn = time.Second, time.Second // J and C of the preset
	front := &frontCache{cache: cdn, origins: s.keySets}
	server := httptest.NewServer(front)
	defer server.Close()
	issuer := s.fleet.app.Issuer
	verifiers := soakVerifiers(t, server.URL, issuer, issuer, cache)
	s.counts = make([]soakCount, len(verifiers))

	begun := time.Now()
	var all sync.WaitGroup
	for i, v := range verifiers {
		all.Go(func() { s.present(&s.counts[i], v) })
	}
	s.rotate(rotations)
	close(s.stop)
	all.Wait()
	s.report(verifiers)
	s.wantKills()
	t.Logf("%d rotations in %v, killed with -9: %s; %d answers 503 or none; the edge fetched %d times",
		rotations, time.Since(begun).Round(time.Second), s.killed(), s.unavailable.Load(), front.count)
}

func startSoak(t *testing.T) *soak {
	server := redistest.Start(t, redistest.Config{Persist: true})
	s := &soak{t: t, fleet: startFleet(t, 3, "redis://"+server.Addr(), "SIGNET_KEYS_PRESET=fast", "SIGNET_KEYS_POLL=500ms"),
		stop: make(chan struct{}), kills: map[string]int{}}
	s.ask = url.Values{"grant_type": {"client_credentials"}, "client_id": {s.fleet.app.ClientID}, "client_secret": {s.fleet.app.ClientSecret}}
	return s
}

// inTurn lists the replicas, each time beginning with another.
func (s *soak) inTurn() []*replica {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := int(s.turn.Add(1) % uint64(len(s.fleet.replicas)))
	return slices.Concat(s.fleet.replicas[first:], s.fleet.replicas[:first])
}

func (s *soak) keySets() (urls []string) {
	for _, r := range s.inTurn() {
		urls = append(urls, "http://"+r.address+"/.well-known/jwks.json")
	}
	return urls
}

// token gets one from the replica whose turn it is, or as a client does from the next that answers.
func (s *soak) token() (string, bool) {
	for _, r := range s.inTurn() {
		status, _, body, err := r.post("/token", s.ask)
		token, _ := body["access_token"].(string)
		if err == nil && status == http.StatusOK {
			return token, true
		}
		s.unavailable.Add(1)
		if err == nil && status != http.StatusServiceUnavailable {
			s.t.Errorf("a token: got %d %v", status, body)
		}
	}
	return "", false
}

// present gives a verifier fresh tokens, and each again in the last second in which it takes it.
func (s *soak) present(count *soakCount, v soakVerifier) {
	type held struct {
		token string
		until time.Time
	}
	var tokens []held
	for {
		select {
		case <-s.stop:
			return
		case <-time.After(20 * time.Millisecond):
		}
		if token, ok := s.token(); ok {
			tokens = append(tokens, held{token, expiry(s.t, token).Add(v.leeway)})
			count.note(&count.fresh, v.verify(token))
		}
		for len(tokens) > 0 && time.Until(tokens[0].until) < time.Second {
			err := v.verify(tokens[0].token)
			if time.Now().Before(tokens[0].until) { // or a busy machine has let it expire
				count.note(&count.old, err)
			}
			tokens = tokens[1:]
		}
	}
}

func expiry(t *testing.T, token string) time.Time {
	var claims struct{ Exp int64 }
	jwtPart(t, token, 1, &claims)
	return time.Unix(claims.Exp, 0)
}

func (c *soakCount) note(n *atomic.Int64, err error) {
	n.Add(1)
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.failures = append(c.failures, fmt.Sprintf("%s: %v", time.Now().Format("15:04:05.000"), err))
	}
}

// wantKills at each kind of step.
func (s *soak) wantKills() {
	for _, name := range []string{"published", "active", "retired", "removed"} {
		if s.kills[name] == 0 {
			s.t.Errorf("no replica was killed when a key was %s", name)
		}
	}
}

// report wants no failure of those who keep their promise, and some of those who do not.
func (s *soak) report(verifiers []soakVerifier) {
	for i, v := range verifiers {
		c := &s.counts[i]
		s.t.Logf("%s: %d fresh tokens, %d about to expire, %d failures", v.name, c.fresh.Load(), c.old.Load(), len(c.failures))
		if n := len(c.failures); v.breaks != (n > 0) {
			s.t.Errorf("%s: %d failures; honours J: %v\n%s", v.name, n, !v.breaks, strings.Join(c.failures[:min(n, 10)], "\n"))
		}
		if c.fresh.Load() < 50 || c.old.Load() < 20 {
			s.t.Errorf("%s: %d fresh and %d old tokens prove little", v.name, c.fresh.Load(), c.old.Load())
		}
	}
}

// keyStep is a moment in the life of a key.
type keyStep struct {
	kid, name string
	at        time.Time
}

// rotate kills a replica at every step of the keys until so many have rotated. Every second
// rotation is asked for by hand.
func (s *soak) rotate(want int) {
	done := map[string]bool{}
	rotated := 0
	for _, k := range s.keys().Keys {
		done["active "+k.ID] = k.State == "active" // not one that we have seen coming
	}
	for n, over := 0, false; !over && !s.t.Failed(); {
		step, ok := s.next(done)
		if !ok {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		done[step.name+" "+step.kid] = true
		offset := []time.Duration{-100, 0, 100, 400}[n%4] * time.Millisecond
		time.Sleep(time.Until(step.at.Add(offset)))
		s.kill(n % len(s.fleet.replicas))
		s.kills[step.name]++
		n++
		over = rotated >= want && step.name == "published" // which leaves the last key some time to sign
		if step.name == "active" {
			if rotated++; rotated%2 == 0 {
				s.rotateByHand()
			}
		}
	}
}

// next is the step that comes next, or has come while something else was going on.
func (s *soak) next(done map[string]bool) (next keyStep, ok bool) {
	for _, k := range s.keys().Keys {
		for _, step := range []keyStep{{k.ID, "published", k.PublishedAt}, {k.ID, "active", k.ActivatesAt}, {k.ID, "retired", k.RetiresAt}, {k.ID, "removed", k.RemovedAt}} {
			if step.at.IsZero() || done[step.name+" "+step.kid] || ok && !step.at.Before(next.at) {
				continue
			}
			next, ok = step, true
		}
	}
	return next, ok && time.Until(next.at) < time.Second // until then something sooner may be planned
}

// keys asks a replica that answers.
func (s *soak) keys() (k keyring) {
	waitFor(s.t, "a replica that lists the keys", func() bool {
		return slices.ContainsFunc(s.inTurn(), func(r *replica) bool {
			return r.readKeys(&k) == nil
		})
	})
	return k
}

func (s *soak) rotateByHand() {
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	for _, r := range s.inTurn() {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://signet/v1/keys/rotate", strings.NewReader("{}"))
		if err != nil {
			s.t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := r.socketClient().Do(req)
		if err != nil {
			continue
		}
		res.Body.Close()
		if res.StatusCode == http.StatusAccepted {
			return
		}
	}
	s.t.Error("no replica rotates")
}

// readKeys asks the replica's admin socket for its keys.
func (r *replica) readKeys(k *keyring) error {
	res, err := r.socketClient().Get("http://signet/v1/keys")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return errors.New(res.Status)
	}
	return json.NewDecoder(res.Body).Decode(k)
}

// kill ends a replica as a crash would and starts it anew.
func (s *soak) kill(i int) {
	old := s.fleet.replicas[i]
	old.kill()
	fresh := startReplica(s.t, filepath.Dir(old.demo.AdminSocket), old.cmd.Env)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fleet.replicas[i] = fresh
}

func (s *soak) killed() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(s.kills)) {
		all = append(all, fmt.Sprintf("%d at %s", s.kills[name], name))
	}
	return strings.Join(all, ", ")
}

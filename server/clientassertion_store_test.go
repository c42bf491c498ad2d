package server_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/server"
	"signet/server/servertest"
	"signet/store"
)

// forgetful is a store that sometimes cannot spend an assertion, before or after it has.
type forgetful struct {
	store.Store
	down, losesAnswer atomic.Bool
	until             atomic.Pointer[time.Time]
	spent             atomic.Int32
}

func (f *forgetful) UseAssertion(ctx context.Context, id store.AssertionID, until time.Time) error {
	f.until.Store(&until)
	f.spent.Add(1)
	if f.down.Load() {
		return fmt.Errorf("spending: %w", store.ErrUnavailable)
	}
	err := f.Store.UseAssertion(ctx, id, until)
	if f.losesAnswer.Load() {
		return fmt.Errorf("spending: %w", context.DeadlineExceeded)
	}
	return err
}

func newForgetful(t testing.TB) (*servertest.Server, *forgetful) {
	f := &forgetful{}
	return servertest.New(t, func(cfg *server.Config) { f.Store, cfg.Store = cfg.Store, f }), f
}

// An assertion that cannot be spent authenticates nobody: 503, and never a wrong invalid_client.
func TestAssertionWhileTheStoreIsDown(t *testing.T) {
	t.Parallel()
	s, f := newForgetful(t)
	key := servertest.NewAppKey(t, "ES256")
	addRobot(t, s, key.JWK(""))
	good := key.Draft(s, robot).Sign()
	unavailable := func(assertion string) {
		t.Helper()
		a := s.WithAssertion(t, assertion).Wants(503, "temporarily_unavailable")
		if a.Header.Get("Retry-After") == "" {
			t.Error("503 without Retry-After")
		}
	}
	f.down.Store(true)
	unavailable(good)
	unavailable(good)
	f.down.Store(false)
	s.WithAssertion(t, good).Wants(200, "")

	f.losesAnswer.Store(true)
	lost := key.Draft(s, robot).Sign()
	unavailable(lost)
	f.losesAnswer.Store(false)
	s.WithAssertion(t, lost).Wants(401, "invalid_client")
	s.Asserted(t, key, robot).Wants(200, "")
}

// Only what is good is spent, and it is remembered until no replica's clock lets it pass.
func TestSpentAssertionsAreRememberedLongEnough(t *testing.T) {
	t.Parallel()
	s, f := newForgetful(t)
	key, stranger := servertest.NewAppKey(t, "ES256"), servertest.NewAppKey(t, "ES256")
	addRobot(t, s, key.JWK(""))
	s.Asserted(t, stranger, robot).Wants(401, "invalid_client")
	s.Asserted(t, key, "nobody").Wants(401, "invalid_client")
	if n := f.spent.Load(); n != 0 {
		t.Errorf("refused assertions were spent %d times", n)
	}
	d := key.Draft(s, robot)
	expires := s.Clock.Now().Add(5 * time.Minute)
	d.Claims["exp"] = expires.Unix()
	s.WithAssertion(t, d.Sign()).Wants(200, "")
	if until, want := *f.until.Load(), expires.Add(2*s.Keys.Timetable().Skew); !until.Equal(want) {
		t.Errorf("remembered until %v, want %v", until, want)
	}
}

// Row 124: of any number of requests with one assertion at the same time, one is answered.
func TestConcurrentReplay(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	key := servertest.NewAppKey(t, "ES256")
	addRobot(t, s, key.JWK(""))
	for range 20 {
		good := key.Draft(s, robot).Sign()
		statuses := make([]int, 4)
		var all sync.WaitGroup
		for i := range statuses {
			all.Go(func() { statuses[i] = s.WithAssertion(t, good).Do().Status })
		}
		all.Wait()
		count := map[int]int{}
		for _, status := range statuses {
			count[status]++
		}
		if count[200] != 1 || count[200]+count[401] != len(statuses) {
			t.Fatalf("got %v, want one 200 and otherwise 401", count)
		}
	}
}

// The keys of a client are read when it is, and not for each request.
func TestClientKeysAreParsedOnce(t *testing.T) {
	s, f := newForgetful(t)
	one := servertest.NewAppKey(t, "ES256")
	few, many := []string{one.JWK(`"kid":"k"`)}, []string{one.JWK(`"kid":"k"`)}
	for i := range 9 {
		many = append(many, servertest.NewAppKey(t, "ES256").JWK(fmt.Sprintf(`"kid":"k%d"`, i)))
	}
	f.down.Store(true) // what the store allocates is not asked here
	allocations := func(keys []string) float64 {
		now := s.Clock.Now()
		client := store.Client{ID: robot, AuthMethods: []string{"private_key_jwt"}, Grants: []string{"client_credentials"}, JWKS: []byte(servertest.JWKS(keys...)), CreatedAt: now, UpdatedAt: now}
		_ = s.Store.DeleteClient(t.Context(), robot, nil)
		if err := s.Store.CreateClient(t.Context(), client); err != nil {
			t.Fatal(err)
		}
		s.Clock.Add(11 * time.Second) // longer than a client is cached
		d := one.Draft(s, robot)
		d.Header["kid"] = "k"
		r := s.WithAssertion(t, d.Sign())
		return testing.AllocsPerRun(50, func() {
			if status := r.Serve(); status != 503 {
				t.Errorf("got %d, want 503: the store is down", status)
			}
		})
	}
	if with1, with10 := allocations(few), allocations(many); with10 > with1+5 {
		t.Errorf("a request of a client with 10 keys allocates %.0f times, with one key %.0f times", with10, with1)
	}
}

package keys

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"signet/keys/jose"
	"signet/keys/keystest"
	"signet/keys/masterkey"
)

// counting counts reads.
type counting struct {
	keystest.Storage
	loads atomic.Int64
}

func (s *counting) LoadKeyring(ctx context.Context) (uint64, []byte, error) {
	s.loads.Add(1)
	return s.Storage.LoadKeyring(ctx)
}

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &counting{}
		m := mustOpen(t, Config{Storage: s, InstallID: "install-1", Master: []masterkey.Key{testMaster(1)}})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- m.Run(ctx) }()
		synctest.Wait()
		s.loads.Store(0)
		time.Sleep(1000 * time.Second)
		synctest.Wait()
		if got := s.loads.Load(); got < 80 || got > 125 {
			t.Errorf("%d reads in 1000 s, want about 100", got)
		}
		if behind := time.Since(m.ReadAt()); behind > 12*time.Second {
			t.Errorf("last read %v ago", behind)
		}
		s.loads.Store(0)
		for range 50 { // a storm of hints
			m.Poll()
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		if got := s.loads.Load(); got < 2 || got > 6 {
			t.Errorf("%d reads in 5 s of waking, want about one a second", got)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: got %v, want nil", err)
		}
	})
}

func TestRunRotates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mustOpen(t, Config{Storage: &keystest.Storage{}, InstallID: "install-1", Master: []masterkey.Key{testMaster(1)}, Poll: 5 * time.Minute})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- m.Run(ctx) }()
		time.Sleep(70 * 24 * time.Hour)
		synctest.Wait()
		if got := len(m.Keys()); got != 2 {
			t.Errorf("%d keys after 70 days, want 2", got)
		}
		if m.Version() != 1+2+2 { // Init, two activations, two removals
			t.Errorf("version after 70 days: got %d, want 5", m.Version())
		}
		cancel()
		<-done
	})
}

// A request that finds the replica stale, as after a suspend, makes Run read at once.
func TestStaleRequestPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asleep atomic.Int64
		m := mustOpen(t, Config{Storage: &keystest.Storage{}, InstallID: "install-1", Master: []masterkey.Key{testMaster(1)},
			Poll: 5 * time.Minute, Now: func() time.Time { return time.Now().Add(time.Duration(asleep.Load())) }})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- m.Run(ctx) }()
		time.Sleep(time.Minute)
		asleep.Store(int64(time.Hour)) // the wall clock jumped, the timers did not
		if _, _, err := m.Sign(ctx, "", "at+jwt", 1); err == nil {
			t.Error("a replica that slept for an hour signs without having read")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		mustSign(t, m, "")
		cancel()
		<-done
	})
}

func TestConfigReportsEverything(t *testing.T) {
	err := Init(t.Context(), Config{Algorithms: []string{"none", jose.ES256, jose.ES256}, Poll: time.Hour})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"no storage", "no install id", "0 master keys", `"none"`, `"ES256" is named twice`, "poll is"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not say %q: %v", want, err)
		}
	}
}

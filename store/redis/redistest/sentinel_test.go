package redistest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestSentinelElection(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		config SentinelConfig
		silent func(*Server)
		again  func(*Server)
	}{
		{"killed", SentinelConfig{DownAfter: 2 * time.Second}, (*Server).Kill, (*Server).Restart},
		{"frozen, with passwords", SentinelConfig{Server: Config{Password: "secret"}, SentinelPassword: "other", DownAfter: 1500 * time.Millisecond},
			(*Server).Freeze, (*Server).Thaw},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := StartSentinel(t, test.config)
			old := s.Master()
			if old != s.Servers[0] || len(s.Replicas()) != 2 || slices.Contains(s.Replicas(), old) {
				t.Fatalf("at first: master %s, replicas %v", old.Addr(), s.Replicas())
			}
			client := s.Client()
			if err := client.Set(t.Context(), "k", 1, 0).Err(); err != nil {
				t.Fatal(err)
			}
			s.WaitForReplicas()

			test.silent(old)
			now := s.WaitForFailover(old, 0)
			if now == old || s.Master() != now {
				t.Fatalf("master: got %s, was %s", now.Addr(), old.Addr())
			}
			Wait(t, "the client to find the new master", func() error { return client.Set(t.Context(), "k", 2, 0).Err() })
			if got := now.Do("get", "k"); got != "2" {
				t.Errorf("the new master has %v, want 2", got)
			}

			test.again(old)
			s.WaitForReplicas()
			if got := old.Do("get", "k"); got != "2" {
				t.Errorf("the old master, back, has %v, want 2", got)
			}
			if err := old.Client().Set(t.Context(), "k", 3, 0).Err(); !redis.IsReadOnlyError(err) {
				t.Errorf("a write to the old master: got %v, want READONLY", err)
			}
			if s.Master() != now {
				t.Error("the old master took over again")
			}
		})
	}
}

// TestNoElectionWithoutAMajority: what a lone sentinel sees is not what is.
func TestNoElectionWithoutAMajority(t *testing.T) {
	t.Parallel()
	s := StartSentinel(t, SentinelConfig{Replicas: 1, DownAfter: 500 * time.Millisecond})
	for _, sentinel := range s.Sentinels[1:] {
		sentinel.Kill()
	}
	old := s.Master()
	old.Kill()
	watching := s.Sentinels[0]
	Wait(t, "the sentinel to see that the master is down", func() error {
		reply, err := watching.Try("sentinel", "master", s.MasterName())
		if flags := pairs(reply)["flags"]; err == nil && !strings.Contains(flags, "s_down") {
			return errNotYet
		}
		return err
	})
	if s.Master() != old {
		t.Error("one sentinel of three has elected a master")
	}
	for _, sentinel := range s.Sentinels[1:] {
		sentinel.Restart()
	}
	s.WaitForFailover(old, 0)
}

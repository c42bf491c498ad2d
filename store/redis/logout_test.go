package redis

import (
	"testing"
	"time"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/redistest"
	"signet/store/redis/script"
)

// TestLogoutOfCrashedProcess: a process ends a session and crashes before the logout is in the queue. Whoever sweeps puts it there.
func TestLogoutOfCrashedProcess(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 2, 0)
	for name, cfg := range map[string]Config{
		"one server": {Addrs: []string{redistest.Start(t, redistest.Config{}).Addr()}},
		"cluster":    {Mode: conn.Cluster, Addrs: cluster.Addrs()},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, s := t.Context(), backend(t, cfg).Store.(*Store)
			must(t, s.CreateClient(ctx, store.Client{ID: "web", BackchannelLogoutURI: "https://app.example/logout"}))
			u := store.User{ID: store.UserID{7}, Username: "ada"}
			must(t, s.CreateUser(ctx, u))
			at := time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)
			one, _, err := s.StartSession(ctx, store.Session{ID: store.SessionID{1}, UserID: u.ID, ClientID: "web", StartedAt: at}, store.SessionLimits{})
			must(t, err)

			revoke := s.deps.Trail.CallEnding(ctx, script.RevokeSession, []string{s.deps.Key.Sessions(u.ID)}, one.ID[:])
			must(t, s.deps.Conn.Do(ctx, "revoking", revoke.Call))
			claim := func() int {
				list, err := s.ClaimLogouts(ctx, at, time.Nanosecond, 9)
				must(t, err)
				return len(list)
			}
			if n := claim(); n != 0 {
				t.Fatalf("%d logouts are in the queue before the sweep", n)
			}
			for range 5 {
				_, err := s.Sweep(ctx, time.Now(), store.Lifetimes{Idle: time.Hour, Absolute: time.Hour})
				must(t, err)
			}
			if n := claim(); n != 0 {
				t.Errorf("%d logouts are in the queue although the process that ended the session may be about to put them there", n)
			}
			for range 5 {
				_, err := s.Sweep(ctx, at, store.Lifetimes{Idle: time.Hour, Absolute: time.Hour})
				must(t, err)
			}
			list, err := s.ClaimLogouts(ctx, at, time.Hour, 9)
			must(t, err)
			if len(list) != 1 || list[0].SessionID != one.ID || list[0].UserID != u.ID || list[0].ClientID != "web" || list[0].EndedAt.IsZero() {
				t.Errorf("got %+v", list)
			}
		})
	}
}

// TestInformedClientsOfAnotherReplica: a replica that has not changed a client itself notices that it is informed now.
func TestInformedClientsOfAnotherReplica(t *testing.T) {
	t.Parallel()
	cfg := Config{Addrs: []string{redistest.Start(t, redistest.Config{}).Addr()}, Prefix: newPrefix(), ReplicaPoll: 20 * time.Millisecond}
	one, other := mustOpen(t, cfg), mustOpen(t, cfg)
	if got := other.deps.Logouts.Informed(); got != "" {
		t.Fatalf("got %q before there is a client", got)
	}
	becomes := func(want string) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); other.deps.Logouts.Informed() != want; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("got %q, want %q", other.deps.Logouts.Informed(), want)
			}
		}
	}
	must(t, one.CreateClient(t.Context(), store.Client{ID: "web", BackchannelLogoutURI: "https://app.example/logout"}))
	becomes("\nweb\n")
	must(t, one.DeleteClient(t.Context(), "web", nil))
	becomes("")
}

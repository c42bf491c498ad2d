package redis

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/store"
	"signet/store/redis/redistest"
)

// lacks are the names of what Check found, in order.
func lacks(t *testing.T, s *Store) (list []string) {
	t.Helper()
	findings, err := s.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		if f.Server == "" || f.Loses == "" {
			t.Errorf("finding %q does not say where, or what is lost", f)
		}
		list = append(list, f.Lacks)
	}
	return list
}

func wantLacks(t *testing.T, what string, s *Store, want ...string) {
	t.Helper()
	slices.Sort(want)
	got := lacks(t, s)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%s: Check found %q, want %q", what, got, want)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	servers := redistest.StartReplicated(t, redistest.Config{}, 1)
	master, replica := servers.Master, servers.Replicas[0]
	asking := func(addr string, waitReplicas int) *Store {
		return mustOpen(t, rest(Config{Addrs: []string{addr}, WaitReplicas: waitReplicas, Prefix: newPrefix(), Timeout: 10 * time.Second}))
	}
	patient := func(addr string) *Store { return asking(addr, 1) }
	s := patient(master.Addr())
	wantLacks(t, "a server as it comes", s, "appendonly is off", "min-replicas-to-write is 0")
	master.Do("config", "set", "appendonly", "yes")
	master.Do("config", "set", "min-replicas-to-write", 1)
	wantLacks(t, "once that is set", s)
	wantLacks(t, "nobody asked to confirm", asking(master.Addr(), 0), "no replica is asked to confirm a revocation")
	wantLacks(t, "more asked than there are", asking(master.Addr(), 2), "it has 1 of the 2 replicas that are to confirm a revocation")
	for _, policy := range []string{"allkeys-lru", "volatile-lru", "volatile-ttl", "allkeys-random"} {
		master.Do("config", "set", "maxmemory-policy", policy)
		wantLacks(t, policy, s, "maxmemory-policy is "+policy)
	}
	master.Do("config", "set", "maxmemory-policy", "noeviction")
	master.Do("config", "set", "appendfsync", "no")
	wantLacks(t, "without syncing", s, "appendfsync is no")
	master.Do("config", "set", "appendfsync", "everysec")

	wantLacks(t, "the replica", patient(replica.Addr()), "appendonly is off", "it is a replica")

	replica.Kill()
	redistest.Wait(t, "the master to miss its replica", func() error {
		if n := master.Info("replication")["connected_slaves"]; n != "0" {
			return errors.New("it has " + n)
		}
		return nil
	})
	wantLacks(t, "without its replica", s, "it has no replica")

	s = mustOpen(t, rest(Config{Addrs: []string{master.Addr()}}))
	master.Freeze()
	if _, err := s.Check(t.Context()); !isUnavailable(err) {
		t.Errorf("Check of a frozen server: got error %v, want ErrUnavailable", err)
	}
	master.Thaw()
}

func TestCheckVersion(t *testing.T) {
	for version, fits := range map[string]bool{
		"6.0.16": false, "6.2.0": true, "7.0.15": true, "8.2.1": true, "5.0.0": false, "": false, "latest": false, "10.0.0": true,
	} {
		if lacks, _ := checkVersion(map[string]string{"redis_version": version}); (lacks == "") != fits {
			t.Errorf("version %q: got %q", version, lacks)
		}
	}
	if lacks, _ := checkVersion(map[string]string{"redis_version": "7.2.4", "valkey_version": "8.1.0", "server_name": "valkey"}); lacks != "" {
		t.Errorf("Valkey: got %q", lacks)
	}
}

// TestRecommendedServers: a master and a replica with deploy/redis/redis.conf and users.acl lack
// nothing, and take everything.
func TestRecommendedServers(t *testing.T) {
	t.Parallel()
	servers := redistest.StartReplicated(t, redistest.Config{Conf: recommendedConf(t, canary)}, 1)
	s := mustOpen(t, rest(Config{
		Addrs: []string{servers.Master.Addr()}, Username: "signet", Password: secret, WaitReplicas: 1, Prefix: newPrefix(), Timeout: 10 * time.Second,
	}))
	wantLacks(t, "the recommended servers", s)
	x := newSubject()
	x.populate(t, s)
	for _, m := range methods {
		if _, err := m.call(t.Context(), s, x); errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v", m.name, err)
		}
	}

	x = newSubject()
	x.user.Username, x.client.ID, x.session.ClientID = "later", "later", "later"
	x.populate(t, s)
	servers.Replicas[0].Kill()
	servers.Master.Do("config", "set", "min-replicas-max-lag", 1)
	redistest.Wait(t, "writes to be refused", func() error {
		err := s.Ping(t.Context())
		if err == nil || !strings.Contains(err.Error(), "NOREPLICAS") {
			return fmt.Errorf("Ping: %w", err)
		}
		return nil
	})
	if _, _, o, err := s.Rotate(t.Context(), x.rotation(0)); !isUnavailable(err) {
		t.Errorf("Rotate without a replica: got %v and error %v, want ErrUnavailable", o, err)
	}
	if _, _, err := s.LoadKeyring(t.Context()); err != nil {
		t.Errorf("reading goes on: %v", err)
	}
	servers.Replicas[0].Restart()
	redistest.Wait(t, "writes to be taken again", func() error { return s.Ping(t.Context()) })
	if _, _, o, err := s.Rotate(t.Context(), x.rotation(0)); o != store.Rotated || err != nil {
		t.Errorf("Rotate with a replica again: got %v and error %v", o, err)
	}
}

// TestFullMemory: what needs memory is refused and says so, what does not goes on.
func TestFullMemory(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	s := mustOpen(t, rest(Config{Addrs: []string{server.Addr()}, Timeout: 10 * time.Second}))
	x := newSubject()
	x.populate(t, s)
	server.Do("config", "set", "maxmemory", 1)
	creations := []string{"CreateClient", "CreateUser", "StartSession", "FinishLogin", "Rotate", "SwapKeyring", "Allow", "RevokeToken", "UseAssertion", "AppendEvents", "UpdateUser", "Ping"}
	reads := []string{"User", "UserByName", "Client", "ListClients", "ListUsers", "ListSessions", "TokenState", "LoadKeyring", "ClientsVersion", "Events"}
	for range 5 { // more than a breaker lets pass
		for _, m := range methods {
			create := slices.Contains(creations, m.name)
			if !create && !slices.Contains(reads, m.name) {
				continue
			}
			got, err := m.call(t.Context(), s, x)
			switch {
			case create:
				if !isUnavailable(err) || !strings.Contains(fmt.Sprint(err), "OOM") {
					t.Errorf("%s: got %v and error %v, want ErrUnavailable and OOM", m.name, got, err)
				}
			case err != nil:
				t.Errorf("%s: %v", m.name, err)
			}
		}
	}
	if existed, err := s.RevokeSession(t.Context(), x.user.ID, x.session.ID); !existed || err != nil {
		t.Errorf("RevokeSession: got %v and error %v", existed, err)
	}
	server.Do("config", "set", "maxmemory", 0)
	again := newSubject()
	again.user.Username, again.client.ID = "again", "again"
	again.populate(t, s)
}

// TestSyncPolicies: what decides what a kill of Redis loses is read from the server.
func TestSyncPolicies(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{Persist: true})
	s := mustOpen(t, rest(Config{Addrs: []string{server.Addr()}, Prefix: newPrefix(), Timeout: 10 * time.Second}))
	for _, policy := range []string{"always", "everysec", "no"} {
		server.Do("config", "set", "appendfsync", policy)
		got, err := s.SyncPolicies(t.Context())
		if want := []SyncPolicy{{server.Addr(), policy}}; err != nil || !slices.Equal(got, want) {
			t.Errorf("SyncPolicies: got %v and error %v, want %v", got, err, want)
		}
	}
	server.Do("config", "set", "appendfsync", "everysec")
	server.Do("config", "set", "no-appendfsync-on-rewrite", "yes")
	wantLacks(t, "no sync during a rewrite", s, "it has no replica", "no-appendfsync-on-rewrite is yes")
	server.Do("config", "set", "appendonly", "no")
	if got, err := s.SyncPolicies(t.Context()); err != nil || len(got) > 0 {
		t.Errorf("SyncPolicies without a file: got %v and error %v, want none", got, err)
	}
}

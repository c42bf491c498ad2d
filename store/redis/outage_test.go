package redis

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
	"signet/store/redis/redistest"
	"signet/store/redis/redistest/network"
)

// TestWipedServer: Redis comes back without its data. Nobody takes it for a new install, sessions
// are over, and the server that has the keyring writes it back together with the install.
func TestWipedServer(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{Persist: true})
	s := mustOpen(t, rest(Config{Addrs: []string{server.Addr()}, Timeout: 10 * time.Second}))
	install := store.Install{ID: "install", Schema: Schema, CreatedAt: newSubject().now}
	x := newSubject()
	if err := s.CreateInstall(t.Context(), install); err != nil {
		t.Fatal(err)
	}
	x.populate(t, s)
	version, err := s.ClientsVersion(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	server.Kill()
	server.Wipe()
	server.Restart()
	redistest.Wait(t, "the store to work again", func() error { return s.check(t.Context()) })
	if got := s.Stats().MasterChanges; got != 1 {
		t.Errorf("master changes: got %d, want 1", got)
	}
	if err := s.Ping(t.Context()); !isUnavailable(err) {
		t.Errorf("Ping: got error %v, want ErrUnavailable", err)
	}
	if _, _, o, err := s.Rotate(t.Context(), x.rotation(0)); o != store.Gone || err != nil {
		t.Errorf("Rotate: got %v and error %v, want gone", o, err)
	}
	if now, err := s.ClientsVersion(t.Context()); now == version || err != nil {
		t.Errorf("ClientsVersion: got %q and error %v, want another than before", now, err)
	}
	if swapped, err := s.SwapKeyring(t.Context(), 0, 8, []byte("sealed")); !swapped || err != nil {
		t.Fatalf("SwapKeyring: got %v and error %v", swapped, err)
	}
	if got, err := s.Install(t.Context()); got != install || err != nil {
		t.Errorf("Install: got %+v and error %v, want %+v", got, err, install)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("Ping afterwards: %v", err)
	}
}

// TestForeignInstall: somebody else's data are where ours were. Nothing of them is taken for ours:
// no session is over, and no keyring is written over theirs.
func TestForeignInstall(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	cfg := rest(Config{Addrs: []string{server.Addr()}, Timeout: 10 * time.Second})
	s := mustOpen(t, cfg)
	x := newSubject()
	if err := s.CreateInstall(t.Context(), store.Install{ID: "ours", Schema: Schema}); err != nil {
		t.Fatal(err)
	}
	ours := server.Do("get", s.deps.Key.Of(layout.Install))
	x.populate(t, s)
	server.Do("flushall")
	other := mustOpen(t, cfg)
	if err := other.CreateInstall(t.Context(), store.Install{ID: "theirs", Schema: Schema}); err != nil {
		t.Fatal(err)
	}
	if swapped, err := s.SwapKeyring(t.Context(), 0, 8, []byte("sealed")); swapped || !isUnavailable(err) {
		t.Errorf("SwapKeyring: got %v and error %v, want ErrUnavailable", swapped, err)
	}
	s.deps.Conn.Refuse(nil) // as it is where nothing was written
	if _, _, err := s.LoadKeyring(t.Context()); !isUnavailable(err) {
		t.Errorf("LoadKeyring: got error %v, want ErrUnavailable", err)
	}
	for _, m := range methods {
		if got, err := m.call(t.Context(), s, x); !isUnavailable(err) {
			t.Errorf("%s: got %v and error %v, want ErrUnavailable", m.name, got, err)
		}
	}
	if version, _, err := other.LoadKeyring(t.Context()); version != 0 || err != nil {
		t.Errorf("their keyring: got version %d and error %v, want none", version, err)
	}
	server.Do("set", s.deps.Key.Of(layout.Install), ours)
	if _, _, err := s.LoadKeyring(t.Context()); err != nil {
		t.Errorf("LoadKeyring when ours are back: %v", err)
	}
	x.populate(t, s)
}

// TestLostSubscription: while nothing comes on the channel nothing is heard, and afterwards it is
// without anybody opening the store again.
func TestLostSubscription(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	proxy := network.NewProxy(t, server.Addr())
	speaker := mustOpen(t, rest(Config{Addrs: []string{server.Addr()}, Timeout: 10 * time.Second}))
	hearer := mustOpen(t, rest(Config{Addrs: []string{proxy.Addr()}, Timeout: 10 * time.Second}))
	said := 0
	heard := func() error {
		said++
		jti := fmt.Sprint("said-", said)
		if err := speaker.RevokeToken(t.Context(), jti, time.Now().Add(time.Hour)); err != nil {
			return err
		}
		for range 50 {
			if hearer.deps.Revocations.HasToken(jti) {
				return nil
			}
			time.Sleep(time.Millisecond)
		}
		return errors.New("it is not heard")
	}
	redistest.Wait(t, "the subscription", heard)
	proxy.Cut()
	if heard() == nil {
		t.Error("something is heard though the connection is cut")
	}
	if proxy.Counts().Cut == 0 {
		t.Error("nothing was cut")
	}
	// What was told meanwhile is lost to the one who could not hear it, and the data tell it anyway.
	proxy.Heal()
	redistest.Wait(t, "the store to work again", func() error { return hearer.Ping(t.Context()) })
	if state, err := hearer.TokenState(t.Context(), store.TokenRef{JTI: fmt.Sprint("said-", said)}); !state.Revoked || err != nil {
		t.Errorf("TokenState: got %+v and error %v", state, err)
	}
	redistest.Wait(t, "the subscription to come back", heard)
}

// TestFrozenNodes: of a cluster one node is silent, then all are.
func TestFrozenNodes(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3, 0, "cluster-node-timeout 60000", "cluster-require-full-coverage no")
	subjects := make([]subject, 12)
	owners := map[store.UserID]*redistest.Server{}
	for i := range subjects {
		subjects[i] = newSubject()
		subjects[i].user.Username, subjects[i].client.ID = fmt.Sprint("user-", i), fmt.Sprint("client-", i)
		owners[subjects[i].user.ID] = cluster.NodeForSlot(redistest.KeySlot(layout.Keyspace("signet").User(subjects[i].user.ID)))
	}
	s := openPopulated(t, Config{Mode: conn.Cluster, Addrs: cluster.Addrs(), PoolSize: 100}, subjects...)
	frozen := owners[subjects[0].user.ID]
	frozen.Freeze()
	for _, x := range subjects {
		if owners[x.user.ID] != frozen {
			redistest.Wait(t, "a user on another node", func() error { _, err := s.User(t.Context(), x.user.ID); return err })
			continue
		}
		begun := time.Now()
		if _, err := s.User(t.Context(), x.user.ID); !isUnavailable(err) {
			t.Errorf("a user on the frozen node: got error %v, want ErrUnavailable", err)
		}
		if took := time.Since(begun); took > slow {
			t.Errorf("User took %v", took)
		}
	}
	for _, node := range cluster.Nodes {
		if node != frozen {
			node.Freeze()
		}
	}
	inTime(t, s, subjects[0])
	for _, node := range cluster.Nodes {
		node.Thaw()
	}
	recovers(t, s)
	for _, x := range slices.Backward(subjects) {
		redistest.Wait(t, "every node to answer", func() error {
			_, err := s.User(t.Context(), x.user.ID)
			if errors.Is(err, store.ErrNotFound) {
				return nil // a deletion was on its way
			}
			return err
		})
	}
}

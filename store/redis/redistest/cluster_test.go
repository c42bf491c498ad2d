package redistest

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestClusterFailover(t *testing.T) {
	t.Parallel()
	c := StartCluster(t, 3, 1, "cluster-node-timeout 1000")
	client := c.Client()
	keys := []string{"a", "b", "c", "{a}b", "{}a", "a{b", "{a}{b}", "", "{{x}}", "ключ"}
	for _, key := range keys {
		if err := client.Set(t.Context(), key, "1", 0).Err(); err != nil {
			t.Fatal(err)
		}
		if got, want := KeySlot(key), c.Nodes[0].Do("cluster", "keyslot", key); int64(got) != want {
			t.Errorf("slot of %q: got %d, want %d", key, got, want)
		}
	}
	slot := KeySlot("a")
	replicas := c.Replicas(c.NodeForSlot(slot))
	if len(replicas) != 1 {
		t.Fatalf("got %d replicas, want 1", len(replicas))
	}
	WaitInSync(t, c.NodeForSlot(slot), replicas...)
	old := c.KillMaster(slot)
	now := c.WaitForFailover(slot, old)
	if now != replicas[0] {
		t.Errorf("the new master is %s, want the replica %s", now.Addr(), replicas[0].Addr())
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	Wait(t, "the client to find the new master", func() error { return client.Set(ctx, "a", "2", 0).Err() })

	old.Restart()
	Wait(t, "the old master to follow the new one", func() error {
		if list := c.Replicas(now); len(list) != 1 || list[0] != old {
			return errNotYet
		}
		return nil
	})
	WaitInSync(t, now, old)
	if got := c.NodeForSlot(slot); got != now {
		t.Errorf("slot after the old master is back: got %s, want %s", got.Addr(), now.Addr())
	}
}

// TestMigrateSlot moves a slot while a client increments keys in it, looks at the answers in the
// middle of the move, and counts afterwards.
func TestMigrateSlot(t *testing.T) {
	t.Parallel()
	c := StartCluster(t, 2, 0)
	client, slot := c.Client(), KeySlot("{tag}")
	from := c.NodeForSlot(slot)
	to := c.Nodes[0]
	if to == from {
		to = c.Nodes[1]
	}
	const n = 50
	key := func(i int) string { return fmt.Sprintf("{tag}%d", i) }
	for i := range n {
		from.Do("set", key(i), 0)
	}

	var increments atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	worker := make(chan error)
	go func() {
		for i := 0; ctx.Err() == nil; i++ {
			if err := client.Incr(context.Background(), key(i%n)).Err(); err != nil {
				worker <- err
				return
			}
			increments.Add(1)
		}
		worker <- nil
	}()
	seen := map[string]int{}
	say := func(_ any, err error) { seen[strings.Fields(fmt.Sprint(err))[0]]++ }
	c.MigrateSlot(slot, from, to, func() {
		for i := range n {
			say(from.Try("get", key(i)))
			say(from.Try("mget", key(i), key((i+1)%n)))
		}
		say(from.Try("get", "{tag}nothing"))
		before := increments.Load()
		Wait(t, "the client to go on in the middle", func() error {
			if increments.Load() < before+2*n {
				return errNotYet
			}
			return nil
		})
	})
	cancel()
	if err := <-worker; err != nil {
		t.Errorf("a client that follows the cluster met %v", err)
	}
	// 25 keys moved, so 25 answers of each kind, and ASK for the one that does not exist; pairs
	// across the edge are TRYAGAIN, and pairs that have moved are ASK.
	if seen["ASK"] < n/2+1 || seen["TRYAGAIN"] == 0 || seen["<nil>"] == 0 {
		t.Errorf("in the middle: got %v, want ASK, TRYAGAIN and values", seen)
	}
	if _, err := from.Try("get", key(0)); err == nil || !strings.HasPrefix(err.Error(), "MOVED ") {
		t.Errorf("afterwards: got %v, want MOVED", err)
	}
	if got := c.NodeForSlot(slot); got != to {
		t.Errorf("the slot is at %s, want %s", got.Addr(), to.Addr())
	}
	var sum int64
	for i := range n {
		v, err := client.Get(t.Context(), key(i)).Int64()
		if err != nil {
			t.Fatal(err)
		}
		sum += v
	}
	if sum != increments.Load() {
		t.Errorf("sum: got %d, want %d", sum, increments.Load())
	}
}

func TestReplicated(t *testing.T) {
	t.Parallel()
	r := StartReplicated(t, Config{Password: "secret"}, 2)
	replica := r.Replicas[0]
	c := replica.Client()
	if err := c.Set(t.Context(), "k", 1, 0).Err(); !redis.IsReadOnlyError(err) {
		t.Errorf("a write to a replica: got %v, want READONLY", err)
	}
	replica.Freeze()
	r.Master.Do("set", "k", 1)
	if got := r.Master.Do("wait", 2, 500); got != int64(1) {
		t.Errorf("WAIT with a frozen replica: got %v, want 1", got)
	}
	replica.Thaw()
	WaitInSync(t, r.Master, r.Replicas...)
	if got := replica.Do("get", "k"); got != "1" {
		t.Errorf("the replica has %v, want 1", got)
	}
	r.Master.Kill()
	replica.Do("replicaof", "no", "one")
	begin := time.Now()
	if err := c.Set(t.Context(), "k", 2, 0).Err(); err != nil {
		t.Errorf("a write to the promoted replica, %v after: %v", time.Since(begin), err)
	}
}

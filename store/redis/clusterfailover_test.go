package redis

import (
	"context"
	"errors"
	"testing"
	"time"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/redistest"
)

// TestClusterLosesAMaster kills the master of one user's slot: the others are served on, and that
// user is again as soon as the replica has taken over, with nothing lost that was confirmed.
func TestClusterLosesAMaster(t *testing.T) {
	cluster := redistest.StartCluster(t, 3, 1)
	s := mustOpen(t, Config{Mode: conn.Cluster, Addrs: cluster.Addrs(), WaitReplicas: 1, PoolSize: 20})
	ctx := context.Background()
	now := time.Now()
	bounds := store.SessionLimits{PerUser: 10}
	begin := func(i int) store.Rotation {
		t.Helper()
		u := store.User{ID: nthUser(i), Username: "user" + string(rune('a'+i))}
		if err := s.CreateUser(ctx, u); err != nil {
			t.Fatal(err)
		}
		in := store.Session{ID: nthSession(i, 0), UserID: u.ID, ClientID: "app", StartedAt: now}
		if _, _, err := s.StartSession(ctx, in, bounds); err != nil {
			t.Fatal(err)
		}
		return store.Rotation{UserID: u.ID, SessionID: in.ID, ClientID: "app", Now: now.Add(time.Second),
			Lifetimes: store.Lifetimes{Idle: time.Hour, Absolute: time.Hour}, Grace: time.Minute, MaxReplays: 1000, Loss: store.Loss{At: now.Add(time.Hour)}}
	}
	hit := begin(0)
	slot := redistest.KeySlot(s.deps.Key.User(hit.UserID))
	var spared store.Rotation
	for i := 1; ; i++ {
		spared = begin(i)
		if cluster.NodeForSlot(redistest.KeySlot(s.deps.Key.User(spared.UserID))) != cluster.NodeForSlot(slot) {
			break
		}
	}
	revoked := begin(20)
	if _, err := s.RevokeSession(ctx, revoked.UserID, revoked.SessionID); err != nil {
		t.Fatal(err)
	}

	old := cluster.KillMaster(slot)
	if _, _, _, err := s.Rotate(ctx, hit); !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("Rotate without its master: got %v, want ErrUnavailable: the master is not gone", err)
	}
	if _, _, o, err := s.Rotate(ctx, spared); err != nil || o != store.Rotated {
		t.Errorf("Rotate of another slot meanwhile: got %v, %v, want rotated", o, err)
	}
	redistest.Wait(t, "the rotation to go through", func() error {
		_, _, o, err := s.Rotate(ctx, hit)
		if err == nil && o != store.Rotated && o != store.Replayed && o != store.Healed {
			t.Fatalf("Rotate after the failover: got %v", o)
		}
		return err
	})
	if cluster.NodeForSlot(slot) == old {
		t.Error("the slot is where it was: nothing has failed over")
	}
	if _, _, o, err := s.Rotate(ctx, revoked); err != nil || o != store.Gone {
		t.Errorf("Rotate of a revoked session: got %v, %v, want gone", o, err)
	}
}

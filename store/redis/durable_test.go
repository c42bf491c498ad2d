package redis

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
	"signet/store/redis/redistest"
)

// TestConfirmedByReplicas: what must not be lost is acknowledged only when a replica has it.
func TestConfirmedByReplicas(t *testing.T) {
	t.Parallel()
	servers := redistest.StartReplicated(t, redistest.Config{}, 1)
	s := mustOpen(t, rest(Config{Addrs: []string{servers.Master.Addr()}, WaitReplicas: 1, Prefix: newPrefix(), Timeout: time.Second}))
	x := newSubject()
	x.populate(t, s)
	durable := func(m method) bool {
		return slices.ContainsFunc([]string{"Create", "Update", "Delete", "Swap", "Revoke", "UseAssertion", "Keep", "queue"}, func(p string) bool { return strings.HasPrefix(m.name, p) })
	}
	servers.Replicas[0].Freeze()
	for _, m := range methods {
		if strings.HasPrefix(m.name, "Delete") {
			continue
		}
		got, err := m.call(t.Context(), s, x)
		switch {
		case durable(m) && (!isUnavailable(err) || !strings.Contains(fmt.Sprint(err), "replicas have confirmed")):
			t.Errorf("%s: got %v and error %v, want ErrUnavailable for want of a replica", m.name, got, err)
		case !durable(m) && errors.Is(err, store.ErrUnavailable):
			t.Errorf("%s: %v", m.name, err)
		}
	}
	servers.Replicas[0].Thaw()
	redistest.Wait(t, "the replica to confirm again", func() error {
		_, err := s.RevokeSessions(t.Context(), x.user.ID)
		return err
	})
}

// TestUnconfirmedReuse: a session that was ended for the use of a spent token stays ended when the
// replica that takes over has not heard of it.
func TestUnconfirmedReuse(t *testing.T) {
	t.Parallel()
	servers := redistest.StartReplicated(t, redistest.Config{}, 1)
	s := mustOpen(t, rest(Config{Addrs: []string{servers.Master.Addr()}, WaitReplicas: 1, Timeout: 2 * time.Second}))
	s.stop() // and what is told on the channel is not heard
	s.running.Wait()
	x := newSubject()
	x.populate(t, s)
	for generation := range uint32(2) {
		if _, _, o, err := s.Rotate(t.Context(), x.rotation(generation)); o != store.Rotated || err != nil {
			t.Fatalf("Rotate: got %v and error %v", o, err)
		}
	}
	redistest.WaitInSync(t, servers.Master, servers.Replicas...)
	replica := servers.Replicas[0]
	replica.Do("replicaof", "no", "one") // it gets no more writes
	if _, _, o, err := s.Rotate(t.Context(), x.rotation(0)); !isUnavailable(err) {
		t.Fatalf("Rotate, unconfirmed: got %v and error %v, want ErrUnavailable", o, err)
	}
	// The master has it and the one that takes over does not. Put the old record back, as there.
	session := replica.Do("hget", s.deps.Key.Sessions(x.user.ID), string(x.session.ID[:]))
	if session == nil {
		t.Fatal("the replica has heard of it")
	}
	servers.Master.Do("hset", s.deps.Key.Sessions(x.user.ID), string(x.session.ID[:]), session)
	if _, _, o, err := s.Rotate(t.Context(), x.rotation(2)); o != store.Gone || err != nil {
		t.Errorf("Rotate afterwards: got %v and error %v, want gone", o, err)
	}
	s.cfg.WaitReplicas = 0
	s.reapply(t.Context())
	if still := servers.Master.Do("hexists", s.deps.Key.Sessions(x.user.ID), string(x.session.ID[:])); still != int64(0) {
		t.Error("it was not ended again")
	}
}

// TestConfirmedAfterReload: a script that the server has forgotten is confirmed after it was run,
// not before.
func TestConfirmedAfterReload(t *testing.T) {
	t.Parallel()
	servers := redistest.StartReplicated(t, redistest.Config{}, 1)
	s := mustOpen(t, rest(Config{Addrs: []string{servers.Master.Addr()}, WaitReplicas: 1, Prefix: newPrefix(), Timeout: 10 * time.Second}))
	x := newSubject()
	x.populate(t, s)
	heard := monitor(t, servers.Master)
	servers.Master.Do("script", "flush")
	if _, err := s.RevokeSessions(t.Context(), x.user.ID); err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, c := range heard(t) {
		if !c.inScript && c.name() != "publish" && c.name() != "replconf" && c.name() != "ping" && c.name() != "script" {
			order = append(order, c.name())
		}
	}
	want := []string{"eval", "set", "wait"}
	if len(order) < 3 || !slices.Equal(order[len(order)-3:], want) {
		t.Errorf("the server was asked for %q, want %q at the end", order, want)
	}
	if _, err := s.RevokeSessions(t.Context(), x.user.ID); err != nil {
		t.Fatal(err)
	}
	if last := heard(t); slices.ContainsFunc(last, func(c heardCommand) bool { return c.name() == "eval" }) {
		t.Error("the script was sent whole again though the server had it")
	}
}

// TestConfirmedWhileSlotMoves: in the middle of a slot's move, what confirms a change may be sent
// elsewhere than the change itself. The change is made once, and the answer says what happened or
// that nothing is known.
func TestConfirmedWhileSlotMoves(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 2, 1)
	s := mustOpen(t, rest(Config{Mode: conn.Cluster, Addrs: cluster.Addrs(), WaitReplicas: 1, Prefix: newPrefix(), Timeout: 10 * time.Second}))
	masters, err := s.deps.Conn.Masters(t.Context())
	for _, m := range masters {
		if err != nil || m.Fields["connected_slaves"] == "0" {
			t.Fatal("the store has seen no replicas: ", m.Fields, err)
		}
	}
	x := newSubject()
	x.populate(t, s)
	session, barrier := s.deps.Key.Sessions(x.user.ID), s.deps.Key.Barrier(s.deps.Key.User(x.user.ID))
	slot := redistest.KeySlot(session)
	from, to := cluster.NodeForSlot(slot), cluster.Nodes[0]
	if to == from {
		to = cluster.Nodes[1]
	}
	redistest.Wait(t, "earlier barriers to be over", func() error { // one that is there is not sent elsewhere
		if from.Do("exists", barrier) != int64(0) {
			return errors.New("there is one")
		}
		return nil
	})
	// The newest key of a slot moves first, and in the middle of it all the session is still there.
	from.Do("set", "newest:{"+layout.TagOf(session)+"}", "")
	cluster.MigrateSlot(slot, from, to, func() {
		if from.Do("exists", session) != int64(1) {
			t.Fatal("the session has moved")
		}
		if existed, err := s.RevokeSession(t.Context(), x.user.ID, x.session.ID); !isUnavailable(err) {
			t.Errorf("RevokeSession: got %v and error %v, want ErrUnavailable", existed, err)
		}
		if still, err := from.Try("exists", session); err == nil {
			t.Errorf("the session is still there: %v", still)
		}
	})
	if existed, err := s.RevokeSession(t.Context(), x.user.ID, x.session.ID); existed || err != nil {
		t.Errorf("RevokeSession afterwards: got %v and error %v", existed, err)
	}
}

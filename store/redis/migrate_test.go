package redis

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
	"signet/store/redis/redistest"
)

// userIn returns the id of a user whose keys are in a slot.
func userIn(slot int) store.UserID {
	for {
		if id := store.UserID(randomID()); redistest.KeySlot(layout.Keyspace("").User(id)) == slot {
			return id
		}
	}
}

// TestMigrationUnderLoad moves a slot there and back while several present each generation of the
// sessions that are in it.
func TestMigrationUnderLoad(t *testing.T) {
	cluster := redistest.StartCluster(t, 3, 0)
	s := mustOpen(t, Config{Mode: conn.Cluster, Addrs: cluster.Addrs(), Timeout: time.Second})
	const slot = 4321
	m := &migration{t: t, store: s}
	for range 4 {
		u := seedUserAs(t, s, userIn(slot))
		for range 2 {
			m.lines = append(m.lines, &line{token: tokenOf(seedSession(t, s, u.ID))})
		}
	}

	first, last := m.lines[0].token.user, m.lines[len(m.lines)-1].token.user

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var teams sync.WaitGroup
	for team := range migrationTeams {
		teams.Go(func() {
			mine := m.lines[team*len(m.lines)/migrationTeams:][:len(m.lines)/migrationTeams] // of users of its own
			for i := 0; ctx.Err() == nil; i++ {
				m.round(ctx, mine[i%len(mine)])
			}
		})
	}
	from := cluster.NodeForSlot(slot)
	for move := range 4 {
		to := otherNode(cluster, from, move)
		if keys := from.Do("cluster", "countkeysinslot", slot); keys != int64(8) {
			t.Errorf("before move %d there are %v keys in the slot, want 8", move, keys)
		}
		if move%2 == 0 {
			// The last user is there already, and the others are here: everybody goes on.
			cluster.MigrateKeysFirst(slot, from, to, func() { m.allGoOn(t) }, s.deps.Key.UserAndSessions(last)...)
		} else {
			// The first user is here and that user's sessions are there: nothing can be done with both,
			// and the others go on.
			cluster.MigrateKeysFirst(slot, from, to, func() {
				gaveUp := countErrors(cluster, "TRYAGAIN") + teamSize*(conn.MaxRedirects+1) + 1
				redistest.Wait(t, "those who ask about the first user to give up", func() error {
					return atLeast(countErrors(cluster, "TRYAGAIN"), gaveUp)
				})
				m.goOn(t, 20)
			}, s.deps.Key.Sessions(first))
		}
		m.allGoOn(t)
		from = to
	}
	cancel()
	teams.Wait()

	redirects := map[string]int{}
	for _, code := range []string{"MOVED", "ASK", "TRYAGAIN"} {
		redirects[code] = countErrors(cluster, code)
	}
	t.Logf("generations %d, of them won by a call whose answer was lost %d; presented %d times, answered unavailable %d; redirects %v",
		m.rounds.Load(), m.lost.Load(), m.presented.Load(), m.unavailable.Load(), redirects)
	if redirects["MOVED"] == 0 || redirects["ASK"] == 0 || redirects["TRYAGAIN"] == 0 {
		t.Errorf("redirects: got %v, want some of each", redirects)
	}
	for _, l := range m.lines {
		if _, o := mustPresent(t, s, l.token); o != store.Rotated {
			t.Errorf("a session afterwards: got %v, want %v", o, store.Rotated)
		}
	}
}

const (
	migrationTeams = 2
	teamSize       = 4 // workers who present the same generation at the same time
)

type migration struct {
	t     *testing.T
	store *Store
	lines []*line

	rounds, lost, presented, unavailable atomic.Int64
}

// line is a session; only one team has it.
type line struct {
	token  token
	rounds atomic.Int64
}

// round has a whole team present one generation until everybody has an answer, and counts who was
// first. There may be none where there were errors: the answer to the first one may have been lost.
func (m *migration) round(ctx context.Context, l *line) {
	var team sync.WaitGroup
	var mu sync.Mutex
	outcomes, unavailable, next := map[store.Outcome]int{}, 0, l.token
	for range teamSize {
		team.Go(func() {
			got, o, errs, err := l.token.presentUntil(context.WithoutCancel(ctx), m.store)
			mu.Lock()
			defer mu.Unlock()
			unavailable += errs
			if outcomes[o]++; err != nil || !goesOn(o) || got.generation != l.token.generation+1 {
				m.t.Errorf("generation %d: got %v, %v and generation %d", l.token.generation, o, err, got.generation)
			}
			next = got
		})
	}
	team.Wait()
	m.rounds.Add(1)
	l.rounds.Add(1)
	m.presented.Add(teamSize)
	m.unavailable.Add(int64(unavailable))
	switch won := outcomes[store.Rotated]; {
	case won == 0 && unavailable > 0:
		m.lost.Add(1)
	case won != 1 || outcomes[store.Healed] > 0:
		m.t.Errorf("generation %d: got %v, want one %v", l.token.generation, outcomes, store.Rotated)
	}
	l.token = next
}

// goOn returns after some more rounds.
func (m *migration) goOn(t *testing.T, rounds int64) {
	t.Helper()
	want := m.rounds.Load() + rounds
	redistest.Wait(t, "sessions to be rotated", func() error { return atLeast(int(m.rounds.Load()), int(want)) })
}

// allGoOn returns when every session has been rotated some more times.
func (m *migration) allGoOn(t *testing.T) {
	t.Helper()
	for _, l := range m.lines {
		want := l.rounds.Load() + 3
		redistest.Wait(t, "each session to be rotated", func() error { return atLeast(int(l.rounds.Load()), int(want)) })
	}
}

func otherNode(c *redistest.Cluster, than *redistest.Server, n int) *redistest.Server {
	for i := range c.Nodes {
		if node := c.Nodes[(n+i)%len(c.Nodes)]; node != than && node.Info("replication")["role"] == "master" {
			return node
		}
	}
	return nil
}

// countErrors is how often all nodes have answered with an error of that code.
func countErrors(c *redistest.Cluster, code string) (n int) {
	for _, node := range c.Nodes {
		count, _ := strings.CutPrefix(node.Info("errorstats")["errorstat_"+code], "count=")
		some, _ := strconv.Atoi(count)
		n += some
	}
	return n
}

// TestHalfMovedSlot looks at what is in one slot while half of it has moved, and the cluster has
// replicas that must confirm.
func TestHalfMovedSlot(t *testing.T) {
	cluster := redistest.StartCluster(t, 3, 1)
	s := mustOpen(t, Config{Mode: conn.Cluster, Addrs: cluster.Addrs(), Timeout: 2 * time.Second, WaitReplicas: 1, ReplicaPoll: time.Hour})
	t.Run("keyring", func(t *testing.T) { testHalfMovedKeyring(t, cluster, s) })
	t.Run("sessions", func(t *testing.T) { testHalfMovedSessions(t, cluster, s) })
}

// testHalfMovedKeyring: the install is in one place and the keyring in another, and neither is taken
// for lost.
func testHalfMovedKeyring(t *testing.T, cluster *redistest.Cluster, s *Store) {
	if err := s.CreateInstall(t.Context(), store.Install{ID: "install", Schema: Schema, CreatedAt: begun}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SwapKeyring(t.Context(), 0, 7, []byte("sealed")); err != nil {
		t.Fatal(err)
	}
	slot := redistest.KeySlot(s.deps.Key.Of(layout.Install))
	from := cluster.NodeForSlot(slot)
	to := otherNode(cluster, from, 0)
	for _, first := range s.deps.Key.All(layout.Install, layout.Keyring) {
		cluster.MigrateKeysFirst(slot, from, to, func() {
			before := countErrors(cluster, "ASK")
			if version, document, err := s.LoadKeyring(t.Context()); version != 7 || string(document) != "sealed" || err != nil {
				t.Errorf("LoadKeyring when %s has moved: got version %d, %q, %v", first, version, document, err)
			}
			if err := s.Ping(t.Context()); err != nil {
				t.Errorf("Ping when %s has moved: %v", first, err)
			}
			if countErrors(cluster, "ASK") == before {
				t.Errorf("nobody was asked to ask elsewhere")
			}
		}, first)
		from, to = to, from
	}
}

// testHalfMovedSessions: the sessions of a user are still here, and the barrier behind which their
// end would be confirmed is not: a key that does not exist has moved. What is revoked is revoked once.
func testHalfMovedSessions(t *testing.T, cluster *redistest.Cluster, s *Store) {
	const slot = 99
	u := seedUserAs(t, s, userIn(slot))
	session, stays := seedSession(t, s, u.ID), tokenOf(seedSession(t, s, u.ID))
	revoke := func() (bool, error) { return s.RevokeSession(t.Context(), u.ID, session.ID) }
	from := cluster.NodeForSlot(slot)
	cluster.MigrateKeysFirst(slot, from, otherNode(cluster, from, 0), func() {
		from.Do("del", s.deps.Key.Barrier(s.deps.Key.Sessions(u.ID))) // it would go by itself in a second
		if _, err := revoke(); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("RevokeSession that cannot be confirmed: got %v, want %v", err, store.ErrUnavailable)
		}
		if got := from.Do("hexists", s.deps.Key.Sessions(u.ID), string(session.ID[:])); got != int64(0) {
			t.Errorf("the session is there: got %v, want 0", got)
		}
		if !s.deps.Revocations.HasSession(session.ID) {
			t.Error("the revocation is not remembered")
		}
	})
	redistest.Wait(t, "the revocation to be confirmed", func() error { _, err := revoke(); return err })
	if _, o := mustPresent(t, s, tokenOf(session)); o != store.Gone {
		t.Errorf("the session that was revoked: got %v, want %v", o, store.Gone)
	}
	if _, o := mustPresent(t, s, stays); o != store.Rotated {
		t.Errorf("the user's other session: got %v, want %v", o, store.Rotated)
	}
}

package redis

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"signet/store"
	"signet/store/redis/redistest"
)

// What one of many is called. Ids look random to Redis: their bytes are spread.
func nthUser(i int) (id store.UserID) {
	binary.BigEndian.PutUint64(id[:], uint64(i)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(id[8:], uint64(i)*0xc2b2ae3d27d4eb4f+1)
	return id
}

func nthSession(user, i int) (id store.SessionID) {
	binary.BigEndian.PutUint64(id[:], uint64(user)*0xff51afd7ed558ccd+uint64(i)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(id[8:], uint64(user)*0xc4ceb9fe1a85ec53+uint64(i)+1)
	return id
}

// records are users with sessions each, as an import has them.
func records(users, each int, sessions bool) iter.Seq2[store.Record, error] {
	now := time.Now().UTC()
	return func(yield func(store.Record, error) bool) {
		for u := range users {
			id := nthUser(u)
			user := store.User{ID: id, Username: fmt.Sprintf("user%07d", u), CreatedAt: now, UpdatedAt: now,
				PasswordHash: "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}
			if !sessions && !yield(store.Record{User: &user}, nil) {
				return
			}
			for i := range each {
				session := store.Session{ID: nthSession(u, i), UserID: id, ClientID: "web-app", StartedAt: now.Add(-time.Minute), RotatedAt: now}
				if sessions && !yield(store.Record{Session: &session}, nil) {
					return
				}
			}
		}
	}
}

// fill writes records past the checks of an import, which takes an empty store only.
func fill(tb testing.TB, s *Store, all iter.Seq2[store.Record, error]) {
	tb.Helper()
	if err := s.Fill(context.Background(), all); err != nil {
		tb.Fatal(err)
	}
}

// BenchmarkMemory prints what a session takes in Redis, by how many a user has: the growth of
// used_memory over 100,000 sessions, users not counted, and MEMORY USAGE of one user's.
//
//	go test ./store/redis -run '^$' -bench Memory -benchtime 1x
func BenchmarkMemory(b *testing.B) {
	const sessions = 100_000
	var table [][]any
	for _, each := range []int{1, 2, 5, 10, 50, 100} {
		b.Run(fmt.Sprint(each, "_a_user"), func(b *testing.B) {
			server := redistest.Start(b, redistest.Config{})
			s := mustOpen(b, Config{Addrs: []string{server.Addr()}, Timeout: 10 * time.Second})
			users := sessions / each
			empty := usedMemory(b, server)
			fill(b, s, records(users, each, false))
			before := usedMemory(b, server)
			fill(b, s, records(users, each, true))
			perSession := float64(usedMemory(b, server)-before) / sessions
			reported := server.Do("MEMORY", "USAGE", s.deps.Key.Sessions(nthUser(0)), "SAMPLES", 0).(int64)
			encoding := server.Do("OBJECT", "ENCODING", s.deps.Key.Sessions(nthUser(0)))
			table = append(table, []any{each, perSession, float64(reported) / float64(each), encoding, float64(before-empty) / float64(users)})
			b.ReportMetric(perSession, "B/session")
			b.ReportMetric(0, "ns/op")
		})
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "sessions a user\tused_memory a session\tMEMORY USAGE a session\tencoding\tused_memory a user\t")
	for _, row := range table {
		fmt.Fprintf(w, "%d\t%.1f B\t%.1f B\t%v\t%.0f B\t\n", row...)
	}
	w.Flush()
}

func usedMemory(tb testing.TB, server *redistest.Server) int64 {
	tb.Helper()
	n, err := strconv.ParseInt(server.Info("memory")["used_memory"], 10, 64)
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

// TestSessionsAreSmall holds the table's row of ten sessions a user to its limit, with fewer of them.
func TestSessionsAreSmall(t *testing.T) {
	server := redistest.Start(t, redistest.Config{})
	s := mustOpen(t, Config{Addrs: []string{server.Addr()}, Timeout: 10 * time.Second})
	const users, each = 2000, 10
	fill(t, s, records(users, each, false))
	before := usedMemory(t, server)
	fill(t, s, records(users, each, true))
	if got := float64(usedMemory(t, server)-before) / (users * each); got > 100 {
		t.Errorf("a session takes %.1f bytes, want 100 at most", got)
	}
}

// BenchmarkFlat prints how long a rotation takes beside 10³, 10⁵ and 10⁶ sessions.
//
//	go test ./store/redis -run '^$' -bench Flat -benchtime 1x
func BenchmarkFlat(b *testing.B) {
	server := redistest.Start(b, redistest.Config{})
	s := mustOpen(b, Config{Addrs: []string{server.Addr()}, Timeout: 10 * time.Second})
	const each = 10
	filled, generation := 0, uint32(0)
	for _, sessions := range []int{1_000, 10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(sessions), func(b *testing.B) {
			users := sessions / each
			if filled < users {
				fill(b, s, between(records(users, each, false), filled, 1))
				fill(b, s, between(records(users, each, true), filled, each))
				filled = users
			}
			generation += 1 << 20
			took := rotateMany(b, s, users, each, generation)
			slices.Sort(took)
			for _, p := range []struct {
				name string
				at   int
			}{{"p50-µs", 500}, {"p99-µs", 990}} {
				b.ReportMetric(float64(took[len(took)*p.at/1000].Microseconds()), p.name)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// between leaves out the first users of all, which have so many records each.
func between(all iter.Seq2[store.Record, error], users, each int) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		n := 0
		for r, err := range all {
			if n++; n > users*each && !yield(r, err) {
				return
			}
		}
	}
}

// rotateMany rotates sessions that are spread over all users, each worker its own, and returns how
// long each rotation took. Generations beyond those before heal, which is the same work.
func rotateMany(b *testing.B, s *Store, users, each int, generation uint32) []time.Duration {
	const workers, rotations = 4, 10_000
	took := make([][]time.Duration, workers)
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for n := range rotations {
				u := n*7919%(users/workers)*workers + w
				r := store.Rotation{UserID: nthUser(u), SessionID: nthSession(u, n%each), ClientID: "web-app", Generation: generation + uint32(n), Now: time.Now(),
					Lifetimes: store.Lifetimes{Idle: time.Hour, Absolute: time.Hour}, Grace: 10 * time.Second, MaxReplays: 1000, Loss: store.Loss{At: time.Now().Add(time.Hour)}}
				begun := time.Now()
				_, _, o, err := s.Rotate(context.Background(), r)
				if took[w] = append(took[w], time.Since(begun)); err != nil || o == store.Gone || o == store.Revoked {
					b.Errorf("Rotate: %v, %v", o, err)
					return
				}
			}
		})
	}
	all.Wait()
	return slices.Concat(took...)
}

// BenchmarkRequests is what requests ask of the store, with the memory that each takes here.
//
//	go test ./store/redis -run '^$' -bench Requests -benchtime 2000x
func BenchmarkRequests(b *testing.B) {
	server := redistest.Start(b, redistest.Config{})
	s := mustOpen(b, Config{Addrs: []string{server.Addr()}, Timeout: 10 * time.Second})
	ctx, u := context.Background(), seedUser(b, s)
	session := seedSession(b, s, u.ID)
	limits, generation, used := store.Lifetimes{Idle: time.Hour, Absolute: time.Hour}, session.Generation, 0
	attempt := store.Attempt{Scopes: []store.Scope{{Place: "p", Limits: []store.Limit{{Key: "k", Free: 1 << 30, Window: time.Minute}}}}}
	for _, request := range []struct {
		name string
		call func() error
	}{
		{"Rotate", func() error {
			r, _, _, err := s.Rotate(ctx, store.Rotation{UserID: u.ID, SessionID: session.ID, ClientID: session.ClientID, Generation: generation, Now: session.StartedAt, Lifetimes: limits})
			generation = r.Generation
			return err
		}},
		{"TokenState", func() error {
			_, err := s.TokenState(ctx, store.TokenRef{JTI: "jti", UserID: u.ID, SessionID: session.ID})
			return err
		}},
		{"BeginLogin", func() error {
			used++
			attempt.Scopes[0].Limits[0].Key = fmt.Sprint(used)
			_, _, err := s.BeginLogin(ctx, time.Now(), attempt, u.Username)
			return err
		}},
		{"FinishLogin", func() error {
			_, err := s.FinishLogin(ctx, time.Now(), store.Receipt{Attempt: attempt}, store.Session{ID: randomID(), UserID: u.ID, ClientID: "app", StartedAt: time.Now()}, store.SessionLimits{PerUser: 10})
			return err
		}},
		{"UseAssertion", func() error {
			used++
			return s.UseAssertion(ctx, store.AssertionID(nthSession(used, 0)), time.Now().Add(time.Minute))
		}},
	} {
		b.Run(request.name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				if err := request.call(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

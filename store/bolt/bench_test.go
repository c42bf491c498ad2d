package bolt

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"signet/store"
)

// benchSessions begins one session for each of n users.
func benchSessions(b *testing.B, s *Store, n int) []store.Rotation {
	b.Helper()
	ctx := context.Background()
	rotations := make([]store.Rotation, n)
	for i := range rotations {
		u := store.User{ID: store.UserID{1, byte(i), byte(i >> 8)}, Username: fmt.Sprint("user-", i), PasswordHash: "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}
		must(b, s.CreateUser(ctx, u))
		session := store.Session{ID: store.SessionID{1, byte(i), byte(i >> 8)}, UserID: u.ID, ClientID: "app", StartedAt: time.Now()}
		_, _, err := s.StartSession(ctx, session, store.SessionLimits{PerUser: 9})
		must(b, err)
		rotations[i] = store.Rotation{UserID: u.ID, SessionID: session.ID, ClientID: "app", Lifetimes: store.Lifetimes{Idle: time.Hour, Absolute: time.Hour}}
	}
	return rotations
}

func benchRotate(b *testing.B, s *Store, r *store.Rotation) {
	r.Now = time.Now()
	next, _, o, err := s.Rotate(context.Background(), *r)
	if err != nil || o != store.Rotated {
		b.Errorf("got %v, %v", o, err)
	}
	r.Generation = next.Generation
}

func BenchmarkRotate(b *testing.B) {
	b.Run("serial", func(b *testing.B) {
		s := testStore(b)
		rotations := benchSessions(b, s, 1000)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			benchRotate(b, s, &rotations[i%len(rotations)])
		}
	})
	for _, writers := range []int{16, 128} {
		b.Run(fmt.Sprint("parallel", writers), func(b *testing.B) {
			s := testStore(b)
			rotations := benchSessions(b, s, 1000)
			var next atomic.Int32
			b.SetParallelism(writers / 2)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				r := &rotations[next.Add(1)]
				for pb.Next() {
					benchRotate(b, s, r)
				}
			})
		})
	}
}

func BenchmarkClient(b *testing.B) {
	s := testStore(b)
	ctx := context.Background()
	must(b, s.CreateClient(ctx, store.Client{ID: "app", Grants: []string{"password", "refresh_token"}, Scopes: []string{"read", "write"}}))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Client(ctx, "app"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTokenState(b *testing.B) {
	s := testStore(b)
	r := benchSessions(b, s, 1)[0]
	b.ReportAllocs()
	for b.Loop() {
		state, err := s.TokenState(context.Background(), store.TokenRef{JTI: "x", UserID: r.UserID, SessionID: r.SessionID})
		if err != nil || !state.Live {
			b.Fatal(state, err)
		}
	}
}

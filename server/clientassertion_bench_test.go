package server_test

import (
	"context"
	"testing"
	"time"

	"signet/server"
	"signet/server/servertest"
	"signet/store"
)

// careless is a store that spends assertions without writing anything down.
type careless struct{ store.Store }

func (careless) UseAssertion(context.Context, store.AssertionID, time.Time) error { return nil }

// What a token of a client's own costs inside the server, by how the client authenticates: first
// without the store's part, which for private_key_jwt is a write, then with it, in the embedded store.
// of_basic is how many times as long it takes as with client_secret_basic in the same run.
func BenchmarkClientAuthentication(b *testing.B) {
	fast := servertest.New(b, func(cfg *server.Config) { cfg.Store = careless{cfg.Store} })
	basic := fast.Form(b, "/token", "grant_type=client_credentials").Web()
	perBasic := 0.0
	b.Run("client_secret_basic", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if status := basic.Serve(); status != 200 {
				b.Fatal(status)
			}
		}
		perBasic = float64(b.Elapsed()) / float64(b.N)
	})
	for _, alg := range []string{"ES256", "EdDSA", "RS256"} {
		key := servertest.NewAppKey(b, alg)
		b.Run("private_key_jwt/"+alg, func(b *testing.B) { benchmarkAssertions(b, fast, key, perBasic) })
	}
	stored := servertest.New(b, nil)
	b.Run("private_key_jwt/ES256 and embedded store", func(b *testing.B) { benchmarkAssertions(b, stored, servertest.NewAppKey(b, "ES256"), perBasic) })
}

func benchmarkAssertions(b *testing.B, s *servertest.Server, key servertest.AppKey, perBasic float64) {
	_ = s.Store.DeleteClient(b.Context(), robot, nil)
	addRobot(b, s, key.JWK(""))
	s.Clock.Add(11 * time.Second) // longer than a client is cached
	var signed []*servertest.Request
	b.ReportAllocs()
	for b.Loop() {
		if len(signed) == 0 {
			b.StopTimer()
			for range 256 {
				signed = append(signed, s.Asserted(b, key, robot))
			}
			b.StartTimer()
		}
		if status := signed[0].Serve(); status != 200 {
			b.Fatal(status)
		}
		signed = signed[1:]
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/perBasic, "of_basic")
}

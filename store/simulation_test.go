package store_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signet/store"
)

// BenchmarkSignOuts simulates phones whose messages get lost, and prints how often a user is signed out
// in a month by each rule: 12 visits a day, 1 % of messages lost, 0.5 % of apps killed before they have
// stored the new token. The app sleeps until the next visit then, and sends the token that it has.
func BenchmarkSignOuts(b *testing.B) {
	for _, rule := range []struct {
		name        string
		grace, late time.Duration
	}{
		{"grace 10s", 10 * time.Second, 0},
		{"grace 60s", time.Minute, 0},
		{"grace 10s, late 24h", 10 * time.Second, 24 * time.Hour},
	} {
		b.Run(rule.name, func(b *testing.B) {
			months, out := 0, 0
			for b.Loop() {
				out += signOuts(rand.New(rand.NewPCG(1, uint64(months))), rule.grace, rule.late)
				months++
			}
			b.ReportMetric(float64(out)/float64(months), "sign-outs/month")
		})
	}
}

// signOuts is how often one user is signed out in a month.
func signOuts(random *rand.Rand, grace, late time.Duration) (out int) {
	const visits = 12
	login := func(now time.Time) (store.Session, uint32) {
		return store.Session{ID: store.SessionID{1}, ClientID: "app", StartedAt: now, RotatedAt: now}, 0
	}
	now := t0
	session, held := login(now)
	for range 30 * visits {
		now = now.Add(time.Duration(random.ExpFloat64() * float64(24*time.Hour/visits)))
		if random.Float64() < 0.01 {
			continue // the request was lost
		}
		next, o := store.Decide(session, store.UserStatus{}, store.Rotation{ClientID: "app", Generation: held, Now: now,
			Lifetimes: store.Lifetimes{Idle: 30 * 24 * time.Hour, Absolute: 90 * 24 * time.Hour}, Grace: grace, Late: late, MaxReplays: 1000})
		if !o.GoesOn() {
			out++
			session, held = login(now)
			continue
		}
		session = next
		answered, stored := random.Float64() >= 0.01, random.Float64() >= 0.005
		if answered && stored {
			held = next.Generation
		}
	}
	return out
}

// TestThiefIsFound has a thief who has copied the owner's refresh token at some moment, and who uses it
// as he likes: in turns with the owner, right behind him, or after a sleep. Whatever he does, the owner's
// next refresh after his ends the session, or he got nothing that the owner does not have.
func TestThiefIsFound(t *testing.T) {
	const year = 365 * 24 * time.Hour // nothing ends by its lifetime
	rapid.Check(t, func(t *rapid.T) {
		now := t0
		session := store.Session{ID: store.SessionID{1}, ClientID: "app", StartedAt: now, RotatedAt: now}
		alive := true
		present := func(generation uint32) (uint32, store.Outcome) {
			next, o := store.Decide(session, store.UserStatus{}, store.Rotation{ClientID: "app", Generation: generation, Now: now,
				Lifetimes: store.Lifetimes{Idle: year, Absolute: year}, Grace: 10 * time.Second, Late: year, MaxReplays: 1000})
			session, alive = next, alive && o.GoesOn()
			return next.Generation, o
		}
		owner, thief, stolen := uint32(0), uint32(0), false
		thiefAhead := false // his last refresh gave him a generation that the owner does not have
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			now = now.Add(rapid.SampledFrom([]time.Duration{time.Second, 9 * time.Second, time.Minute, 3 * time.Hour, 20 * time.Hour}).Draw(t, "pause"))
			switch who := rapid.SampledFrom([]string{"owner", "owner loses the answer", "theft", "thief"}).Draw(t, "who"); who {
			case "theft":
				if !stolen {
					thief, stolen = owner, true
				}
			case "thief":
				if !stolen {
					continue
				}
				generation, o := present(thief)
				if !o.GoesOn() {
					return // he is found, and the session is over
				}
				// Inside the grace window he is answered what the owner was.
				thief, thiefAhead = generation, thiefAhead || generation != owner
			default:
				generation, o := present(owner)
				if !o.GoesOn() {
					if !thiefAhead && o == store.Reused {
						t.Fatalf("the owner was signed out, and nobody but him has refreshed: %v", o)
					}
					return
				}
				if who == "owner" {
					owner = generation
				}
				if thiefAhead && generation != thief && session.Generation != generation {
					t.Fatal("there are two lines of successors")
				}
				thiefAhead = thiefAhead && generation == thief
			}
		}
		if !alive || !stolen || thief == owner {
			return
		}
		// Both go on once more, each with what he has: one of the two is found.
		now = now.Add(time.Hour)
		_, first := present(owner)
		now = now.Add(time.Hour)
		if _, second := present(thief); first.GoesOn() && second.GoesOn() {
			now = now.Add(time.Hour)
			if _, third := present(owner); third.GoesOn() {
				t.Fatalf("owner %v, thief %v, owner %v: nobody was found", first, second, third)
			}
		}
	})
}

package password

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signet/server/password/hash"
)

const bcrypt16 = "$2b$16$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234"

func bcryptOf(cost int) string {
	return strings.Replace(bcrypt16, "$16$", fmt.Sprintf("$%02d$", cost), 1)
}

func argonOf(memory, passes uint32) string {
	return hash.Dummy(hash.Params{Memory: memory, Time: passes, Threads: 1}).String()
}

// What an imported hash may cost is bounded, at import and when it is checked, and a reason is given.
func TestCaps(t *testing.T) {
	for _, row := range []struct {
		name, encoded string
		cfg           Config
		reason        string // "" : it may be used
	}{
		{"bcrypt as usual", bcryptOf(12), Config{}, ""},
		{"bcrypt at the cap", bcryptOf(14), Config{}, ""},
		{"bcrypt above it", bcryptOf(15), Config{}, "bcrypt with cost 15 is more than the cost of 14"},
		{"bcrypt, raised", bcryptOf(16), Config{Caps: hash.Caps{BcryptCost: 16}}, ""},
		{"argon2 at the cap", argonOf(256<<10, 4), Config{Memory: 1 << 40}, ""},
		{"argon2 with more memory", argonOf(1<<20, 4), Config{Memory: 1 << 40}, "argon2 memory of 1048576 KiB"},
		{"argon2 with more passes", argonOf(256<<10, 5), Config{Memory: 1 << 40}, "5 passes"},
		{"argon2 on a small machine", argonOf(128<<10, 1), Config{Memory: 64 << 20}, "argon2 memory of 131072 KiB is more than the 65536 KiB"},
		{"our own, above the caps", argonOf(512<<10, 4), Config{Argon2: hash.Params{Memory: 512 << 10, Time: 4, Threads: 1}, Memory: 1 << 40}, ""},
	} {
		row.cfg.Slots = 1
		p := New(row.cfg)
		err := p.Supported(row.encoded)
		if row.reason == "" {
			if err != nil {
				t.Errorf("%s: got %v, want nil", row.name, err)
			}
			continue
		}
		if !errors.Is(err, hash.ErrFormat) || !strings.Contains(err.Error(), row.reason) {
			t.Errorf("%s: got %v, want %q", row.name, err, row.reason)
		}
		p.work = func(h hash.Hash, _ []byte) bool { return h.Kind() == p.dummy.Kind() } // the work of the dummy instead
		if r, verr := p.Verify(t.Context(), row.encoded, "x"); !errors.Is(verr, hash.ErrFormat) || r.Match {
			t.Errorf("%s: Verify got %v, %v", row.name, r, verr)
		}
	}
}

// Expensive hashes take at most half of the slots, however many come, and others go on beside them.
func TestExpensiveHashesLeaveRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(Config{Slots: 4, Wait: time.Minute})
		var mu sync.Mutex
		running := map[string]int{}
		count := func(kind string) int {
			mu.Lock()
			defer mu.Unlock()
			return running[kind]
		}
		release := make(chan struct{})
		p.work = func(h hash.Hash, _ []byte) bool {
			mu.Lock()
			running[h.Kind()]++
			mu.Unlock()
			<-release
			return false
		}
		for range 10 {
			go p.Verify(t.Context(), bcryptOf(13), "x")
		}
		synctest.Wait()
		if n := count("bcrypt cost 13"); n != 2 {
			t.Errorf("got %d expensive hashes at once, want 2 of 4 slots", n)
		}
		for range 3 {
			go p.Verify(t.Context(), "", "x")
		}
		synctest.Wait()
		if n := count(p.dummy.Kind()); n != 2 {
			t.Errorf("got %d others beside them, want 2", n)
		}
		close(release)
	})
}

// Running hashes never take more memory together than the budget.
func TestMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(Config{Argon2: hash.Params{Memory: 8 << 10, Time: 1, Threads: 1}, Slots: 8, Memory: 128 << 20, Wait: time.Minute})
		var mu sync.Mutex
		most, now := uint64(0), uint64(0)
		add := func(memory uint64) {
			mu.Lock()
			defer mu.Unlock()
			now += memory
			most = max(most, now)
		}
		release := make(chan struct{})
		p.work = func(h hash.Hash, _ []byte) bool {
			add(h.Price().Memory)
			<-release
			add(-h.Price().Memory)
			return false
		}
		for range 6 {
			go p.Verify(t.Context(), argonOf(64<<10, 1), "x")
			go p.Verify(t.Context(), "", "x")
		}
		for range 12 {
			synctest.Wait()
			release <- struct{}{}
		}
		mu.Lock()
		defer mu.Unlock()
		if most > 128<<20 || most == 0 {
			t.Errorf("got %d MiB at once, want at most 128", most>>20)
		}
	})
}

// The queue is bounded by time: who would wait too long is told so at once, everybody else is served.
func TestQueueIsBoundedByTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(Config{Argon2: cheap, Slots: 2, Wait: time.Second})
		p.work = func(hash.Hash, []byte) bool { time.Sleep(25 * time.Millisecond); return false }
		serve := func(n int) (served, busy int, longest time.Duration) {
			results := make(chan time.Duration, n)
			for range n {
				go func() {
					begun := time.Now()
					if _, err := p.Verify(context.Background(), "", "x"); err != nil {
						results <- -1
						return
					}
					results <- time.Since(begun)
				}()
			}
			for range n {
				if d := <-results; d < 0 {
					busy++
				} else {
					served++
					longest = max(longest, d)
				}
			}
			return served, busy, longest
		}
		if served, busy, _ := serve(64); served != 64 || busy != 0 {
			t.Errorf("64 at once: got %d served and %d refused, want all served", served, busy)
		}
		served, busy, longest := serve(400)
		if busy == 0 || served < 70 || longest > 1100*time.Millisecond {
			t.Errorf("400 at once: got %d served in %v at most and %d refused", served, longest, busy)
		}
	})
}

// The work for names that nobody has is drawn from the formats of those who are there, as often as each is,
// and always the same for a name.
func TestDummiesAreDrawn(t *testing.T) {
	p := New(Config{Argon2: cheap, Slots: 1})
	var seen string
	p.work = func(h hash.Hash, _ []byte) bool { seen = h.Kind(); return false }
	draw := func(n uint64) string {
		if _, err := p.VerifyFor(t.Context(), n, "", "x"); err != nil {
			t.Fatal(err)
		}
		return seen
	}
	if got := draw(1 << 60); got != p.dummy.Kind() {
		t.Errorf("without a sample: got %s", got)
	}
	sample := []string{"unreadable", ""}
	for range 30 {
		sample = append(sample, bcryptOf(12), argonOf(19456, 2), argonOf(19456, 2))
	}
	p.Sample(sample)
	counts := map[string]int{}
	const names = 3000
	for i := range uint64(names) {
		n := i * (^uint64(0) / names)
		drawn := draw(n)
		counts[drawn]++
		if draw(n) != drawn {
			t.Fatal("a name draws now one and now another")
		}
	}
	for kind, want := range map[string]int{"bcrypt cost 12": names / 3, "argon2id 19456 2 1": 2 * names / 3} {
		if got := counts[kind]; got < want-2 || got > want+2 {
			t.Errorf("%s: got %d of %d, want %d; all: %v", kind, got, names, want, counts)
		}
	}
	if !p.Sampled(bcryptOf(12)) || p.Sampled(bcryptOf(11)) || !p.Sampled("unreadable") {
		t.Error("Sampled is wrong")
	}
	// A dummy is a hash that can be read, of the same costs.
	for _, encoded := range []string{bcryptOf(4), argonOf(64, 1)} {
		h, err := hash.Parse(encoded)
		if err != nil {
			t.Fatal(err)
		}
		if d := h.Dummy(); d.Verify([]byte("x")) || d.Kind() != h.Kind() {
			t.Errorf("dummy of %s: %s", h.Kind(), d.Kind())
		}
	}
}

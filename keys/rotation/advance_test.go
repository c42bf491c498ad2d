package rotation

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signet/keys/timetable"
)

// drawTimetable draws one that satisfies the inequalities, often tightly.
func drawTimetable(t *rapid.T) timetable.Timetable {
	d := func(name string, from, to time.Duration) time.Duration {
		return time.Duration(rapid.Int64Range(int64(from), int64(to)).Draw(t, name)).Truncate(time.Second)
	}
	tt := timetable.Timetable{
		Cache:        d("J", 0, 2*time.Hour),
		CDN:          d("C", 0, 2*time.Hour),
		Skew:         d("S", 0, 2*time.Minute),
		MaxTokenLife: d("T", time.Minute, 2*time.Hour),
		Leeway:       d("L", 0, 10*time.Minute),
		SignStale:    d("X", time.Minute, time.Hour),
	}
	tt.ServeStale = tt.SignStale + d("D", time.Second, 6*time.Hour)
	tt.Publish = tt.ServeStale + tt.CDN + tt.Cache + tt.Skew + d("P", 0, 12*time.Hour)
	tt.Active = d("K", time.Minute, 10*24*time.Hour)
	tt.Retain = tt.SignStale + tt.Skew + tt.MaxTokenLife + tt.Leeway + d("V", 0, 5*24*time.Hour)
	return tt
}

// observer looks at a keyring through time and checks what must hold at every moment.
type observer struct {
	tt         timetable.Timetable
	began      time.Time
	published  map[string]time.Time // first seen published
	lastActive map[string]time.Time
}

func newObserver(tt timetable.Timetable, began time.Time) *observer {
	return &observer{tt, began, map[string]time.Time{}, map[string]time.Time{}}
}

func (w *observer) look(t *rapid.T, r Keyring, algs []string, now time.Time) {
	l := r.At(now)
	count := map[string]int{}
	for _, k := range l.Published {
		count[k.Alg]++
		if _, ok := w.published[k.KID]; !ok {
			w.published[k.KID] = now
		}
	}
	for alg, n := range count {
		if n > maxPublished {
			t.Fatalf("%v: %d keys of %s are published", now, n, alg)
		}
	}
	for _, alg := range algs {
		active := activeOf(r, alg, now)
		if len(active) != 1 {
			t.Fatalf("%v: %s has %d active keys: %+v", now, alg, len(active), r)
		}
		k := active[0]
		w.lastActive[k.KID] = now
		since, ok := w.published[k.KID]
		if !ok {
			t.Fatalf("%v: %s signs unpublished", now, k.KID)
		}
		if !since.Equal(w.began) && now.Sub(since) < w.tt.Publish {
			t.Fatalf("%v: %s signs, published only since %v", now, k.KID, since)
		}
	}
	for kid, last := range w.lastActive {
		if now.Sub(last) < w.tt.Retain && !slices.ContainsFunc(l.Published, func(k Key) bool { return k.KID == kid }) {
			t.Fatalf("%v: %s signed at %v and is gone already", now, kid, last)
		}
	}
}

// instants returns the moments between from and to that matter: those where the keyring changes, and
// just before.
func instants(r Keyring, from, to time.Time) []time.Time {
	at := []time.Time{from, to}
	for _, k := range r.Keys {
		for _, c := range k.changes() {
			if c.After(from) && c.Before(to) {
				at = append(at, c.Add(-time.Nanosecond), c)
			}
		}
	}
	slices.SortFunc(at, time.Time.Compare)
	return at
}

func TestAdvanceProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tt := drawTimetable(t)
		if err := tt.Validate(); err != nil {
			t.Fatalf("the drawn timetable: %v", err)
		}
		algs := algorithms[:rapid.IntRange(1, 3).Draw(t, "algorithms")]
		fresh, now := fakeKeys(), testStart
		r, _, err := First(tt, algs, now, fresh)
		if err != nil {
			t.Fatal(err)
		}
		w := newObserver(tt, now)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			pause := rapid.OneOf(
				rapid.Int64Range(0, int64(time.Minute)),
				rapid.Int64Range(0, int64(tt.Publish)),
				rapid.Int64Range(0, int64(3*tt.Active+tt.Retain)),
			).Draw(t, "pause")
			next := now.Add(time.Duration(pause))
			for _, at := range instants(r, now, next) {
				w.look(t, r, algs, at)
			}
			now = next
			r = checkedAdvance(t, r, tt, algs, now, fresh)
			if rapid.IntRange(0, 4).Draw(t, "rotate") == 0 {
				p := NewDraft(r, tt, now, fresh)
				if _, err := p.ActivateEarly(algs[0]); err != nil {
					t.Fatal(err)
				}
				r = p.Keyring
			}
		}
	})
}

// checkedAdvance advances, and checks that every change has its transition and that twice is once.
func checkedAdvance(t *rapid.T, r Keyring, tt timetable.Timetable, algs []string, now time.Time, fresh *Fresh) Keyring {
	before := fmt.Sprint(r)
	next, steps, err := Advance(r, tt, algs, now, fresh)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(r) != before {
		t.Fatalf("Advance changed its argument")
	}
	if changed := !reflect.DeepEqual(r, next); changed != (len(steps) > 0) {
		t.Fatalf("changed: %v, steps: %v\nbefore %+v\nafter  %+v", changed, steps, r, next)
	}
	again, steps, err := Advance(next, tt, algs, now, fresh)
	if err != nil || len(steps) > 0 || !reflect.DeepEqual(next, again) {
		t.Fatalf("a second Advance did something: %v, %v", steps, err)
	}
	for _, alg := range algs {
		if p := NewDraft(next, tt, now, fresh); p.find(alg, Pending) == nil {
			t.Fatalf("%s has no successor after Advance", alg)
		}
	}
	return next
}

// The first key signs and is published by the clock of every replica, also of the slowest.
func TestFirstKeySignsAtOnceEverywhere(t *testing.T) {
	tt := timetable.Default()
	r, _, err := First(tt, []string{es256}, testStart, fakeKeys())
	if err != nil {
		t.Fatal(err)
	}
	if l := r.At(testStart.Add(-tt.Skew)); len(l.Active) != 1 || len(l.Published) != 2 {
		t.Errorf("by a clock that is slow by S: %d active and %d published keys, want one and its successor", len(l.Active), len(l.Published))
	}
}

// A rotation by hand ends a key earlier than in the plan of a replica that is cut off, which signs on for
// SignStale by a clock that may be fast. The replica that rotates may have a slow clock, and the one that removes the key a fast one.
func TestKeyWhoseEndWasBroughtForwardStaysLonger(t *testing.T) {
	tt, fresh := timetable.Default(), fakeKeys()
	r, _, _ := First(tt, []string{es256}, testStart, fresh)
	p := NewDraft(r, tt, testStart.Add(tt.Publish*2), fresh)
	if _, err := p.ActivateEarly(es256); err != nil {
		t.Fatal(err)
	}
	active := p.find(es256, Active)
	if got, want := active.RemoveAt.Sub(active.RetireAt), tt.Retain+tt.Skew; got != want {
		t.Errorf("it stays for %v, want %v", got, want)
	}
}

// Where V is long against P and K, or an operator rotates without pause, successors wait for room.
func TestKeySetStaysSmall(t *testing.T) {
	tt, fresh := timetable.Default(), fakeKeys()
	tt.Active, tt.Retain = time.Hour, 10*tt.Publish
	now := testStart
	r, _, _ := First(tt, []string{es256}, now, fresh)
	most := 0
	for range 40 * 24 * 6 {
		now = now.Add(10 * time.Minute)
		p := NewDraft(r, tt, now, fresh)
		if err := p.Advance([]string{es256}); err != nil {
			t.Fatal(err)
		}
		if _, err := p.ActivateEarly(es256); err != nil {
			t.Fatal(err)
		}
		r = p.Keyring
		most = max(most, len(r.At(now).Published))
	}
	if most != maxPublished {
		t.Errorf("at most %d keys were published at a time, want %d", most, maxPublished)
	}
}

func TestAddedAlgorithmIsPublishedFirst(t *testing.T) {
	tt, fresh := timetable.Default(), fakeKeys()
	r, _, _ := First(tt, []string{es256}, testStart, fresh)
	now := testStart.Add(time.Hour)
	r, _, err := Advance(r, tt, []string{rs256, es256}, now, fresh)
	if err != nil {
		t.Fatal(err)
	}
	live := now.Add(tt.Notice() + tt.Publish)
	for _, tc := range []struct {
		at   time.Time
		want int
	}{{now, 0}, {live.Add(-1), 0}, {live, 1}} {
		if got := len(activeOf(r, rs256, tc.at)); got != tc.want {
			t.Errorf("%v after it was added: %d active keys, want %d", tc.at.Sub(now), got, tc.want)
		}
	}
}

// ES256 is replaced by RS256: it signs until RS256 does, and is gone some time after.
func TestReplacedAlgorithm(t *testing.T) {
	tt, fresh := timetable.Default(), fakeKeys()
	r, _, _ := First(tt, []string{es256}, testStart, fresh)
	gone := time.Time{}
	for now := testStart; now.Before(testStart.Add(10 * 24 * time.Hour)); now = now.Add(time.Minute) {
		var err error
		if r, _, err = Advance(r, tt, []string{rs256}, now, fresh); err != nil {
			t.Fatal(err)
		}
		l := r.At(now)
		if len(l.Active) == 0 {
			t.Fatalf("after %v nothing signs", now.Sub(testStart))
		}
		if gone.IsZero() && !slices.ContainsFunc(r.Keys, func(k Key) bool { return k.Alg == es256 }) {
			gone = now
		}
	}
	if got := gone.Sub(testStart); gone.IsZero() || got > 4*24*time.Hour || got < 2*tt.Publish+tt.Retain {
		t.Errorf("ES256 was gone after %v, want two times P and V, and little more", got)
	}
	if len(r.Leaving) != 0 {
		t.Errorf("still leaving: %v", r.Leaving)
	}
}

// While two configurations are in use the replicas must neither end the algorithm nor write all the time.
func TestContestedAlgorithmStays(t *testing.T) {
	tt, fresh := timetable.Default(), fakeKeys()
	both := []string{es256, rs256}
	now := testStart
	r, _, _ := First(tt, both, now, fresh)
	writes := 0
	for range 5 * 24 * 60 {
		now = now.Add(time.Minute)
		for _, algs := range [][]string{{es256}, both} {
			next, steps, err := Advance(r, tt, algs, now, fresh)
			if err != nil {
				t.Fatal(err)
			}
			if r = next; len(steps) > 0 {
				writes++
			}
			if len(activeOf(r, rs256, now)) != 1 {
				t.Fatalf("RS256 does not sign after %v", now.Sub(testStart))
			}
		}
	}
	if writes > 2*6 {
		t.Errorf("%d writes in five days, want two a day", writes)
	}
}

// Replicas with different timetables settle on the more careful plan instead of rewriting each other's.
func TestDifferingTimetablesSettle(t *testing.T) {
	short, fresh := timetable.Default(), fakeKeys()
	long := short
	long.Publish, long.Retain, long.Active = 60*24*time.Hour, 48*time.Hour, 60*24*time.Hour
	r, _, _ := First(short, []string{es256}, testStart, fresh)
	now := testStart.Add(time.Hour)
	writes := 0
	for range 10 {
		for _, tt := range []timetable.Timetable{long, short} {
			next, steps, err := Advance(r, tt, []string{es256}, now, fresh)
			if err != nil {
				t.Fatal(err)
			}
			if r = next; len(steps) > 0 {
				writes++
			}
		}
	}
	if writes != 1 {
		t.Errorf("%d writes, want 1", writes)
	}
	active, pending := r.Keys[0], r.Keys[1]
	if want := testStart.Add(long.Publish); !pending.ActivateAt.Equal(want) || !active.RetireAt.Equal(want) {
		t.Errorf("the successor activates at %v, want %v", pending.ActivateAt, want)
	}
	if want := active.RetireAt.Add(long.Retain); !active.RemoveAt.Equal(want) {
		t.Errorf("the active key is removed at %v, want %v", active.RemoveAt, want)
	}
}

func TestRevokedSignerIsReplacedAtOnce(t *testing.T) {
	tt, fresh := timetable.Default(), fakeKeys()
	r, _, _ := First(tt, []string{es256}, testStart, fresh)
	now := testStart.Add(time.Hour)
	r.Keys[0].RevokedAt = now
	if got := r.Keys[0].State(now); got != Revoked {
		t.Fatalf("state: got %s, want revoked", got)
	}
	for range 2 { // promote, then plan the next
		var err error
		if r, _, err = Advance(r, tt, []string{es256}, now, fresh); err != nil {
			t.Fatal(err)
		}
	}
	active := activeOf(r, es256, now)
	if len(active) != 1 || active[0].KID != r.Keys[1].KID {
		t.Fatalf("active: got %v, want the successor", active)
	}
	for _, k := range r.At(now).Published {
		if k.KID == r.Keys[0].KID {
			t.Error("the revoked key is still published")
		}
	}
	now = now.Add(tt.Retain)
	r, _, _ = Advance(r, tt, []string{es256}, now, fresh)
	if len(r.Tombstones) != 1 || !r.Tombstones[0].Revoked {
		t.Errorf("tombstones: got %v, want one that says revoked", r.Tombstones)
	}
}

func TestKIDIsNeverUsedTwice(t *testing.T) {
	tt, fresh := timetable.Default(), fakeKeys()
	r, _, _ := First(tt, []string{es256}, testStart, fresh)
	first := r.Keys[0].KID
	now := testStart
	for range 4 {
		now = now.Add(tt.Active)
		r, _, _ = Advance(r, tt, []string{es256}, now, fresh)
	}
	if !slices.ContainsFunc(r.Tombstones, func(s Tombstone) bool { return s.KID == first }) {
		t.Fatalf("no tombstone for %s in %v", first, r.Tombstones)
	}
	again := &Fresh{Made: map[string][]string{es256: {first}}}
	if got, _, err := Advance(r, tt, []string{es256}, now.Add(tt.Active), again); err == nil || !reflect.DeepEqual(got, r) {
		t.Error("a kid came back from the dead")
	}
}

// TestNeeds: what is missing is known after a draft, and the draft with these keys needs no more.
func TestNeeds(t *testing.T) {
	tt := timetable.Default()
	fresh := &Fresh{}
	if _, _, err := First(tt, []string{es256, edDSA}, testStart, fresh); err != nil {
		t.Fatal(err)
	}
	if want := []string{es256, edDSA, es256, edDSA}; !slices.Equal(fresh.Needs(), want) {
		t.Errorf("needs: got %v, want %v", fresh.Needs(), want)
	}
	fresh = &Fresh{Made: map[string][]string{es256: {"one", "two"}, edDSA: {"three", "four"}}}
	r, _, err := First(tt, []string{es256, edDSA}, testStart, fresh)
	if err != nil || len(fresh.Needs()) != 0 || len(r.Keys) != 4 || !r.Has("one") || !r.Has("four") {
		t.Errorf("with keys: got %+v, %v, needs %v", r.Keys, err, fresh.Needs())
	}
	failing := &Fresh{Failed: map[string]bool{es256: true}}
	later, _, err := Advance(r, tt, []string{es256, edDSA}, testStart.Add(tt.Active), failing)
	if err != nil || !slices.Equal(failing.Needs(), []string{edDSA}) {
		t.Errorf("where no key can be made: got %v, needs %v", err, failing.Needs())
	}
	if active := activeOf(later, es256, testStart.Add(10*tt.Active)); len(active) != 1 || !active[0].RetireAt.IsZero() {
		t.Errorf("where no key can be made: got %+v, want one that signs on", active)
	}
}

// A replica that was cut off follows the plan it has read, for SignStale. So a successor that is about to
// activate is not taken out of the key set when its algorithm ends.
func TestEndingAlgorithmKeepsWhatMaySoonSign(t *testing.T) {
	tt, fresh := timetable.Default(), fakeKeys()
	for _, tc := range []struct {
		name  string
		until time.Duration // from the end of the algorithm to the activation
		stays bool
	}{
		{"soon", tt.SignStale + tt.Skew, true},
		{"later", tt.SignStale + tt.Skew + tt.Notice(), false},
	} {
		r, _, _ := First(tt, []string{rs256, es256}, testStart, fresh)
		successor := r.Keys[slices.IndexFunc(r.Keys, func(k Key) bool { return k.Alg == rs256 && k.State(testStart) == Pending })]
		end := successor.ActivateAt.Add(-tc.until)
		r.Leaving = []Leaving{{Alg: rs256, At: end}}
		r, _, err := Advance(r, tt, []string{es256}, end, fresh)
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.ContainsFunc(r.Keys, func(k Key) bool { return k.KID == successor.KID }); got != tc.stays {
			t.Errorf("%s: the successor stays: got %v, want %v", tc.name, got, tc.stays)
		}
	}
}

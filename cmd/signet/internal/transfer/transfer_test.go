package transfer

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/install/installtest"
	"signet/store"
	"signet/store/bolt"
	"signet/store/redis/redistest"
)

// sessionsOf is n sessions, ten a user.
func sessionsOf(n int) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
		for i := range n {
			user := store.UserID{byte(i / 10 >> 16), byte(i / 10 >> 8), byte(i / 10), 1}
			if i%10 == 0 {
				u := store.User{ID: user, Username: fmt.Sprintf("user%d", i/10), PasswordHash: "$argon2id$" + strings.Repeat("x", 80), CreatedAt: now, UpdatedAt: now}
				if !yield(store.Record{User: &u}, nil) {
					return
				}
			}
			s := store.Session{ID: store.SessionID{byte(i * 7), byte(i), byte(i >> 8), byte(i >> 16), 1}, UserID: user, ClientID: "web", Generation: uint32(i), StartedAt: now, RotatedAt: now}
			if !yield(store.Record{Session: &s}, nil) {
				return
			}
		}
	}
}

// TestMoveAMillionSessions holds a few of them in memory at a time. A million is for SIGNET_SOAK: half of
// them in half of the memory shows the same.
func TestMoveAMillionSessions(t *testing.T) {
	n := 500_000
	if os.Getenv("SIGNET_SOAK") != "" {
		n = 1_000_000
	}
	if testing.Short() {
		n = 20_000 // shows that the records are the same, and little of the memory
	}
	if raceEnabled() {
		n = 50_000 // looks for races, not for memory, and takes ten times as long
	}
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	phase := func(what string, work func()) {
		t.Helper()
		before, began := liveHeap(), time.Now()
		peak := watchHeap(work)
		t.Logf("%s: %d sessions in %v, heap %d MiB above %d MiB", what, n, time.Since(began).Round(time.Millisecond), (peak-min(peak, before))>>20, before>>20)
		if limit := before + 32<<20; peak > limit {
			t.Errorf("%s: the heap grew to %d MiB, want at most %d", what, peak>>20, limit>>20)
		}
	}
	phase("making", func() {
		if err := bolt.Import(t.Context(), in("old.db"), installtest.Seals, installtest.Manifest(), sessionsOf(n)); err != nil {
			t.Fatal(err)
		}
	})
	phase("export", func() { runHere(t, "export", "--store", "bolt:"+in("old.db"), in("old.ndjson")) })
	phase("import", func() { runHere(t, "import", "--store", "bolt:"+in("new.db"), in("old.ndjson")) })
	phase("export again", func() { runHere(t, "export", "--store", "bolt:"+in("new.db"), in("new.ndjson")) })
	if err := sameRecords(in("old.ndjson"), in("new.ndjson")); err != nil {
		t.Error(err)
	}
}

// dropLoss takes the loss out of an export: the first look at the masters of Redis counts as one.
func dropLoss(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	i := bytes.LastIndex(data, []byte("\n{\"loss\":"))
	if i < 0 {
		t.Fatal("there is no loss")
	}
	end := i + 1 + bytes.IndexByte(data[i+1:], '\n')
	if err := os.WriteFile(path, append(data[:i:i], data[end:]...), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestMoveThroughRedis: a million sessions would take a minute more and show nothing else.
func TestMoveThroughRedis(t *testing.T) {
	n := 100_000
	if raceEnabled() {
		n = 10_000
	}
	server := redistest.Start(t, redistest.Config{})
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := bolt.Import(t.Context(), in("old.db"), installtest.Seals, installtest.Manifest(), sessionsOf(n)); err != nil {
		t.Fatal(err)
	}
	before := liveHeap()
	peak := watchHeap(func() {
		runHere(t, "export", "--store", "bolt:"+in("old.db"), in("old.ndjson"))
		runHere(t, "import", "--store", "redis://"+server.Addr(), in("old.ndjson"))
		runHere(t, "export", "--store", "redis://"+server.Addr(), in("redis.ndjson"))
		runHere(t, "import", "--store", "bolt:"+in("new.db"), in("redis.ndjson"))
		runHere(t, "export", "--store", "bolt:"+in("new.db"), in("new.ndjson"))
	})
	dropLoss(t, in("new.ndjson"))
	t.Logf("%d sessions, heap %d MiB above %d MiB", n, (peak-min(peak, before))>>20, before>>20)
	if limit := before + 64<<20; peak > limit {
		t.Errorf("the heap grew to %d MiB, want at most %d", peak>>20, limit>>20)
	}
	if err := sameRecords(in("old.ndjson"), in("new.ndjson")); err != nil {
		t.Error(err)
	}
}

// raceEnabled: the race detector makes everything several times slower.
func raceEnabled() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// runHere runs export or import in this process.
func runHere(t *testing.T, args ...string) {
	t.Helper()
	var errs bytes.Buffer
	app := &cli.App{In: strings.NewReader(""), Out: io.Discard, Err: &errs, Environ: installtest.Environ}
	cmd := NewExport(app)
	if args[0] == "import" {
		cmd = NewImport(app)
	}
	cmd.SetArgs(args[1:])
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatalf("signet %v: %v\n%s", args, err, &errs)
	}
}

func liveHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// watchHeap returns the most that was live while work ran, looking again and again.
func watchHeap(work func()) (peak uint64) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for every := time.NewTicker(100 * time.Millisecond); ; {
			peak = max(peak, liveHeap())
			select {
			case <-every.C:
			case <-ctx.Done():
				every.Stop()
				return
			}
		}
	}()
	func() {
		defer func() { stop(); <-done }() // also when work ends the test
		work()
	}()
	return peak
}

// sameRecords compares two archives without their headers, which have when they were made, and
// without their trailers, which have the digest of that.
func sameRecords(one, other string) error {
	a, err := os.ReadFile(one)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(other)
	if err != nil {
		return err
	}
	body := func(data []byte) []byte {
		_, rest, _ := bytes.Cut(data, []byte("\n"))
		return rest[:bytes.LastIndexByte(bytes.TrimSuffix(rest, []byte("\n")), '\n')]
	}
	if !bytes.Equal(body(a), body(b)) {
		x, y := bytes.Split(body(a), []byte("\n")), bytes.Split(body(b), []byte("\n"))
		for i := range min(len(x), len(y)) {
			if !bytes.Equal(x[i], y[i]) {
				return fmt.Errorf("%s and %s do not hold the same records: line %d is %s and %s", one, other, i+2, x[i], y[i])
			}
		}
		return fmt.Errorf("%s has %d records, %s has %d, the last of them %s", one, len(x), other, len(y), y[len(y)-1])
	}
	return nil
}

package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"signet/store"
	"signet/store/bolt/layout"
	"signet/store/bolt/upkeep"
)

// openVerified opens the file and waits for the end of its check.
func openVerified(t *testing.T, path string) (s *Store, log *safeBuffer, err error) {
	t.Helper()
	log = &safeBuffer{}
	if s, err = Open(path, Options{Log: slog.New(slog.NewTextHandler(log, nil))}); err != nil {
		return nil, log, err
	}
	t.Cleanup(func() { s.Close() })
	s.Verify()
	waitFor(t, "the end of the check", func() bool { return s.Stats().Verified })
	return s, log, nil
}

type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func TestVerifyGoodFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "signet.db")
	must(t, os.WriteFile(path, filled(t), 0o600))
	s, log, err := openVerified(t, path)
	must(t, err)
	must(t, s.Ping(t.Context()))
	if s.Stats().Damaged || strings.Contains(log.String(), "ERROR") {
		t.Errorf("a good file is called damaged:\n%s", log)
	}
}

// TestVerifyFindsDamage: whatever the check of a closed file finds, a server that runs on the file
// notices too, and is not ready.
func TestVerifyFindsDamage(t *testing.T) {
	if testing.Short() {
		t.Skip("it opens dozens of damaged files; the full suite has it")
	}
	t.Parallel()
	raw := filled(t)
	random := rand.New(rand.NewPCG(3, 4))
	path := filepath.Join(t.TempDir(), "signet.db")
	opened, unready := 0, 0
	for i := range 60 {
		spoilt := bytes.Clone(raw)
		at := random.IntN(len(spoilt))
		for range 1 << random.IntN(8) {
			spoilt[at%len(spoilt)] = byte(random.Uint32())
			at++
		}
		must(t, os.WriteFile(path, spoilt, 0o600))
		found := Check(path, nil)
		s, log, err := openVerified(t, path)
		if err != nil {
			continue
		}
		opened++
		ping := s.Ping(t.Context())
		must(t, s.Close())
		if found == nil {
			if ping != nil {
				t.Errorf("file %d: Check finds nothing, Ping answers %v", i, ping)
			}
			continue
		}
		unready++
		if !errors.Is(ping, store.ErrUnavailable) {
			t.Errorf("file %d: Check finds %v, Ping answers %v", i, found, ping)
		}
		if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
			t.Errorf("file %d: %d errors in the log, want 1:\n%s", i, n, log)
		}
	}
	t.Logf("opened %d of 60, not ready %d", opened, unready)
	if unready < 5 {
		t.Errorf("only %d damaged files opened: the test shows little", unready)
	}
}

// TestVerifyFindsAPageInUseAndFree: the list of free pages names a page of the tree, which the next write
// would overwrite. No record is unreadable yet.
func TestVerifyFindsAPageInUseAndFree(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "signet.db")
	must(t, os.WriteFile(path, filled(t), 0o600))
	s := mustOpen(t, path)
	var list, leaf uint64
	size := uint64(s.db.File.DB.Info().PageSize)
	const head = 16 // bytes before the content of a page
	raw, err := os.Open(path)
	must(t, err)
	defer raw.Close()
	must(t, s.db.View(t.Context(), func(tx *layout.Tx) (err error) {
		for id := 2; leaf == 0; id++ {
			page, err := tx.Tx.Page(id)
			must(t, err)
			if page.Type == "leaf" {
				leaf = uint64(id)
			}
		}
		for page := range uint64(2) { // each commit writes one of the two
			meta := make([]byte, 64)
			_, err = raw.ReadAt(meta, int64(page*size+head))
			if binary.NativeEndian.Uint64(meta[48:]) == uint64(tx.Tx.ID()) {
				list = binary.NativeEndian.Uint64(meta[32:])
			}
		}
		return err
	}))
	must(t, s.Close())
	content, err := os.ReadFile(path)
	must(t, err)
	page := content[list*size:]
	if binary.NativeEndian.Uint16(page[10:]) == 0 {
		t.Fatal("the file has no free page")
	}
	binary.NativeEndian.PutUint64(page[head:], leaf)
	must(t, os.WriteFile(path, content, 0o600))
	s, log, err := openVerified(t, path)
	must(t, err)
	if err := s.Ping(t.Context()); !errors.Is(err, store.ErrUnavailable) || !strings.Contains(log.String(), fmt.Sprintf("page %d is free and in use", leaf)) {
		t.Errorf("got %v and the log\n%s", err, log)
	}
}

// TestVerifyBesideWriters: the check takes snapshots while the file changes and grows. It finds nothing
// wrong in any, and no writer waits for its end.
func TestVerifyBesideWriters(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "signet.db")
	s := mustOpen(t, path)
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	var written atomic.Int64
	for n := range 4 {
		writers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				u := store.User{ID: store.UserID{byte(n), byte(i), byte(i >> 8)}, Username: fmt.Sprintf("user-%d-%d", n, i), PasswordHash: strings.Repeat("h", i%3000)}
				if err := s.CreateUser(ctx, u); err == nil && i%3 == 0 {
					s.DeleteUser(ctx, u.ID)
				}
				written.Add(1)
			}
		})
	}
	for written.Load() < 200 {
		v := upkeep.Verifier{DB: s.db}
		v.Verify()
		waitFor(t, "the end of a check", v.Verified)
		must(t, s.db.Damage())
	}
	stop()
	writers.Wait()
}

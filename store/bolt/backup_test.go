package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/store"
	"signet/store/bolt/layout"
)

// TestBackup takes a copy while eight writers go on, and opens it.
func TestBackup(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	ctx := context.Background()
	for i := range 50 {
		must(t, s.CreateClient(ctx, store.Client{ID: fmt.Sprint("before", i)}))
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				// One step makes two records, so that a copy of half a step would show.
				u := store.User{ID: store.UserID{1, byte(g), byte(i), byte(i >> 8)}, Username: fmt.Sprint(g, "-", i)}
				if err := s.CreateUser(ctx, u); err != nil {
					t.Errorf("CreateUser: %v", err)
					return
				}
			}
		})
	}
	for range 5 {
		var copied bytes.Buffer
		n, err := s.Backup(ctx, &copied)
		must(t, err)
		if n != int64(copied.Len()) {
			t.Errorf("Backup returned %d bytes and wrote %d", n, copied.Len())
		}
		path := filepath.Join(t.TempDir(), "copy.db")
		must(t, os.WriteFile(path, copied.Bytes(), 0o600))
		must(t, Check(path, nil))
		restored, err := Open(path, Options{})
		must(t, err)
		list, err := restored.ListClients(ctx, "before", 1000)
		must(t, err)
		if len(list) != 50 {
			t.Errorf("the copy has %d clients, want 50", len(list))
		}
		must(t, restored.Close())
	}
	close(stop)
	wg.Wait()
}

type slowWriter struct{ begun, carryOn chan struct{} }

func (w *slowWriter) Write(p []byte) (int, error) {
	select {
	case w.begun <- struct{}{}:
		<-w.carryOn
	default:
	}
	return len(p), nil
}

// TestBackupEnds: a slow backup holds up no write, and ends when its caller or the store does.
func TestBackupEnds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		end  func(s *Store, cancel func())
	}{
		{"cancelled", func(_ *Store, cancel func()) { cancel() }},
		{"closed", func(s *Store, _ func()) { go s.Close() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := testStore(t)
			must(t, s.CreateUser(t.Context(), store.User{ID: store.UserID{1}, Username: "large", PasswordHash: strings.Repeat("h", 200_000)})) // more than one write
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			w := &slowWriter{make(chan struct{}, 1), make(chan struct{})} // room for one: the backup may write before it is read
			result := make(chan error)
			go func() {
				_, err := s.Backup(ctx, w)
				result <- err
			}()
			<-w.begun
			big := make([]byte, 3<<20) // the file has to grow
			_, err := s.SwapKeyring(context.Background(), 0, 1, big)
			must(t, err)
			c.end(s, cancel)
			if c.name == "closed" {
				waitFor(t, "Close", func() bool { return s.db.Usable(t.Context()) != nil })
			}
			close(w.carryOn)
			select {
			case err := <-result:
				if !errors.Is(err, store.ErrUnavailable) {
					t.Errorf("got %v, want ErrUnavailable", err)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("the backup goes on")
			}
		})
	}
}

// TestBackupAfterFlush: the copy has what is otherwise written behind, and the time when it was made.
func TestBackupAfterFlush(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	ctx := context.Background()
	if at, err := s.CopiedAt(ctx); err != nil || !at.IsZero() {
		t.Errorf("before any backup: got %v, %v, want no time", at, err)
	}
	must(t, s.AppendEvents(ctx, []store.Event{{Type: "login"}, {Type: "backup"}}))
	_, err := s.Count(ctx, moveDay, store.Scope{Limits: []store.Limit{{Key: "x", Free: 1, Window: time.Minute}}})
	must(t, err)
	must(t, s.Flush(ctx, moveDay))
	var copied bytes.Buffer
	_, err = s.Backup(ctx, &copied)
	must(t, err)
	path := filepath.Join(t.TempDir(), "copy.db")
	must(t, os.WriteFile(path, copied.Bytes(), 0o600))
	restored := mustOpen(t, path)
	defer restored.Close()
	if a, c := written(t, restored, layout.Audit), written(t, restored, layout.Throttle); a != 2 || c != 1 {
		t.Errorf("the copy has %d events and %d counts, want 2 and one", a, c)
	}
	if at, err := restored.CopiedAt(ctx); err != nil || !at.Equal(moveDay) {
		t.Errorf("made at: got %v, %v, want %v", at, err, moveDay)
	}
}

// TestFlushThatFails: its caller gets the error, and nothing is lost.
func TestFlushThatFails(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	ctx := context.Background()
	clear := s.injectFault(0)
	must(t, s.AppendEvents(ctx, []store.Event{{Type: "login"}}))
	if err := s.Flush(ctx, moveDay); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	clear()
	must(t, s.Flush(ctx, moveDay))
	if n := written(t, s, layout.Audit); n != 1 {
		t.Errorf("got %d events, want the one", n)
	}
}

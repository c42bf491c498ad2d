package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"signet/store"
)

// Some tests need a second process: this test binary again, with a job named in the environment.
const childJob = "SIGNET_BOLT_CHILD"

func TestMain(m *testing.M) {
	if job := os.Getenv(childJob); job != "" {
		name, path, _ := strings.Cut(job, " ")
		if err := childJobs[name](path); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var childJobs = map[string]func(path string) error{
	"open":  childOpen,
	"limit": childLimit,
	"write": childWrite,
	"event": childEvent,
}

func child(t *testing.T, job, path string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childJob+"="+job+" "+path)
	return cmd
}

// childOpen prints how Open failed.
func childOpen(path string) error {
	s, err := Open(path, Options{Create: true})
	if err != nil {
		if errors.Is(err, store.ErrLocked) {
			fmt.Print("ErrLocked: ")
		}
		return err
	}
	return s.Close()
}

// childLimit fills the store under a file size limit, and reports whatever is not as it should be.
func childLimit(path string) error {
	ctx := context.Background()
	signal.Ignore(syscall.SIGXFSZ)
	var later atomic.Int64 // seconds
	s, err := Open(path, Options{Create: true, Now: func() time.Time { return time.Now().Add(time.Duration(later.Load()) * time.Second) }})
	if err != nil {
		return err
	}
	u := store.User{ID: store.UserID{1}, Username: "ada"}
	if err := s.CreateUser(ctx, u); err != nil {
		return err
	}
	if err := limitFileSize(3 << 20); err != nil {
		return err
	}
	full, n := error(nil), 0
	for ; full == nil && n < 10_000; n++ {
		full = s.CreateClient(ctx, store.Client{ID: fmt.Sprint(n), Scopes: []string{strings.Repeat("x", 4000)}})
	}
	fmt.Printf("after %d clients: %v\n", n-1, full)
	if !errors.Is(full, store.ErrUnavailable) || !strings.Contains(full.Error(), "file too large") {
		return fmt.Errorf("at the limit: got %w, want ErrUnavailable for a file that is too large", full)
	}
	if err := s.Ping(ctx); !errors.Is(err, store.ErrUnavailable) {
		return fmt.Errorf("Ping at the limit: got %w, want ErrUnavailable", err)
	}
	later.Add(1)
	_ = s.Ping(ctx) // a small write may go through or not; a big one must not
	if _, err := s.User(ctx, u.ID); err != nil {
		return fmt.Errorf("reading at the limit: %w", err)
	}
	if err := s.CreateClient(ctx, store.Client{ID: "big", Scopes: []string{strings.Repeat("x", 4<<20)}}); !errors.Is(err, store.ErrUnavailable) {
		return fmt.Errorf("a second write at the limit: got %w, want ErrUnavailable", err)
	}
	if err := limitFileSize(64 << 20); err != nil {
		return err
	}
	later.Add(1)
	if err := s.Ping(ctx); err != nil {
		return fmt.Errorf("Ping with space again: %w", err)
	}
	if err := s.CreateClient(ctx, store.Client{ID: "late"}); err != nil {
		return fmt.Errorf("writing with space again: %w", err)
	}
	list, err := s.ListClients(ctx, "", 100_000)
	if err != nil || len(list) != n { // one failed, one came late
		return fmt.Errorf("got %d clients and %w, want %d", len(list), err, n)
	}
	return errors.Join(s.Close(), Check(path, nil))
}

func limitFileSize(bytes uint64) error {
	return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: 1 << 40})
}

// childWrite creates users, each with a session and a used assertion of the same id, from eight
// goroutines, for ever, and prints each that was acknowledged.
func childWrite(path string) error {
	s, err := Open(path, Options{Create: true})
	if err != nil {
		return err
	}
	lines := make(chan string)
	for g := range 8 {
		go func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("%d-%d-%d", os.Getpid(), g, i)
				id := store.UserID([]byte(fmt.Sprintf("%016x", time.Now().UnixNano()))[:16])
				id[0], id[1] = byte(g), byte(i)
				u := store.User{ID: id, Username: name}
				if err := s.CreateUser(context.Background(), u); err != nil {
					lines <- "error " + err.Error()
					return
				}
				started := store.Session{ID: store.SessionID(id), UserID: id, ClientID: "app", StartedAt: time.Now()}
				if _, _, err := s.StartSession(context.Background(), started, store.SessionLimits{PerUser: 9}); err != nil {
					lines <- "error " + err.Error()
					return
				}
				if err := s.UseAssertion(context.Background(), store.AssertionID(id), time.Now().Add(time.Hour)); err != nil {
					lines <- "error " + err.Error()
					return
				}
				lines <- name
			}
		}()
	}
	for line := range lines {
		if _, err := os.Stdout.WriteString(line + "\n"); err != nil {
			return err
		}
	}
	return nil
}

// childEvent makes changes that have events and is killed by itself before any event is appended.
func childEvent(path string) error {
	ctx := context.Background()
	s, err := Open(path, Options{Create: true})
	if err != nil {
		return err
	}
	u := store.User{ID: store.UserID{1}, Username: "ada"}
	created := store.Event{Type: store.EventUserCreate, Outcome: store.OutcomeOK, RequestID: "create"}
	if err := s.CreateUser(store.WithEvent(ctx, &created), u); err != nil {
		return err
	}
	session := store.Session{ID: store.SessionID{1}, UserID: u.ID, ClientID: "app", StartedAt: time.Now()}
	login := store.Event{Type: store.EventLogin, Outcome: store.OutcomeOK, RequestID: "login"}
	if _, _, err := s.StartSession(store.WithEvent(ctx, &login), session, store.SessionLimits{PerUser: 9}); err != nil {
		return err
	}
	_, err = s.UpdateUser(ctx, u.ID, func(u *store.User) error { u.Disabled = true; return nil })
	if err != nil {
		return err
	}
	hour := store.Lifetimes{Idle: time.Hour, Absolute: time.Hour}
	if _, _, _, err := s.Rotate(ctx, store.Rotation{UserID: u.ID, SessionID: session.ID, ClientID: "app", Now: time.Now(), Lifetimes: hour, RequestID: "refresh"}); err != nil {
		return err
	}
	return syscall.Kill(os.Getpid(), syscall.SIGKILL)
}

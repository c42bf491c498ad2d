package bolt

import (
	"bufio"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/store"
	"signet/store/bolt/layout"
)

func TestFullDisk(t *testing.T) {
	t.Parallel()
	out, err := child(t, "limit", filepath.Join(t.TempDir(), "signet.db")).CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("child: %v", err)
	}
	if !strings.Contains(string(out), "file too large") {
		t.Errorf("the limit was not met")
	}
}

func TestSecondProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "signet.db")
	mustOpen(t, path)
	begin := time.Now()
	out, err := child(t, "open", path).CombinedOutput()
	if err == nil || !strings.HasPrefix(string(out), "ErrLocked: ") || !strings.Contains(string(out), path) {
		t.Errorf("second process: got %v and %q, want ErrLocked with the path", err, out)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("the second process took %v to give up", took)
	}
}

// TestKill9 kills a writing process again and again; whatever it had acknowledged must be there.
func TestKill9(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "signet.db")
	var acknowledged []string
	rounds := 20
	if testing.Short() {
		rounds = 3
	}
	for round := range rounds {
		acknowledged = append(acknowledged, writeAndKill(t, path, 5+7*round)...)
		s, err := Open(path, Options{})
		if err != nil {
			t.Fatalf("round %d: Open after kill -9: %v", round, err)
		}
		for _, name := range acknowledged {
			checkAcknowledged(t, s, name)
		}
		s.Close()
		if err := Check(path, nil); err != nil {
			t.Fatalf("round %d: Check after kill -9: %v", round, err)
		}
	}
	t.Logf("%d acknowledged", len(acknowledged))
}

// writeAndKill lets a child acknowledge some writes and kills it in the middle of the next.
func writeAndKill(t *testing.T, path string, writes int) (acknowledged []string) {
	t.Helper()
	cmd := child(t, "write", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "error") {
			t.Fatalf("child: %s", lines.Text())
		}
		acknowledged = append(acknowledged, lines.Text())
		if len(acknowledged) == writes {
			cmd.Process.Kill()
		}
	}
	cmd.Wait()
	if len(acknowledged) < writes {
		t.Fatalf("the child acknowledged %d writes, want at least %d", len(acknowledged), writes)
	}
	return acknowledged
}

func checkAcknowledged(t *testing.T, s *Store, name string) {
	t.Helper()
	u, err := s.UserByName(context.Background(), name)
	if err != nil {
		t.Fatalf("user %s was acknowledged: %v", name, err)
	}
	list, err := s.ListSessions(context.Background(), u.ID, time.Now(), store.Lifetimes{Idle: time.Hour, Absolute: time.Hour})
	if err != nil || len(list) != 1 {
		t.Fatalf("sessions of %s: got %d and %v, want the acknowledged one", name, len(list), err)
	}
	if err := s.UseAssertion(context.Background(), store.AssertionID(u.ID), time.Now().Add(time.Hour)); !errors.Is(err, store.ErrExists) {
		t.Fatalf("the assertion of %s: got %v, want ErrExists", name, err)
	}
}

// TestKill9BeforeTheRecorder: a process is killed after its changes and before their events are appended. The next
// process has them on the trail, each once.
func TestKill9BeforeTheRecorder(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "signet.db")
	out, err := child(t, "event", path).CombinedOutput()
	if err == nil || len(out) > 0 {
		t.Fatalf("child: %v %s, want it killed", err, out)
	}
	for range 2 { // the second time nothing is in the outbox
		s, err := Open(path, Options{})
		must(t, err)
		events, err := s.Events(t.Context(), store.EventQuery{})
		must(t, err)
		var got []string
		for _, e := range events {
			got = append(got, e.Type+" "+e.Outcome+" "+e.RequestID)
		}
		slices.Sort(got)
		if want := []string{"login ok login", "refresh revoked refresh", "user.create ok create"}; !slices.Equal(got, want) {
			t.Errorf("the trail has %q, want %q", got, want)
		}
		if left := raw(t, s, layout.Outbox); len(left) != 0 {
			t.Errorf("the outbox has %d entries", len(left))
		}
		must(t, s.Close())
		must(t, Check(path, nil))
	}
}

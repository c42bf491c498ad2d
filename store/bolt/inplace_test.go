package bolt

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"signet/store"
)

// A file that is moved away or replaced under a running store makes Ping say so.
func TestPingNoticesAReplacedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "signet.db")
	s, err := Open(path, Options{Create: true})
	must(t, err)
	defer s.Close()
	must(t, s.Ping(context.Background()))
	must(t, os.Rename(path, path+".moved"))
	if err := s.Ping(context.Background()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("moved away: got %v, want ErrUnavailable", err)
	}
	must(t, os.WriteFile(path, []byte("another"), 0o600))
	if err := s.Ping(context.Background()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("replaced: got %v, want ErrUnavailable", err)
	}
	must(t, os.Rename(path+".moved", path))
	if err := s.Ping(context.Background()); err != nil {
		t.Errorf("put back: got %v", err)
	}
}

package bolt

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signet/store"
)

// A file that is moved away or replaced under a running store makes Ping say so.
func TestPingNoticesAReplacedFile(t *testing.T) {
	t.Parallel()
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

// A write to a file that is no longer in its place is refused with the cause, whatever happened to the
// file, and works again once it is back. The log has one line for each change.
func TestWritesNoticeThatTheFileIsGone(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		take, back func(t *testing.T, dir string)
	}{
		"deleted, kept by another name": {
			func(t *testing.T, dir string) {
				must(t, os.Link(filepath.Join(dir, "signet.db"), filepath.Join(dir, "kept")))
				must(t, os.Remove(filepath.Join(dir, "signet.db")))
			},
			func(t *testing.T, dir string) {
				must(t, os.Rename(filepath.Join(dir, "kept"), filepath.Join(dir, "signet.db")))
			},
		},
		"replaced by another store": {
			func(t *testing.T, dir string) {
				mustOpen(t, filepath.Join(dir, "other")).Close()
				must(t, os.Rename(filepath.Join(dir, "signet.db"), filepath.Join(dir, "kept")))
				must(t, os.Rename(filepath.Join(dir, "other"), filepath.Join(dir, "signet.db")))
			},
			func(t *testing.T, dir string) {
				must(t, os.Rename(filepath.Join(dir, "kept"), filepath.Join(dir, "signet.db")))
			},
		},
		"its directory moved": {
			func(t *testing.T, dir string) { must(t, os.Rename(dir, dir+".moved")) },
			func(t *testing.T, dir string) { must(t, os.Rename(dir+".moved", dir)) },
		},
		"its directory replaced by an empty one": {
			func(t *testing.T, dir string) {
				must(t, os.Rename(dir, dir+".moved"))
				must(t, os.Mkdir(dir, 0o700))
			},
			func(t *testing.T, dir string) {
				must(t, os.Remove(dir))
				must(t, os.Rename(dir+".moved", dir))
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			must(t, os.Mkdir(dir, 0o700))
			path := filepath.Join(dir, "signet.db")
			var log bytes.Buffer
			s, err := Open(path, Options{Create: true, Log: slog.New(slog.NewTextHandler(&log, nil))})
			must(t, err)
			t.Cleanup(func() { s.Close() })
			ada := moveUser(1, "ada")
			must(t, s.CreateUser(t.Context(), ada))
			must(t, s.CreateInstall(t.Context(), moveManifest.Install))

			test.take(t, dir)
			for what, write := range everyWrite(t, s, ada.ID) {
				if err := write(); !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), path) {
					t.Errorf("%s: got %v, want ErrUnavailable and the path", what, err)
				}
			}
			if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
				t.Errorf("%d errors in the log, want 1:\n%s", n, log.String())
			}

			test.back(t, dir)
			for what, write := range everyWrite(t, s, ada.ID) {
				if err := write(); err != nil {
					t.Errorf("%s, after it was put back: %v", what, err)
				}
			}
			must(t, s.Ping(t.Context()))
			must(t, s.Close())
			must(t, Check(path, nil))
			if n := strings.Count(log.String(), "\n"); n != 2 {
				t.Errorf("%d lines in the log, want 2:\n%s", n, log.String())
			}
		})
	}
}

// everyWrite is one call of each kind that must not be acknowledged in vain.
func everyWrite(t *testing.T, s *Store, user store.UserID) map[string]func() error {
	return map[string]func() error{
		"login": func() error {
			_, _, err := s.StartSession(t.Context(), moveSession(1, 1), store.SessionLimits{})
			return err
		},
		"sign-out": func() error { _, err := s.RevokeSession(t.Context(), user, store.SessionID{9}); return err },
		"token revocation": func() error {
			return s.RevokeToken(t.Context(), "jti", time.Now().Add(time.Hour))
		},
		"keyring":   func() error { _, err := s.SwapKeyring(t.Context(), 0, 1, []byte("ring")); return err },
		"client":    func() error { return s.CreateClient(t.Context(), store.Client{ID: "web"}) },
		"assertion": func() error { return s.UseAssertion(t.Context(), store.AssertionID{1}, time.Now()) },
		"backup":    func() error { _, err := s.Backup(t.Context(), io.Discard); return err },
	}
}

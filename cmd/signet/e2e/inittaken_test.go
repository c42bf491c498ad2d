package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signet/store/redis/redistest"
)

// TestInitOnTakenRedis: `init` leaves a Redis with an install alone, and its error is about that Redis, not about a
// master key that has just been made.
func TestInitOnTakenRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	args := func(dir string) []string {
		return []string{"init", "--dir", dir, "--issuer", "https://auth.example.com", "--listen", "127.0.0.1:0", "--store", "redis://" + server.Addr()}
	}
	signet(t, "", args(filepath.Join(shortDir(t), "first"))...)
	before := server.Do("get", "signet:install:{i}")
	second := filepath.Join(shortDir(t), "second")
	_, stderr, code := runSignet(t, "", args(second)...)
	if code != exitFailed || !strings.Contains(stderr, "already holds an install") || strings.Contains(stderr, "put the right one back") {
		t.Errorf("got %d %q", code, stderr)
	}
	if after := server.Do("get", "signet:install:{i}"); before == nil || after != before {
		t.Errorf("the install: got %v, want %v", after, before)
	}
	if _, err := os.Stat(second); err == nil {
		t.Error("the directory was left behind")
	}
}

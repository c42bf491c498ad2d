package redis

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The files that we recommend are in deploy/redis; what is said of them is tested with them.

func deployFile(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "deploy", "redis", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// recommendedUser is a line of users.acl with a password in it.
func recommendedUser(t *testing.T, name, password string) string {
	t.Helper()
	for line := range strings.Lines(deployFile(t, "users.acl")) {
		if strings.HasPrefix(line, "user "+name+" ") {
			sum := sha256.Sum256([]byte(password))
			placeholder := "#SHA256-OF-PASSWORD-OF-" + strings.ToUpper(name)
			if !strings.Contains(line, placeholder) {
				t.Fatalf("no %s in %q", placeholder, line)
			}
			return strings.TrimSpace(strings.ReplaceAll(line, placeholder, "#"+hex.EncodeToString(sum[:])))
		}
	}
	t.Fatalf("users.acl has no user %s", name)
	return ""
}

// recommendedConf is redis.conf as a test can run it: on its own port and directory, with users.acl
// and passwords in it, and a way in for the test itself.
func recommendedConf(t *testing.T, password string) (lines []string) {
	t.Helper()
	acl := filepath.Join(t.TempDir(), "users.acl")
	users := strings.Join([]string{
		"user default on nopass ~* &* +@all", recommendedUser(t, "signet", password),
		recommendedUser(t, "replica", password), recommendedUser(t, "sentinel", password), "",
	}, "\n")
	if err := os.WriteFile(acl, []byte(users), 0o600); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(deployFile(t, "redis.conf")) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case name == "", strings.HasPrefix(name, "#"), name == "port", name == "bind", name == "dir":
		case name == "aclfile":
			lines = append(lines, "aclfile "+acl)
		default:
			lines = append(lines, strings.ReplaceAll(strings.TrimSpace(line), "PASSWORD-OF-REPLICA", password))
		}
	}
	return lines
}

package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signet/config"
)

// TestDangerWarnings: what takes back the protection of a default is named with its setting, and the
// defaults of every preset give no such warning.
func TestDangerWarnings(t *testing.T) {
	load := func(text string) string {
		t.Helper()
		_, warnings, err := config.Parse(filepath.Join(t.TempDir(), "signet.yaml"), []byte("issuer: https://auth.example.com\n"+text), nil)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		var all strings.Builder
		for _, w := range warnings {
			all.WriteString(string(w) + "\n")
		}
		return all.String()
	}
	for _, text := range []string{"", "keys: {preset: strict}", "refresh: {grace: 20s}", "keys: {skew: 2m}", "max_connections: 1000", "log: {usernames: false}"} {
		if got := load(text); got != "" {
			t.Errorf("%q warns: %s", text, got)
		}
	}
	for text, wants := range map[string][]string{
		"refresh: {grace: 1m, max_replays: 65535}":                  {"refresh.grace: ", "refresh.max_replays: 65535"},
		"refresh: {absolute: 3650d}":                                {"refresh.absolute: "},
		"refresh: {sessions_per_user: 10000}":                       {"refresh.sessions_per_user: "},
		"keys: {skew: 1h}":                                          {"keys.skew: "},
		"keys: {leeway: 1h}":                                        {"keys.leeway: "},
		"keys: {sign_stale: 5h}":                                    {"keys.sign_stale: "},
		"access_token: {ttl: 1h}":                                   {"access_token.ttl: "},
		"throttle: {per_network: 1000000}":                          {"throttle.per_network: "},
		"throttle: {per_client: 1000000}":                           {"throttle.per_client: "},
		"max_connections: 1":                                        {"max_connections: 1 "},
		"log: {usernames: true}":                                    {"log.usernames: "},
		"throttle: {per_account: 100}":                              {"throttle.per_account: "},
		"throttle: {per_network: 0, per_client: 0, per_account: 3}": {"throttle.per_network: 0", "throttle.per_client: 0"},
	} {
		got := load(text)
		for _, want := range wants {
			if !strings.Contains("\n"+got, "\n"+want) {
				t.Errorf("%q: got %q, want a warning that begins %q", text, got, want)
			}
		}
		if n := strings.Count(got, "\n"); n != len(wants) {
			t.Errorf("%q: %d warnings, want %d: %s", text, n, len(wants), got)
		}
	}
}

// TestOverrides: a variable that beats the file is named when the file's value changes, and not before.
func TestOverrides(t *testing.T) {
	path := filepath.Join(t.TempDir(), "signet.yaml")
	write := func(text string) []config.Override {
		if err := os.WriteFile(path, []byte("issuer: https://auth.example.com\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
		return config.Overrides(path, []string{"SIGNET_REFRESH_GRACE=20s", "SIGNET_LOG_LEVEL=debug", "SIGNET_ALGORITHMS=ES256"})
	}
	before := write("refresh: {grace: 10s, idle: 20d}\nalgorithms: [ES256]\n")
	if len(before) != 2 {
		t.Fatalf("got %v, want refresh.grace and algorithms", before)
	}
	if same := config.ChangedOverrides(before, write("refresh: {grace: 10s, idle: 21d}\nalgorithms: [ES256]\n")); len(same) != 0 {
		t.Errorf("nothing of it changed: got %v", same)
	}
	got := config.ChangedOverrides(before, write("refresh: {grace: 5s, idle: 20d}\nalgorithms: [ES256]\nlog: {level: info}\n"))
	if len(got) != 2 || got[0].Variable != "SIGNET_REFRESH_GRACE" || got[0].Setting != "refresh.grace" || got[1].Variable != "SIGNET_LOG_LEVEL" {
		t.Errorf("got %v, want refresh.grace and log.level", got)
	}
}

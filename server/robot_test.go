package server_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"signet/server/servertest"
	"signet/store"
)

// robot is a client with keys and no secret.
const robot = "robot"

// addRobot registers a client that has these keys and no secret.
func addRobot(t testing.TB, s *servertest.Server, keys ...string) {
	t.Helper()
	now := s.Clock.Now()
	client := store.Client{ID: robot, AuthMethods: []string{"private_key_jwt"}, JWKS: json.RawMessage(servertest.JWKS(keys...)), Introspect: true,
		Grants: []string{"client_credentials", "password", "refresh_token"}, Scopes: servertest.Scopes, CreatedAt: now, UpdatedAt: now}
	if err := s.Store.CreateClient(t.Context(), client); err != nil {
		t.Fatal(err)
	}
}

// lastCause is why, as the log has it, the last request was refused.
func lastCause(t testing.TB, s *servertest.Server) string {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(s.Log.String()), "\n")
	for _, line := range slices.Backward(lines) {
		var entry struct {
			Msg, Cause string
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		if entry.Msg == "token" {
			return entry.Cause
		}
	}
	return ""
}

package server_test

import (
	"crypto/rand"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"signet/server/servertest"
	"signet/store"
)

// A user whose hash came from elsewhere logs in with it once; from then on the hash is the policy's.
// The session of that login stays good.
func TestLoginRehashes(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	hash, err := bcrypt.GenerateFromPassword([]byte("imported password"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	user := store.User{Username: "grace", PasswordHash: string(hash), CreatedAt: s.Clock.Now(), UpdatedAt: s.Clock.Now()}
	rand.Read(user.ID[:])
	if err := s.Store.CreateUser(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	try := func(password string) *servertest.Request {
		return s.Form(t, "/token", "grant_type=password", "username=grace", "password="+password).Web()
	}
	try("wrong").Wants(http.StatusBadRequest, "invalid_grant")
	if now, err := s.Store.User(t.Context(), user.ID); err != nil || now.PasswordHash != string(hash) {
		t.Errorf("a failed login changed the hash: %v", err)
	}
	tokens := try("imported password").Wants(http.StatusOK, "")
	now, err := s.Store.User(t.Context(), user.ID)
	if err != nil || !strings.HasPrefix(now.PasswordHash, "$argon2id$") {
		t.Errorf("after the login: got hash %.12s…, %v, want argon2id", now.PasswordHash, err)
	}
	s.Refresh(t, tokens.Str("refresh_token")).Wants(http.StatusOK, "")
	try("imported password").Wants(http.StatusOK, "")
	if again, err := s.Store.User(t.Context(), user.ID); err != nil || again.PasswordHash != now.PasswordHash {
		t.Error("a second login hashed again although the hash is up to policy")
	}
}

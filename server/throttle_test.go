package server_test

import (
	"net/http"
	"testing"

	"signet/server"
	"signet/server/servertest"
	"signet/server/throttle"
)

// golang.org/x/oauth2 sends a refused login twice; it counts once.
func TestSameFailureCountsOnce(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(cfg *server.Config) { cfg.Throttle = throttle.Config{PerAccount: 3} })
	for range 8 {
		s.Form(t, "/token", "grant_type=password", "username=ada", "password=typo").Web().Wants(http.StatusBadRequest, "invalid_grant")
	}
	s.Login(t)
}

package server_test

import (
	"net/http"
	"testing"

	"signet/server/servertest"
)

// A browser shows its script the error of a failed client authentication only with the CORS headers,
// also when nobody has asked for the origins before.
func TestCORSOnErrors(t *testing.T) {
	s := servertest.New(t, nil)
	refused := form(t, s, "/token", "grant_type=password", "client_id=nobody").set("Origin", servertest.SPAOrigin).wants(http.StatusUnauthorized, "invalid_client")
	if got := refused.Header.Get("Access-Control-Allow-Origin"); got != servertest.SPAOrigin {
		t.Errorf("unknown client: got Access-Control-Allow-Origin %q, want %q", got, servertest.SPAOrigin)
	}
	wrong := form(t, s, "/token", "grant_type=password", "client_id=spa", "username=ada", "password=wrong").set("Origin", servertest.SPAOrigin).
		wants(http.StatusBadRequest, "invalid_grant")
	if got := wrong.Header.Get("Access-Control-Allow-Origin"); got != servertest.SPAOrigin {
		t.Errorf("wrong password: got Access-Control-Allow-Origin %q, want %q", got, servertest.SPAOrigin)
	}
	foreign := login(t, s)
	if got := foreign.Header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("a client without origins: got Access-Control-Allow-Origin %q", got)
	}
}

package edge_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"signet/server/edge"
)

func TestLoopbackHosts(t *testing.T) {
	h := edge.LoopbackHosts(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }), slog.New(slog.DiscardHandler))
	for host, status := range map[string]int{
		"127.0.0.1:9000": 204, "127.0.0.1": 204, "127.9.9.9:1": 204, "[::1]:9000": 204, "[::1]": 204, "localhost": 204, "LOCALHOST:80": 204, "localhost.:80": 204, "app.localhost:80": 204, "": 204,
		"evil.example": 403, "evil.example:9000": 403, "127.0.0.1.evil.example": 403, "localhost.evil.example:80": 403, "notlocalhost": 403, "10.0.0.1:80": 403, "0.0.0.0:80": 403, "[::]:80": 403, "@127.0.0.1": 403, "2130706433": 403, "127.1": 403,
	} {
		r := httptest.NewRequest("GET", "/v1/clients", nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != status {
			t.Errorf("Host %q: got %d, want %d", host, w.Code, status)
		}
		if status == 403 && (!strings.Contains(w.Body.String(), `"error":"forbidden"`) || host != "" && strings.Contains(w.Body.String(), "evil")) {
			t.Errorf("Host %q: got %s", host, w.Body)
		}
	}
}

package server_test

import (
	"net/http"
	"strings"
	"testing"

	"signet/server/servertest"
)

// checkRefusal: JSON that nobody stores, an id to quote, a description of RFC 6749 §5.2's characters
// with nothing of what was sent, a challenge with every 401 and Retry-After with every 429 and 503.
func checkRefusal(t testing.TB, a servertest.Answer) {
	t.Helper()
	h := a.Header
	for name, want := range map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
		if got := h.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if h.Get("X-Request-Id") == "" || a.Str("error") == "" || a.Str("error_description") == "" || !legal(a.Str("error_description")) {
		t.Errorf("not a refusal of RFC 6749 §5.2: %v %s", h, a.Raw)
	}
	if (a.Status == http.StatusUnauthorized) != strings.HasPrefix(h.Get("WWW-Authenticate"), "Basic realm=") {
		t.Errorf("%d with WWW-Authenticate %q", a.Status, h.Get("WWW-Authenticate"))
	}
	if (a.Status == http.StatusTooManyRequests || a.Status == http.StatusServiceUnavailable) == (h.Get("Retry-After") == "") {
		t.Errorf("%d with Retry-After %q", a.Status, h.Get("Retry-After"))
	}
	if strings.Contains(a.Raw, "canary") {
		t.Errorf("the answer has what was sent: %s", a.Raw)
	}
}

// legal reports whether the text is of RFC 6749 §5.2's characters for error_description.
func legal(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < 0x20 || r > 0x7e || r == '"' || r == '\\' })
}

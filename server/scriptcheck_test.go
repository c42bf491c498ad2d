package server_test

import (
	"net/http"
	"slices"
	"strings"
)

// formPaths are the endpoints whose every refusal looks as RFC 6749 §5.2 wants it.
var formPaths = []string{"/token", "/revoke", "/introspect"}

// checkAnswer is what the requirements say of every answer, whatever the row.
func (sc *script) checkAnswer(r *request, a answer) {
	sc.t.Helper()
	if a.Header.Get("X-Request-Id") == "" || a.Header.Get("X-Content-Type-Options") != "nosniff" {
		sc.errorf("no X-Request-Id or nosniff: %v", a.Header)
	}
	if a.Status == http.StatusInternalServerError {
		sc.errorf("got %s", a.Raw)
	}
	if strings.Contains(a.Raw, "canary") {
		sc.errorf("the answer has what was sent: %s", a.Raw)
	}
	path, _, _ := strings.Cut(r.path, "?")
	if slices.Contains(formPaths, path) && a.Status >= 300 && r.method != http.MethodHead {
		sc.checkRefusal(a)
	}
}

// checkRefusal: JSON that nobody stores, a challenge with every 401 and Retry-After with every 429
// and 503; and in the log, under the id in the answer, the reason and one audit event.
func (sc *script) checkRefusal(a answer) {
	sc.t.Helper()
	h := a.Header
	if h.Get("Content-Type") != "application/json" || h.Get("Cache-Control") != "no-store" || a.str("error") == "" || a.str("error_description") == "" {
		sc.errorf("not a refusal of RFC 6749 §5.2: %v %s", h, a.Raw)
	}
	if !legal(a.str("error_description")) {
		sc.errorf("error_description has characters that RFC 6749 §5.2 does not allow: %q", a.str("error_description"))
	}
	if (a.Status == http.StatusUnauthorized) != strings.HasPrefix(h.Get("WWW-Authenticate"), "Basic realm=") {
		sc.errorf("%d with WWW-Authenticate %q", a.Status, h.Get("WWW-Authenticate"))
	}
	if (a.Status == http.StatusTooManyRequests || a.Status == http.StatusServiceUnavailable) == (h.Get("Retry-After") == "") {
		sc.errorf("%d with Retry-After %q", a.Status, h.Get("Retry-After"))
	}
	lines := linesOf(sc.stage.Log.String(), h.Get("X-Request-Id"))
	if !strings.Contains(lines, `"outcome":"`+a.str("error")+`"`) || !strings.Contains(lines, `"cause":"`) {
		sc.errorf("the log does not say why: %s", lines)
	}
	if n := strings.Count(lines, `"msg":"audit"`); n != 1 {
		sc.errorf("got %d audit events: %s", n, lines)
	}
}

// legal reports whether the text is of RFC 6749 §5.2's characters for error_description.
func legal(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < 0x20 || r > 0x7e || r == '"' || r == '\\' })
}

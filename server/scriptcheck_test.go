package server_test

import (
	"net/http"
	"slices"
	"strings"

	"signet/server/servertest"
)

// formPaths are the endpoints whose every refusal looks as RFC 6749 §5.2 wants it.
var formPaths = []string{"/token", "/revoke", "/introspect"}

// checkAnswer is what the requirements say of every servertest.Answer, whatever the row.
func (sc *script) checkAnswer(r *servertest.Request, a servertest.Answer) {
	if a.Header.Get("X-Request-Id") == "" || a.Header.Get("X-Content-Type-Options") != "nosniff" {
		sc.Errorf("no X-Request-Id or nosniff: %v", a.Header)
	}
	if a.Status == http.StatusInternalServerError {
		sc.Errorf("got %s", a.Raw)
	}
	if strings.Contains(a.Raw, "canary") {
		sc.Errorf("the answer has what was sent: %s", a.Raw)
	}
	path, _, _ := strings.Cut(r.Path, "?")
	if slices.Contains(formPaths, path) && a.Status >= 300 && r.Method != http.MethodHead {
		sc.checkRefusal(a)
	}
}

// checkRefusal: as every refusal, and in the log, under the id in the servertest.Answer, the reason and one audit event.
func (sc *script) checkRefusal(a servertest.Answer) {
	checkRefusal(sc, a)
	lines := linesOf(sc.stage.Log.String(), a.Header.Get("X-Request-Id"))
	if !strings.Contains(lines, `"outcome":"`+a.Str("error")+`"`) || !strings.Contains(lines, `"cause":"`) {
		sc.Errorf("the log does not say why: %s", lines)
	}
	if n := strings.Count(lines, `"msg":"audit"`); n != 1 {
		sc.Errorf("got %d audit events: %s", n, lines)
	}
}

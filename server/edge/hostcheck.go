package edge

import (
	"log/slog"
	"net"
	"net/http"
	"strings"

	"signet/server/syntax"
)

// LoopbackHosts is for a listener on a loopback address: it passes on requests whose Host is one. A web page whose name was
// made to lead to this machine (DNS rebinding) sends its own name there, and would be of the same origin as the
// server to the browser.
func LoopbackHosts(next http.Handler, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host == "" || syntax.BrowserLoopback(hostname(r.Host)) { // HTTP/1.0 may have none; browsers always send one
			next.ServeHTTP(w, r)
			return
		}
		log.Info("a request to a loopback listener names another host", slog.String("outcome", "refused"), slog.String("path", r.URL.Path))
		const message = "this listener is for this machine: call it by 127.0.0.1, [::1] or localhost (what was sent as Host is another name)"
		if r.ContentLength != 0 {
			stopReading(w)
		}
		h := w.Header()
		h["Cache-Control"], h["X-Content-Type-Options"] = noStore, nosniff
		writeJSON(w, http.StatusForbidden, wrongHost{"forbidden", message, message})
	})
}

// wrongHost has the members of an error of the admin API, which both kinds of listener may be.
type wrongHost struct {
	Error       string `json:"error"`
	Message     string `json:"message"`
	Description string `json:"error_description"`
}

// hostname is the host of a Host header, without port and brackets.
func hostname(authority string) string {
	host, _, err := net.SplitHostPort(authority)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(authority, "["), "]")
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

package edge

import (
	"log/slog"
	"net/http"
	"time"
)

// Limits of a connection. A request that stalls must not hold one for long.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second
	writeTimeout  = 15 * time.Second
	idleTimeout   = 60 * time.Second
	maxHeader     = 16 << 10
)

// HTTPServer wraps a handler in the limits that every listener of Signet has.
func HTTPServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader - 4096, // net/http allows 4 KiB on top
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		// By default net/http answers OPTIONS * by itself.
		DisableGeneralOptionsHandler: true,
	}
}

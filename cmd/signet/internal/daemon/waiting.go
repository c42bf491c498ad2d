package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/install"
	"signet/config"
	"signet/server/edge"
	"signet/store"
	"signet/store/seal"
)

// The pauses between two attempts to reach the store, and the interval of log lines.
const (
	firstPause   = 250 * time.Millisecond
	longestPause = 5 * time.Second
	summaryEvery = time.Minute
)

// waitingConnections bounds the connections to a listener while the store cannot be reached.
const waitingConnections = 256

// mayRecover reports whether a failed start may succeed later: Redis is starting, loads its data, or elects a master.
// An error in the configuration does not go away.
func mayRecover(cfg config.Config, err error) bool {
	_, embedded := cfg.BoltPath()
	return !embedded && errors.Is(err, store.ErrUnavailable) && !errors.Is(err, seal.ErrForged) && !errors.Is(err, store.ErrMisconfigured)
}

// startup answers on the listeners while the store cannot be reached, and tries to open it again.
type startup struct {
	log       *slog.Logger
	listeners listeners
	prefix    string       // the path of the issuer
	retry     atomic.Int64 // seconds for Retry-After
}

// wait answers 503 on the listeners and calls open with growing pauses, until it succeeds, fails for good, or ctx ends.
// After that the listeners are free for the server. n is nil after an error or the end of ctx.
func (w *startup) wait(ctx context.Context, cfg config.Config, first error, open func() (*Daemon, error)) (srv *Daemon, err error) {
	w.retry.Store(1)
	stop := w.answer(cfg)
	defer stop()
	w.log.Warn("the store cannot be reached; waiting for it", slog.String("store", install.StoreName(cfg)),
		slog.String("listen", w.listeners.public.Addr().String()), slog.Any("error", cli.OneLine(first)))
	begun, told, tries := time.Now(), time.Now(), 1
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		w.retry.Store(int64(max(pause.Round(time.Second)/time.Second, 1)))
		select {
		case <-ctx.Done():
			return nil, nil
		case <-time.After(pause*4/5 + rand.N(pause*2/5)): // so that servers that start together do not try at the same time
		}
		tries++
		srv, err := open()
		switch {
		case ctx.Err() != nil:
			if srv != nil {
				srv.Close()
			}
			return nil, nil
		case err == nil:
			w.log.Info("the store answers", slog.String("waited", time.Since(begun).Round(time.Millisecond).String()), slog.Int("tries", tries))
			return srv, nil
		case !mayRecover(cfg, err):
			return nil, err
		}
		if time.Since(told) >= summaryEvery {
			told = time.Now()
			w.log.Warn("still waiting for the store", slog.String("waited", time.Since(begun).Round(time.Second).String()),
				slog.Int("tries", tries), slog.Any("error", cli.OneLine(err)))
		}
	}
}

// answer serves on the listeners until stop is called. They stay open.
func (w *startup) answer(cfg config.Config) (stop func()) {
	if u, err := url.Parse(cfg.Issuer); err == nil {
		w.prefix = strings.TrimRight(u.Path, "/")
	}
	var servers []*http.Server
	var lent []*sharedListener
	var running sync.WaitGroup
	for _, listener := range []net.Listener{w.listeners.public, w.listeners.socket, w.listeners.adminTCP} {
		if listener == nil {
			continue
		}
		l := newSharedListener(listener, waitingConnections)
		web := edge.HTTPServer(w, w.log)
		web.SetKeepAlivesEnabled(false)
		lent, servers = append(lent, l), append(servers, web)
		var serves net.Listener = l
		if listener != w.listeners.socket {
			serves = w.listeners.encrypted(l)
		}
		running.Go(func() { _ = web.Serve(serves) })
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		for _, web := range servers {
			if web.Shutdown(ctx) != nil {
				web.Close()
			}
		}
		running.Wait()
		for _, l := range lent {
			l.giveBack()
		}
	}
}

// ServeHTTP answers /healthz with 200, /readyz with 503, and everything else with 503 and Retry-After.
func (w *startup) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	h := out.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	switch r.URL.Path {
	case "/healthz", w.prefix + "/healthz":
		_ = json.NewEncoder(out).Encode(map[string]string{"status": "ok"})
	case "/readyz", w.prefix + "/readyz":
		out.WriteHeader(http.StatusServiceUnavailable)
		_ = json.NewEncoder(out).Encode(map[string]bool{"ready": false, "store": false, "signing": false, "clock": false, "key_set": false, "draining": false})
	default:
		h.Set("Retry-After", strconv.FormatInt(w.retry.Load(), 10))
		h.Set("Access-Control-Allow-Origin", "*") // so that scripts can read the 503; nothing secret is in it
		h.Set("Access-Control-Expose-Headers", "Retry-After")
		out.WriteHeader(http.StatusServiceUnavailable)
		const text = "the server is starting and waits for its store; nothing was done: send the same request again after Retry-After"
		_ = json.NewEncoder(out).Encode(map[string]string{"error": "temporarily_unavailable", "error_description": text, "message": text})
	}
}

// sharedListener is a listener that two servers use one after the other. Close stops the first server and leaves the
// listener open for the second.
type sharedListener struct {
	net.Listener
	places   chan struct{} // one for each open connection
	returned chan struct{}
	once     sync.Once
}

// deadlines is implemented by TCP and Unix listeners.
type deadlines interface{ SetDeadline(time.Time) error }

func newSharedListener(l net.Listener, most int) *sharedListener {
	return &sharedListener{Listener: l, places: make(chan struct{}, most), returned: make(chan struct{})}
}

func (l *sharedListener) Accept() (net.Conn, error) {
	select {
	case l.places <- struct{}{}:
	case <-l.returned:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err == nil {
		return &sharedConn{Conn: conn, release: sync.OnceFunc(func() { <-l.places })}, nil
	}
	<-l.places
	select {
	case <-l.returned:
		return nil, net.ErrClosed
	default:
		return nil, err
	}
}

// Close interrupts Accept.
func (l *sharedListener) Close() error {
	l.once.Do(func() {
		close(l.returned)
		if d, ok := l.Listener.(deadlines); ok {
			_ = d.SetDeadline(time.Unix(1, 0))
		}
	})
	return nil
}

// giveBack makes the listener usable again after Close.
func (l *sharedListener) giveBack() {
	if d, ok := l.Listener.(deadlines); ok {
		_ = d.SetDeadline(time.Time{})
	}
}

type sharedConn struct {
	net.Conn
	release func()
}

func (c *sharedConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}

package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"signet/config"
	"signet/server/connlimit"
	"signet/server/edge"
)

// listeners are those of a server. adminTCP may be nil. With certificates the two TCP listeners use TLS.
type listeners struct {
	public, socket, adminTCP net.Listener

	certs *certificates
	dev   bool // development mode: the public listener accepts loopback hosts only
}

func (l listeners) close() {
	for _, listener := range []net.Listener{l.public, l.socket, l.adminTCP} {
		if listener != nil {
			listener.Close()
		}
	}
}

func (l listeners) encrypted(listener net.Listener) net.Listener {
	if l.certs == nil {
		return listener
	}
	return tls.NewListener(listener, l.certs.config())
}

// openListeners opens the listeners of the configuration. After an error none is open.
func openListeners(cfg config.Config, certs *certificates) (l listeners, err error) {
	l.certs = certs
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if l.public, err = listenTCP("listen", cfg.Listen); err != nil {
		return l, err
	}
	if l.socket, err = listenAdmin(cfg.Admin.Socket); err != nil {
		return l, err
	}
	if cfg.Admin.Listen != "" {
		l.adminTCP, err = listenTCP(adminListenField, cfg.Admin.Listen)
	}
	return l, err
}

// serve answers requests until ctx ends. It then reports that the server is not ready, waits for load balancers, finishes
// the requests under way, and returns.
func (n *Daemon) serve(ctx context.Context, l listeners) error {
	loops, stopLoops := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	background.Go(func() { n.keys.Run(loops) })
	background.Go(func() { n.server.Run(loops) })

	var servers []*http.Server
	failed := make(chan error, 3)
	start := func(listener net.Listener, handler http.Handler, bounds *connlimit.Limiter) {
		if listener == nil {
			return
		}
		web := edge.HTTPServer(handler, n.log)
		servers = append(servers, web)
		if bounds != nil {
			listener = l.encrypted(bounds.Bound(listener, web))
		}
		background.Go(func() {
			if err := web.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("listener %s: %w", listener.Addr(), err)
			}
		})
	}
	start(l.public, n.checkHost(n.server, l.public, l.dev), n.server.Connections("public", n.publicConnections()))
	start(l.socket, n.server.Admin(), nil)
	start(l.adminTCP, n.checkHost(n.server.AdminWithToken(), l.adminTCP, true), n.server.Connections("admin", connlimit.Limits{Total: adminConnections}))

	var err error
	select {
	case <-ctx.Done():
		n.drain(servers)
	case err = <-failed:
		for _, web := range servers {
			web.Close()
		}
	}
	stopLoops()
	background.Wait()
	return err
}

// checkHost makes a listener on a loopback address refuse requests for other hosts, if wanted is set.
func (n *Daemon) checkHost(h http.Handler, listener net.Listener, wanted bool) http.Handler {
	if listener == nil || !wanted {
		return h
	}
	if addr, ok := listener.Addr().(*net.TCPAddr); !ok || !addr.IP.IsLoopback() {
		return h
	}
	return edge.LoopbackHosts(h, n.log)
}

func (n *Daemon) drain(servers []*http.Server) {
	n.server.Drain()
	n.log.Info("stopping", slog.String("delay", n.cfg.Shutdown.Delay.String()), slog.String("drain", n.cfg.Shutdown.Drain.String()))
	time.Sleep(n.cfg.Shutdown.Delay)
	ctx, cancel := context.WithTimeout(context.Background(), n.cfg.Shutdown.Drain)
	defer cancel()
	var all sync.WaitGroup
	for _, web := range servers {
		all.Go(func() {
			if web.Shutdown(ctx) != nil {
				web.Close()
			}
		})
	}
	all.Wait()
}

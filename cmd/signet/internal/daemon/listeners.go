package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"signet/config"
	"signet/server/connlimit"
	"signet/server/edge"
	"signet/server/password"
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
func (srv *Daemon) serve(ctx context.Context, l listeners) error {
	loops, stopLoops := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	background.Go(func() { srv.keys.Run(loops) })
	background.Go(func() { srv.server.Run(loops) })

	var servers []*http.Server
	failed := make(chan error, 3)
	start := func(listener net.Listener, handler http.Handler, bounds *connlimit.Limiter) {
		if listener == nil {
			return
		}
		web := edge.HTTPServer(handler, srv.log)
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
	start(l.public, srv.checkHost(srv.server, l.public, l.dev), srv.server.Connections("public", srv.publicConnections()))
	start(l.socket, srv.server.Admin(), nil)
	start(l.adminTCP, srv.checkHost(srv.server.AdminWithToken(), l.adminTCP, true), srv.server.Connections("admin", connlimit.Limits{Total: adminConnections}))

	var err error
	select {
	case <-ctx.Done():
		srv.drain(servers)
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
func (srv *Daemon) checkHost(h http.Handler, listener net.Listener, wanted bool) http.Handler {
	if listener == nil || !wanted {
		return h
	}
	if addr, ok := listener.Addr().(*net.TCPAddr); !ok || !addr.IP.IsLoopback() {
		return h
	}
	return edge.LoopbackHosts(h, srv.log)
}

func (srv *Daemon) drain(servers []*http.Server) {
	srv.server.Drain()
	srv.log.Info("stopping", slog.String("delay", srv.cfg.Shutdown.Delay.String()), slog.String("drain", srv.cfg.Shutdown.Drain.String()))
	time.Sleep(srv.cfg.Shutdown.Delay)
	ctx, cancel := context.WithTimeout(context.Background(), srv.cfg.Shutdown.Drain)
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

// listenTCP opens a listener. field is the setting it comes from.
func listenTCP(field, addr string) (net.Listener, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, explainListen(field, addr, err)
	}
	return listener, nil
}

// listenAdmin opens the admin socket for its owner only. It replaces a socket on which no process answers, and refuses
// one of another server.
func listenAdmin(path string) (net.Listener, error) {
	if err := checkSocketPath(path); err != nil {
		return nil, err
	}
	if other, err := net.DialTimeout("unix", path, time.Second); err == nil {
		other.Close()
		return nil, fmt.Errorf("%s: another server listens on %s; give this one a data_dir of its own (or SIGNET_DATA_DIR)", socketField, path)
	}
	if err := removeSocket(path); err != nil {
		return nil, err
	}
	// A chmod after bind would leave a moment in which others can connect, so umask is used. It applies to the whole
	// process: this must happen before anything else writes files.
	old := syscall.Umask(0o177)
	listener, err := net.Listen("unix", path)
	syscall.Umask(old)
	if err != nil {
		return nil, explainListen(socketField, path, err)
	}
	return listener, nil
}

// removeSocket removes the socket that an earlier process left. Anything else is a file in use, such as the master
// key, and stays.
func removeSocket(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil && info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s: %s is there already and is no socket; choose another path", socketField, path)
	case err == nil:
		err = os.Remove(path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: removing what an earlier process left: %w", socketField, err)
	}
	return nil
}

const (
	socketField      = "admin.socket"
	adminListenField = "admin.listen"
)

// maxSocketPath is the length that every system supports (macOS: 104 with the terminating NUL).
const maxSocketPath = 103

func checkSocketPath(path string) error {
	if len(path) > maxSocketPath {
		return fmt.Errorf("%s: %s is longer than the %d bytes a socket's path may have; choose a directory with a shorter path", socketField, path, maxSocketPath)
	}
	return nil
}

// settersOf returns the flag, setting and variable of the address of field.
func settersOf(field string) string {
	switch field {
	case "--listen", "listen":
		return "--listen or SIGNET_LISTEN"
	case socketField:
		return "admin.socket or SIGNET_ADMIN_SOCKET"
	}
	return field + " or SIGNET_" + strings.ToUpper(strings.ReplaceAll(field, ".", "_"))
}

func explainListen(field, addr string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE) && field == adminListenField:
		return fmt.Errorf("%s: another program is using %s; stop it, or choose another address with admin.listen or SIGNET_ADMIN_LISTEN", field, addr)
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s: another program is using %s; stop it, or choose another address with %s", field, addr, settersOf(field))
	case errors.Is(err, syscall.EACCES) && field == socketField:
		return fmt.Errorf("%s: this user may not write in %s", field, filepath.Dir(addr))
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s: this user may not listen on %s; choose a port above 1023", field, addr)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s: this machine has no address %s", field, addr)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: there is no directory %s", field, filepath.Dir(addr))
	}
	return fmt.Errorf("%s: %w", field, err)
}

const (
	mostConnections  = 10_000 // without a setting, and with enough files and memory
	adminConnections = 128

	// connectionMemory is the memory of a connection that has sent nearly all of the largest body, doubled for the
	// garbage collector.
	connectionMemory = 256 << 10
)

// publicConnections returns the limits of the public listener.
func (srv *Daemon) publicConnections() connlimit.Limits {
	limit, lowered := connectionLimit(srv.cfg.MaxConnections, openFiles(), password.MemoryLimit())
	if lowered {
		srv.log.Warn("max_connections is more than this process may open files for; raise the limit (LimitNOFILE) or lower the setting",
			slog.Int("max_connections", srv.cfg.MaxConnections), slog.Int("used", limit))
	}
	limits := connlimit.Limits{Total: limit, PerNetwork: max(1, limit/2), KeepSome: true}
	if srv.cfg.TLS.TerminatedByProxy {
		limits.PerNetwork = 0 // only proxies reach the listener
	}
	return limits
}

// connectionLimit leaves a quarter of the open files for the store, the admin listeners and files. A configured number
// is limited by that alone; otherwise half of the memory is a limit too.
func connectionLimit(wanted int, files, memory uint64) (limit int, lowered bool) {
	fit := int(max(1, min(files/4*3, math.MaxInt32)))
	if wanted > 0 {
		return min(wanted, fit), wanted > fit
	}
	return int(min(mostConnections, uint64(fit), max(64, memory/2/connectionMemory))), false
}

// openFiles returns how many files this process may open. The Go runtime has raised the soft limit to the hard one.
func openFiles() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1024 // what every system allows
	}
	return uint64(limit.Cur)
}

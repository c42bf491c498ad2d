package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

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
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("admin.socket: removing what an earlier process left: %w", err)
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

package connect

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/configfile"
)

// peerVariable names another user whose server is accepted on a socket.
const peerVariable = "SIGNET_ADMIN_SOCKET_USER"

// peerError refuses a socket whose server must not receive a password.
type peerError struct{ error }

// peerRule lists the users whose server is accepted on the admin socket. Commands send new passwords over it.
type peerRule struct {
	caller uint32 // the user of this process
	named  bool   // the operator named the socket or the configuration
	owner  uint32 // of the directory that has the socket; counts where named
	extra  string // SIGNET_ADMIN_SOCKET_USER: a name or a number
}

// check returns nil for root, for the caller, for the owner of the directory if the operator named it, and for the user
// that the variable names.
func (r peerRule) check(path string, uid uint32) error {
	if uid == 0 || uid == r.caller || r.named && uid == r.owner {
		return nil
	}
	if r.extra != "" {
		extra, err := lookupUser(r.extra)
		if err != nil {
			return peerError{fmt.Errorf("%s: %w", peerVariable, err)}
		}
		if uid == extra {
			return nil
		}
	}
	hint := fmt.Sprintf("if you mean it, set %s=%d", peerVariable, uid)
	if !r.named && uid == r.owner {
		hint = "if you mean it, name the server with --config or --socket"
	}
	return peerError{fmt.Errorf("the server on %s runs as another user (uid %d), and nothing was sent to it; %s", path, uid, hint)}
}

func lookupUser(name string) (uint32, error) {
	if n, err := strconv.ParseUint(name, 10, 32); err == nil {
		return uint32(n), nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return 0, fmt.Errorf("there is no user %q", name)
	}
	n, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("the user %q has no number", name)
	}
	return uint32(n), nil
}

// peerRuleFor returns the rule for the socket at path. What cannot be determined accepts no user.
func peerRuleFor(app *cli.App, path string) peerRule {
	r := peerRule{
		caller: uint32(os.Geteuid()),
		named:  app.Connection.Socket != "" || app.Getenv("SIGNET_ADMIN_SOCKET") != "" || !configfile.Found(app),
		extra:  app.Getenv(peerVariable),
	}
	r.owner = r.caller
	if info, err := os.Stat(filepath.Dir(path)); err == nil {
		r.owner = cli.FileOwner(info)
	}
	return r
}

// checkPeer checks the user of the server on a connection, by the kernel.
func (r peerRule) checkPeer(conn net.Conn, path string) error {
	unix, ok := conn.(*net.UnixConn)
	if !ok {
		return peerError{errors.New("this is not a Unix socket")}
	}
	raw, err := unix.SyscallConn()
	if err != nil {
		return peerError{fmt.Errorf("looking at %s: %w", path, err)}
	}
	var uid uint32
	var credErr error
	if err := raw.Control(func(fd uintptr) { uid, credErr = peerUser(int(fd), path) }); err != nil {
		credErr = err
	}
	if credErr != nil {
		return peerError{fmt.Errorf("asking who listens on %s: %w", path, credErr)}
	}
	return r.check(path, uid)
}

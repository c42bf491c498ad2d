package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/configfile"
)

// remote gives cmd, and what is below it, the flags of a command that talks to a server.
func remote(app *cli.App, cmd *cobra.Command) *cobra.Command {
	cmd.PersistentFlags().AddFlagSet(connectionFlags(app))
	return cmd
}

// connectionFlags say which server is meant.
func connectionFlags(app *cli.App) *pflag.FlagSet {
	flags := pflag.NewFlagSet("connection", pflag.ContinueOnError)
	flags.SortFlags = false
	flags.StringVar(&app.Connection.Socket, "socket", "", "admin socket at `PATH` (default: that of the configuration)")
	flags.StringVar(&app.Connection.Config, "config", "", "find the socket by the configuration in `FILE` (default: ./signet.yaml)")
	flags.StringVar(&app.Connection.Admin, "admin", "", "admin API at `URL` instead of a socket; takes a token")
	flags.StringVar(&app.Connection.TokenFile, "admin-token-file", "", "read the token for --admin from `FILE` (or set SIGNET_ADMIN_TOKEN)")
	flags.VisitAll(cli.MarkConnectionFlag)
	return flags
}

// showConnectionHelp is `signet help connection`.
func showConnectionHelp(app *cli.App, w io.Writer) {
	fmt.Fprintf(w, `%s: commands that manage a server talk to its admin API, on a Unix socket or at a URL.

Without a flag they take, in this order: SIGNET_ADMIN_URL, SIGNET_ADMIN_SOCKET, the socket of the
configuration that SIGNET_CONFIG names or that is ./%s, and ./%s of `+"`signet dev`"+`.
A socket is used if its server runs as root, as you, or as the owner of the directory that you named
with --socket or --config; %s=USER admits another user. A ./%s of
another user is not used unless you name it.
`, cli.ConnectionSection, configfile.Name, configfile.DevSocket, socketPeerVariable, configfile.Name)
	cli.WriteSection(w, "Options", connectionFlags(app))
}

// connect finds the server that is meant. It does not yet call it.
func connect(app *cli.App) (*adminClient, error) {
	if app.Connection.Admin != "" && app.Connection.Socket != "" {
		return nil, cli.Usagef("--admin and --socket name two servers; give one of them")
	}
	if app.Connection.Admin == "" && app.Connection.Socket == "" {
		if u := app.Getenv("SIGNET_ADMIN_URL"); u != "" {
			return connectURL(app, u)
		}
	}
	if app.Connection.Admin != "" {
		return connectURL(app, app.Connection.Admin)
	}
	socket, err := findSocket(app)
	if err != nil {
		return nil, err
	}
	return connectSocket(socket, peerRuleFor(app, socket)), nil
}

// findSocket: the flag, the environment, the configuration, and last what `signet dev` makes.
func findSocket(app *cli.App) (string, error) {
	if app.Connection.Socket != "" {
		return app.Connection.Socket, nil
	}
	if s := app.Getenv("SIGNET_ADMIN_SOCKET"); s != "" {
		return s, nil
	}
	path := configfile.Path(app)
	if path == "" {
		return configfile.DevSocket, nil
	}
	c, _, err := configfile.ReadPath(app, path, app.Environ)
	if err != nil {
		return "", err
	}
	return c.Admin.Socket, nil
}

// connectSocket talks to the server on a socket, if the rule admits the user that it runs as.
func connectSocket(path string, rule peerRule) *adminClient {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "unix", path)
		if err != nil {
			return nil, err
		}
		if err := rule.checkPeer(conn, path); err != nil {
			conn.Close()
			return nil, err
		}
		return conn, nil
	}
	return &adminClient{base: "http://signet", where: path, http: cli.NoRedirects(&http.Transport{DialContext: dial})}
}

func connectURL(app *cli.App, s string) (*adminClient, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.RawQuery != "" || u.User != nil {
		return nil, cli.Usagef("%q is not the URL of an admin API; write it like https://auth.example.com:8443", s)
	}
	if u.Scheme == "http" && !cli.Loopback(u.Hostname()) {
		return nil, cli.Usagef("%q would send the token in the clear; use https", s)
	}
	token, err := adminToken(app)
	if err != nil {
		return nil, err
	}
	// A proxy of the environment is used: it sees the host and encrypted bytes, and plain http is for
	// loopback addresses only, which are never sent to one.
	transport := http.DefaultTransport.(*http.Transport).Clone()
	return &adminClient{base: strings.TrimRight(s, "/"), where: s, token: token, http: cli.NoRedirects(transport)}, nil
}

func adminToken(app *cli.App) (string, error) {
	if app.Connection.TokenFile == "" {
		return app.Getenv("SIGNET_ADMIN_TOKEN"), nil
	}
	f, err := os.Open(app.Connection.TokenFile)
	if err != nil {
		return "", fmt.Errorf("reading the token: %w", err)
	}
	defer f.Close()
	if err := cli.CheckSecret(f); err != nil {
		return "", fmt.Errorf("--admin-token-file: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(f, cli.MaxSecret))
	if err != nil {
		return "", fmt.Errorf("reading the token: %w", err)
	}
	return strings.TrimSpace(string(bytes.TrimPrefix(data, cli.ByteOrderMark))), nil
}

// unreachable says in the operator's words why there was no answer.
func (c *adminClient) unreachable(err error) error {
	where := c.where
	if abs, absErr := filepath.Abs(where); absErr == nil && c.base == "http://signet" {
		where = abs
	}
	if refused, ok := errors.AsType[peerError](err); ok {
		return refused
	}
	switch {
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted")
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no server is listening on %s: start one with `signet serve --config FILE` or `signet dev`", where)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("you may not open %s; run this as the user the server runs as", where)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s gave no answer in time, and whether it did what was asked is not known; look, then try again", where)
	}
	return fmt.Errorf("calling %s: %w", where, err)
}

package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/configfile"
	"signet/server/admin/client"
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
func connect(app *cli.App) (*client.Client, error) {
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

// connectSocket returns a client for the admin socket at path. It sends nothing where the server does not run as a
// user that the rule admits.
func connectSocket(path string, rule peerRule) *client.Client {
	c := client.Socket(path, func(conn net.Conn) error { return rule.checkPeer(conn, path) })
	c.Explain = explain
	return c
}

func connectURL(app *cli.App, address string) (*client.Client, error) {
	c, err := client.URL(address)
	if err != nil {
		return nil, cli.Usagef("%w", err)
	}
	c.Explain = explain
	c.Token, err = adminToken(app)
	return c, err
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

package connect

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/configfile"
	"signet/config"
	"signet/server/admin/api"
	"signet/server/admin/client"
)

// Flags adds the flags that select a server to cmd and the commands below it.
func Flags(app *cli.App, cmd *cobra.Command) *cobra.Command {
	cmd.PersistentFlags().AddFlagSet(flags(app))
	return cmd
}

func flags(app *cli.App) *pflag.FlagSet {
	f := pflag.NewFlagSet("connection", pflag.ContinueOnError)
	f.SortFlags = false
	f.StringVar(&app.Connection.Socket, "socket", "", "admin socket at `PATH` (default: that of the configuration)")
	f.StringVar(&app.Connection.Config, "config", "", "find the socket by the configuration in `FILE` (default: ./signet.yaml)")
	f.StringVar(&app.Connection.Admin, "admin", "", "admin API at `URL` instead of a socket; takes a token")
	f.StringVar(&app.Connection.TokenFile, "admin-token-file", "", "read the token for --admin from `FILE` (or set SIGNET_ADMIN_TOKEN)")
	f.VisitAll(cli.MarkConnectionFlag)
	return f
}

// WriteHelp writes `signet help connection`, to which the help of the commands refers.
func WriteHelp(app *cli.App, w io.Writer) {
	fmt.Fprintf(w, `%s: commands that manage a server talk to its admin API, on a Unix socket or at a URL.

Without a flag they take, in this order: SIGNET_ADMIN_URL, SIGNET_ADMIN_SOCKET, the socket of the
configuration that SIGNET_CONFIG names or that is ./%s, and ./%s of `+"`signet dev`"+`.
A socket is used if its server runs as root, as you, or as the owner of the directory that you named
with --socket or --config; %s=USER admits another user. A ./%s of
another user is not used unless you name it.
`, cli.ConnectionSection, configfile.Name, configfile.DevSocket, peerVariable, configfile.Name)
	cli.WriteSection(w, "Options", flags(app))
}

// Client returns a client of the selected server. It does not call the server yet.
func Client(app *cli.App) (*client.Client, error) {
	if app.Connection.Admin != "" && app.Connection.Socket != "" {
		return nil, cli.Usagef("--admin and --socket name two servers; give one of them")
	}
	address := app.Connection.Admin
	if address == "" && app.Connection.Socket == "" {
		address = app.Getenv("SIGNET_ADMIN_URL")
	}
	if address != "" {
		return atURL(app, address)
	}
	socket, err := findSocket(app)
	if err != nil {
		return nil, err
	}
	return Socket(app, socket), nil
}

// MembersClient is Client for a caller whose user wrote members of the admin API and no flags: messages of the server
// keep its names.
func MembersClient(app *cli.App) (*client.Client, error) {
	c, err := Client(app)
	if err == nil {
		c.Explain = explainMembers
	}
	return c, err
}

// Call makes one request to the selected server: see client.Client.Call.
func Call(ctx context.Context, app *cli.App, t api.Target, in, out any) error {
	c, err := Client(app)
	if err != nil {
		return err
	}
	return c.Call(ctx, t, in, out)
}

// Socket returns a client of the server on the socket at path.
func Socket(app *cli.App, path string) *client.Client {
	rule := peerRuleFor(app, path)
	c := client.Socket(path, func(conn net.Conn) error { return rule.checkPeer(conn, path) })
	c.Explain = explain
	return c
}

func atURL(app *cli.App, address string) (*client.Client, error) {
	c, err := client.URL(address)
	if err != nil {
		return nil, cli.Usagef("%w", err)
	}
	if c.Token, err = readToken(app); err != nil {
		return nil, err
	}
	c.Explain = explain
	return c, nil
}

// findSocket returns the socket that the flag, the environment or the configuration names, or that of `signet dev`.
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

func readToken(app *cli.App) (string, error) {
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

// RefuseOwnFiles returns an error if path is a file that the selected server uses, or one of more. A copy in the place
// of an open store would leave the server writing to a file that has no name any more.
func RefuseOwnFiles(app *cli.App, path string, more ...string) error {
	target, err := os.Stat(path)
	if err != nil {
		return nil // nothing is replaced
	}
	for _, own := range append(ownFiles(app), more...) {
		if info, err := os.Stat(own); err == nil && os.SameFile(info, target) {
			return fmt.Errorf("%s is a file the server itself uses, and replacing it would lose what is in it; give another name", path)
		}
	}
	return nil
}

// ownFiles returns the files that the configuration names and those that are usually beside the admin socket.
func ownFiles(app *cli.App) []string {
	var own []string
	if path := configfile.Path(app); path != "" {
		own = append(own, path)
		if c, _, err := config.Load(path, app.Environ); err == nil {
			store, _ := c.BoltPath()
			own = append(own, store, c.MasterKeyFile, c.Admin.Socket, c.TLS.Cert, c.TLS.Key, c.Password.Blocklist, c.Password.Import.PepperFile,
				c.Redis.PasswordFile, c.Redis.SentinelPasswordFile, c.Redis.CA, c.Redis.Cert, c.Redis.Key)
		}
	}
	if socket, err := findSocket(app); err == nil {
		for _, name := range []string{"signet.db", "master.key", "demo.json", configfile.Name} {
			own = append(own, filepath.Join(filepath.Dir(socket), name))
		}
		own = append(own, socket)
	}
	return own
}

// Delete calls a verb that deletes the record of that name, and reports it.
func Delete(ctx context.Context, app *cli.App, name string, target api.Target) error {
	c, err := Client(app)
	if err != nil {
		return err
	}
	if err := c.Call(ctx, target, nil, nil); err != nil {
		return err
	}
	return app.Print(map[string]string{"deleted": name}, func(w io.Writer) { cli.Row(w, "deleted "+name) })
}

package manage

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/connect"
	"signet/server/admin/api"
	"signet/server/admin/client"
)

// NewBackup returns the command `signet backup`.
func NewBackup(app *cli.App) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy the store of a running server to a file",
		Long: "Copy the store of a running server to FILE, as it is at one moment, without stopping the server. FILE\n" +
			"appears when it is complete. With - the copy goes to standard output. The copy has password hashes and\n" +
			"hashes of client secrets. The signing keys in it are sealed: keep master.key in another place.",
		Example: "signet backup /backup/signet-$(date +%F).db\nsignet backup - | age -r age1… > signet.db.age",
		Args:    cli.Args("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect.Client(app)
			if err != nil {
				return err
			}
			if args[0] == "-" {
				return backupToStdout(cmd.Context(), app, c)
			}
			n, err := backupToFile(cmd.Context(), app, c, args[0], force)
			if err != nil {
				return err
			}
			return app.Print(map[string]any{"file": args[0], "bytes": n}, func(w io.Writer) { fmt.Fprintf(w, "wrote %s, %d bytes\n", args[0], n) })
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace FILE if there is one")
	return connect.Flags(app, cmd)
}

func backupToStdout(ctx context.Context, app *cli.App, c *client.Client) error {
	if err := app.RefuseTerminal("a backup"); err != nil {
		return err
	}
	_, err := fetchBackup(ctx, app, c, app.Out)
	return err
}

func backupToFile(ctx context.Context, app *cli.App, c *client.Client, path string, force bool) (n int64, err error) {
	err = cli.WriteFile(path, force, func(path string) error { return connect.RefuseOwnFiles(app, path) }, func(w io.Writer) error {
		n, err = fetchBackup(ctx, app, c, w)
		return err
	})
	return n, err
}

// fetchBackup copies the whole answer. net/http reports an answer that ended early.
func fetchBackup(ctx context.Context, app *cli.App, c *client.Client, w io.Writer) (int64, error) {
	answer, err := c.Open(ctx, api.Backup.At(), nil)
	if err != nil {
		return 0, err
	}
	defer answer.Close()
	n, err := io.Copy(w, app.Watch("received", answer, 0))
	if err != nil {
		return n, fmt.Errorf("copying the store: %w; nothing was kept, try again", err)
	}
	if n == 0 {
		return 0, errors.New("the server sent an empty backup; nothing was kept, see its log")
	}
	return n, nil
}

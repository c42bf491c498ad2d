package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func (a *app) backupCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy the store of a running server to a file",
		Long: "Copy the store of a running server to a file, as it is at one moment; nothing has to stop. The file\n" +
			"appears only when it is complete. Signing keys in it are sealed: keep master.key, elsewhere.\n" +
			"With - it goes to standard output.",
		Example: "signet backup /backup/signet-$(date +%F).db\nsignet backup - | age -r age1… > signet.db.age",
		Args:    positional("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.connect()
			if err != nil {
				return err
			}
			if args[0] == "-" {
				return a.backupToStdout(cmd.Context(), c)
			}
			n, err := a.backupToFile(cmd.Context(), c, args[0], force)
			if err != nil {
				return err
			}
			return a.print(map[string]any{"file": args[0], "bytes": n}, func(w io.Writer) { fmt.Fprintf(w, "wrote %s, %d bytes\n", args[0], n) })
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace FILE if there is one")
	return a.remote(cmd)
}

func (a *app) backupToStdout(ctx context.Context, c *adminClient) error {
	if tty := fileOf(a.out); tty != nil && term.IsTerminal(int(tty.Fd())) {
		return misuse("a backup is not for reading; send standard output to a file or a pipe")
	}
	_, err := a.fetchBackup(ctx, c, a.out)
	return err
}

// backupToFile writes beside the file and renames, so that a backup that broke off never looks like one.
func (a *app) backupToFile(ctx context.Context, c *adminClient, path string, force bool) (n int64, err error) {
	if _, err := os.Lstat(path); err == nil && !force {
		return 0, fmt.Errorf("%s exists already; give another name, or --force to replace it", path)
	}
	if err := a.guardOwnFiles(path); err != nil {
		return 0, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return 0, fmt.Errorf("making the file: %w", err)
	}
	defer os.Remove(f.Name()) // nothing is there any more after the rename
	n, err = a.fetchBackup(ctx, c, f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return 0, fmt.Errorf("putting the file in its place: %w", err)
	}
	return n, nil
}

// fetchBackup copies all of the answer, or fails: net/http reports one that broke off.
func (a *app) fetchBackup(ctx context.Context, c *adminClient, w io.Writer) (int64, error) {
	resp, err := c.send(ctx, http.MethodGet, pathTo("backup"), "", nil)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	n, err := io.Copy(w, a.watch("received", resp.Body))
	if err != nil {
		return n, fmt.Errorf("copying the store: %w; nothing was kept, try again", err)
	}
	if n == 0 {
		return 0, errors.New("the server sent an empty backup; nothing was kept, see its log")
	}
	return n, nil
}
